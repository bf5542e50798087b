"""A store's URL taken apart: where the servers are, what the client is made with, what is ours. No secrets leave."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.connection import parse_url

from dmem_agents.errors import ConfigError
from dmem_agents.store.retention import AS_IT_IS, Retention

DEFAULT_PREFIX: Final = "dmem"
DEFAULT_WAIT_SECONDS: Final = 1.0
DEFAULT_RETRIES: Final = 3
"""Half a second or so: a restart of a proxy, a connection cut."""
CLIENT_OPTIONS: Final[dict[str, Any]] = {"protocol": 2, "socket_connect_timeout": 5.0, "socket_timeout": 10.0}
"""What every client is made with; the URL's query can override each. Times in seconds."""

Kind = Literal["server", "sentinel", "cluster"]
_KINDS: Final[dict[str, Kind]] = {"": "server", "sentinel": "sentinel", "cluster": "cluster"}
_RETRIES: Final[dict[Kind, int]] = {"server": DEFAULT_RETRIES, "sentinel": 8, "cluster": 8}  # a failover takes seconds
_DEFAULT_PORTS: Final[dict[Kind, int]] = {"server": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisAddress:
    """One server, a replicated one behind Sentinels, or a cluster, and the store's own settings."""

    kind: Kind
    shown: str
    """The address for messages: no user, password or options."""
    url: str = field(repr=False)
    """For redis-py, of the first host: without our own options."""
    hosts: tuple[tuple[str, int], ...]
    """Sentinels, or nodes of the cluster to begin with; the server itself."""
    service: str
    """What the Sentinels call the primary."""
    tls: bool
    prefix: str
    retention: Retention
    retries: int
    """How often an operation that is safe to repeat is tried again."""
    wait_replicas: int = 0
    """How many replicas must have a commit before it is acknowledged."""
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    """How long to wait for them."""

    @classmethod
    def parsed(cls, url: str, prefix: str | None = None, retention: Retention | None = None) -> Self:
        """The address that a URL names; `prefix` and `retention` go before the URL's.

        Raises:
            ConfigError: the URL, the prefix or an option can't be used. The text never repeats the URL's password.
        """
        scheme, kind, credentials, hosts, path, query = _taken_apart(url)
        if "decode_responses" in query:
            raise ConfigError("Leave `decode_responses` out of the store's URL: records are bytes.")
        named_prefix, in_url = query.pop("prefix", DEFAULT_PREFIX), Retention.taken_from(query)
        retries = _count("retries", query.pop("retries", str(_RETRIES[kind])))
        wait_replicas = _count("wait_replicas", query.pop("wait_replicas", "0"))
        wait_seconds = _seconds(query.pop("wait_seconds", str(DEFAULT_WAIT_SECONDS)))
        if wait_replicas and kind == "cluster":
            raise ConfigError(
                "wait_replicas is for one primary: redis:// or redis+sentinel://. For a cluster, set "
                "min-replicas-to-write on its nodes, which refuses commits while no replica listens."
            )
        service, database = _service_and_database(kind, path)
        if scheme == "unix":
            first, place = path, path
        else:
            first = f"{_bracketed(hosts[0][0])}:{hosts[0][1]}{database}"
            place = ",".join(f"{host}:{port}" for host, port in hosts) + (f"/{service}" if service else "") + database
        at = f"{credentials}@" if credentials is not None else ""
        return cls(
            kind=kind,
            shown=f"{url.partition('://')[0]}://{place}",
            url=f"{scheme}://{at}{first}" + (f"?{urlencode(query)}" if query else ""),
            hosts=hosts,
            service=service,
            tls=scheme == "rediss",
            prefix=checked_prefix(named_prefix if prefix is None else prefix),
            retention=retention or in_url or AS_IT_IS,
            retries=retries,
            wait_replicas=wait_replicas,
            wait_seconds=wait_seconds,
        )

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the client, without host and port; those of the Sentinels begin with `sentinel_`.

        Raises:
            ValueError: an option has no usable value.
        """
        parsed = parse_url(self.url)  # type: ignore[no-untyped-call]
        for name in ("host", "port", "path", "connection_class"):
            parsed.pop(name, None)
        return {**CLIENT_OPTIONS, **parsed, **({"ssl": True} if self.tls else {})}


def checked_prefix(prefix: str) -> str:
    """The prefix itself when it can't mix up stores.

    Raises:
        ConfigError: it is empty or holds a `:`.
    """
    if not prefix or ":" in prefix:
        raise ConfigError(
            f"Expected a key prefix that is not empty and has no `:`, got {prefix!r}. Use `.` or `-` to divide it."
        )
    return prefix


def _taken_apart(
    url: str,
) -> tuple[str, Kind, str | None, tuple[tuple[str, int], ...], str, dict[str, str]]:
    """Scheme, kind, `user:password` as written, hosts, path, options."""
    try:
        parts = urlsplit(url)
        scheme, _, kind_name = parts.scheme.partition("+")
        kind = _KINDS[kind_name]
        credentials, at, places = parts.netloc.rpartition("@")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        hosts = () if scheme == "unix" else tuple(_host(place, kind) for place in places.split(","))
        understood = (
            scheme in ("redis", "rediss", *(() if kind_name else ("unix",)))
            and not parts.fragment
            and (kind != "server" or len(hosts) == (0 if scheme == "unix" else 1))
            and _path_fits(scheme, kind, parts.path)
            and all(re.fullmatch("[a-z_]+", name) for name in query)
        )
    except (ValueError, KeyError):
        understood = False
    if not understood:  # without the URL's text: what looks like a host may be a piece of the password
        raise ConfigError(
            "Expected a store URL such as redis://user:password@host:6379/0, rediss://…, unix:///path, "
            "redis+sentinel://host:26379,host2:26379/service/0 or redis+cluster://host:7000,host2:7000, got "
            "one that can't be taken apart. Write `@ : / ? #` inside the password as %40 %3A %2F %3F %23."
        )
    return scheme, kind, credentials if at else None, hosts, parts.path, query


def _host(place: str, kind: Kind) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if place and parts.hostname is None:
        raise ValueError(place)
    return parts.hostname or "localhost", parts.port or _DEFAULT_PORTS[kind]


def _path_fits(scheme: str, kind: Kind, path: str) -> bool:
    if scheme == "unix":
        return True
    pattern = {"server": "/?[0-9]*", "sentinel": "/[^/]+(/[0-9]*)?", "cluster": "/?0?"}[kind]
    return re.fullmatch(pattern, path) is not None


def _service_and_database(kind: Kind, path: str) -> tuple[str, str]:
    if kind != "sentinel":
        return "", "" if kind == "cluster" else path
    service, _, database = path.removeprefix("/").partition("/")
    return service, f"/{database}" if database else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _count(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", text):
        raise ConfigError(f"Expected {name}=0 to 99 in the store's URL, got {text!r}.")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not float(text):
        raise ConfigError(f"Expected wait_seconds=0.001 to 9999.999 in the store's URL, got {text!r}.")
    return float(text)
