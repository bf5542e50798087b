"""What the Redis stores do: each operation once, as a plan that yields commands and gets their replies.

`sync` and `aio` only carry the commands to the server. Everything of an agent lives in one hash under one
key, `{prefix}:{agent_id}`: `version`, `incarnation`, `record`, `lease_owner`, `lease_ends_ms` (server time).
Each write is one Lua script on that key: atomic on Redis from 6.2 on, Valkey and Cluster, without modules.
A hash without `version` is a lease alone, not a record, and expires with the lease.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import exceptions

from dmem_agents.agents import check_agent_id
from dmem_agents.errors import ConfigError, StateCorruptError, StoreConnectionError, StoreError
from dmem_agents.store.base import StoredRecord, check_data, check_lease, conflict, following

T = TypeVar("T")
Command: TypeAlias = tuple[str | bytes | int, ...]
Plan: TypeAlias = Generator[tuple[Command, ...], list[Any], T]
"""Yields commands to be sent together, gets their replies (or the server's error), returns the result."""

DEFAULT_PREFIX: Final = "dmem"
CLIENT_OPTIONS: Final[dict[str, Any]] = {"protocol": 2, "socket_connect_timeout": 5.0, "socket_timeout": 30.0}
"""What both clients are made with; the URL's query can override each."""

_PAGE = 500  # keys looked at per SCAN


@dataclass(frozen=True)
class _Script:
    text: str

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_COMMIT = _Script("""
local found = redis.call('HMGET', KEYS[1], 'version', 'incarnation', 'record')
if ARGV[1] == '' then
  if found[1] or found[2] or found[3] then return {0, found[1]} end
elseif found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then
  return {0, found[1]}
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'incarnation', ARGV[4], 'record', ARGV[5])
redis.call('PERSIST', KEYS[1])
return {1}
""")
_DELETE = _Script("""
local existed = redis.call('HEXISTS', KEYS[1], 'version')
redis.call('UNLINK', KEYS[1])
return existed
""")
_ACQUIRE = _Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'lease_owner', 'lease_ends_ms')
if lease[1] and lease[1] ~= ARGV[1] and (tonumber(lease[2]) or 0) > now then return 0 end
local ends = string.format('%.0f', now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'lease_owner', ARGV[1], 'lease_ends_ms', ends)
if redis.call('HEXISTS', KEYS[1], 'version') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
""")
_RELEASE = _Script("""
if redis.call('HGET', KEYS[1], 'lease_owner') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'lease_owner', 'lease_ends_ms')
end
return 0
""")


class RedisPlans:
    """The store's operations as plans, for one server and key prefix.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with redis-py's options and our `prefix` in the query.
        prefix: of all keys; goes before the URL's. It holds no `:`, so that stores of different prefixes
            never share a key, whatever the agent ids.

    Raises:
        ConfigError: the URL or the prefix can't be used. The text never repeats the URL's password.
    """

    def __init__(self, url: str, prefix: str | None = None) -> None:
        self.address, query = _taken_apart(url)
        """The server for messages: no user, password or options."""
        if "decode_responses" in query:
            raise ConfigError("Leave `decode_responses` out of the store's URL: records are bytes.")
        named = query.pop("prefix", DEFAULT_PREFIX)
        self.prefix = named if prefix is None else prefix
        if not self.prefix or ":" in self.prefix:
            raise ConfigError(
                f"Expected a key prefix that is not empty and has no `:`, got {self.prefix!r}. Use `.` or "
                "`-` to divide it."
            )
        self.url = f"{url.partition('?')[0]}?{urlencode(query)}"
        """For redis-py: as given, without our `prefix`."""

    def load(self, agent_id: str) -> Plan[StoredRecord | None]:
        """See `StateStore.load`."""
        return self._about(agent_id, self._load(agent_id))

    def commit(self, agent_id: str, data: bytes, expected: StoredRecord | None) -> Plan[StoredRecord]:
        """See `StateStore.commit`."""
        return self._about(agent_id, self._commit(agent_id, data, expected))

    def delete(self, agent_id: str) -> Plan[bool]:
        """See `StateStore.delete`."""
        return self._about(agent_id, self._delete(agent_id))

    def acquire_lease(self, agent_id: str, owner: str, ttl_seconds: float) -> Plan[bool]:
        """See `StateStore.acquire_lease`."""
        return self._about(agent_id, self._acquire(agent_id, owner, ttl_seconds))

    def release_lease(self, agent_id: str, owner: str) -> Plan[None]:
        """See `StateStore.release_lease`."""
        return self._about(agent_id, self._release(agent_id, owner))

    def list_page(self, cursor: int, prefix: str) -> Plan[tuple[int, list[str]]]:
        """One step of `StateStore.list_agents`: the cursor of the next step (0 = done), some agent ids."""
        start = f"{self.prefix}:".encode()
        pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", start + prefix.encode("utf-8", "surrogatepass")) + b"*"
        [(following_cursor, found)] = yield (("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE, "TYPE", "hash"),)
        keys = list(dict.fromkeys(found))
        if not keys:
            return int(following_cursor), []
        are_records = yield tuple(("HEXISTS", key, "version") for key in keys)
        names = [key[len(start) :] for key, is_record in zip(keys, are_records, strict=True) if is_record]
        return int(following_cursor), [name.decode() for name in names if _is_text(name)]

    def explained(self, error: Exception) -> StoreError:
        """The server's or the connection's error as one of ours, with advice."""
        return _explained(error, self.address, self.prefix)

    def _key(self, agent_id: str) -> bytes:
        check_agent_id(agent_id)
        return f"{self.prefix}:{agent_id}".encode()

    def _load(self, agent_id: str) -> Plan[StoredRecord | None]:
        [[version, incarnation, data]] = yield (("HMGET", self._key(agent_id), "version", "incarnation", "record"),)
        if version is None and incarnation is None and data is None:
            return None
        if not _is_version(version) or not incarnation or not incarnation.isascii() or data is None:
            raise self._foreign(agent_id)
        return StoredRecord(data=data, version=int(version), incarnation=incarnation.decode())

    def _commit(self, agent_id: str, data: bytes, expected: StoredRecord | None) -> Plan[StoredRecord]:
        key = self._key(agent_id)
        check_data(agent_id, data)
        new = following(data, expected)
        wanted = ("", "") if expected is None else (str(expected.version), expected.incarnation)
        done, *found = yield from _run(_COMMIT, key, *wanted, new.version, new.incarnation, data)
        if not done:
            raise conflict(agent_id, expected, int(found[0]) if _is_version(*found) else None)
        return new

    def _delete(self, agent_id: str) -> Plan[bool]:
        return bool((yield from _run(_DELETE, self._key(agent_id))))

    def _acquire(self, agent_id: str, owner: str, ttl_seconds: float) -> Plan[bool]:
        key = self._key(agent_id)
        check_lease(owner, ttl_seconds)
        return bool((yield from _run(_ACQUIRE, key, owner, max(1, round(ttl_seconds * 1000)))))

    def _release(self, agent_id: str, owner: str) -> Plan[None]:
        yield from _run(_RELEASE, self._key(agent_id), owner)

    def _about(self, agent_id: str, plan: Plan[T]) -> Plan[T]:
        """The plan, with the agent named when its key holds something else than a hash."""
        try:
            return (yield from plan)
        except exceptions.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise self._foreign(agent_id) from error
            raise

    def _foreign(self, agent_id: str) -> StateCorruptError:
        return StateCorruptError(
            f"What {self.address} holds for agent {agent_id!r} under the prefix {self.prefix!r} was not "
            "written by dmem-agents, or is damaged. It was left as it is. Use another prefix, or "
            "restore a backup."
        )


def _taken_apart(url: str) -> tuple[str, dict[str, str]]:
    """The server's address without secrets, and the options of the query."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        place = parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        understood = (
            parts.scheme in ("redis", "rediss", "unix")
            and not parts.fragment
            and (parts.scheme == "unix" or re.fullmatch(r"/?[0-9]*", parts.path))
            and all(re.fullmatch("[a-z_]+", name) for name in query)
        )
    except ValueError:
        understood, place, query = False, "", {}
    if not understood:  # without the URL's text: what looks like a host may be a piece of the password
        raise ConfigError(
            "Expected a store URL such as redis://user:password@host:6379/0, rediss://… or unix:///path, got "
            "one that can't be taken apart. Write `@ : / ? #` inside the password as %40 %3A %2F %3F %23."
        )
    database = "" if parts.scheme == "unix" else parts.path
    return f"{parts.scheme}://{place}{database}", query


def _run(script: _Script, key: bytes, *arguments: str | bytes | int) -> Plan[Any]:
    """Runs a script by its hash; sends its text when the server does not know it (any more)."""
    try:
        [reply] = yield (("EVALSHA", script.sha, 1, key, *arguments),)
    except exceptions.NoScriptError:
        [reply] = yield (("EVAL", script.text, 1, key, *arguments),)
    return reply


def _is_version(value: bytes | None = None) -> bool:
    return value is not None and re.fullmatch(rb"[1-9][0-9]{0,18}", value) is not None


def _is_text(name: bytes) -> bool:
    try:
        return bool(name.decode())
    except UnicodeDecodeError:
        return False  # no key of ours


def _explained(error: Exception, address: str, prefix: str) -> StoreError:
    text = str(error)
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return StoreConnectionError(
            f"The Redis server {address} refused the credentials. Check user and password in the store's URL."
        )
    if isinstance(error, exceptions.BusyLoadingError):
        return StoreConnectionError(f"The Redis server {address} is still loading its data. Try again soon.")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return StoreConnectionError(
            f"The Redis server {address} can't be reached or went away ({text}). Start it, or check host, "
            "port and network. A write that was under way was stored as a whole or not at all."
        )
    if isinstance(error, exceptions.NoPermissionError):
        return StoreError(
            f"The user in the URL of {address} may not do this ({text}). It needs read and write access to "
            f"the keys `{prefix}:*`, and EVAL, EVALSHA, SCAN, TIME and the hash commands."
        )
    for code, kind, reason in _REFUSALS:
        if isinstance(error, kind) or re.search(rf"\b{code}\b", text):
            return StoreError(f"The Redis server {address} {reason} Nothing was written.")
    shown = text.split(", with args", 1)[0]  # after it an unknown command's arguments would follow
    return StoreError(f"The Redis server {address} refused a command: {shown}.")


# The server's code, redis-py's class (it cuts the code off the text where it has one), and what to do.
_REFUSALS: Final[tuple[tuple[str, tuple[type[Exception], ...], str], ...]] = (
    (
        "READONLY",
        (exceptions.ReadOnlyError,),
        "is a read-only replica. Put the primary's address into the store's URL.",
    ),
    (
        "OOM",
        (exceptions.OutOfMemoryError,),
        "is out of memory. Raise its `maxmemory`, or forget agents that are no longer used.",
    ),
    (
        "MOVED",
        (exceptions.MovedError, exceptions.AskError),
        "is part of a Redis Cluster, which this version can't use yet. Use a single server.",
    ),
    ("MISCONF", (), "refuses writes because it can't save to its disk. Look into its log."),
    ("NOREPLICAS", (), "refuses writes because too few replicas are connected."),
)
