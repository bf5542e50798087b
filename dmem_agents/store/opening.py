"""From a URL to a store: the only place that knows all backends. Redis is imported when a URL names it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

import platformdirs

from dmem_agents.errors import ConfigError
from dmem_agents.store.base import AsyncStateStore, StateStore
from dmem_agents.store.in_memory import InMemoryStateStore
from dmem_agents.store.protection import Encryption, KeyRing, Protection, Signing, protected
from dmem_agents.store.retention import Retention
from dmem_agents.store.sqlite import SQLiteStateStore
from dmem_agents.store.threaded import ThreadedStateStore

_REDIS: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_FORMS: Final = (
    "sqlite:///relative/path, sqlite:////absolute/path, redis://host:6379/0, rediss://…, unix://…, "
    "redis+sentinel://host:26379/service, redis+cluster://host:6379, memory://"
)


def open_store(url: str) -> StateStore:
    """Opens the store that the URL names.

    | URL | store |
    |---|---|
    | `sqlite:///relative/path`, `sqlite:////absolute/path`, `sqlite:///~/path` | a file, folders made |
    | `redis://user:password@host:6379/0?prefix=dmem`, `rediss://…` (TLS), `unix:///path/redis.sock` | Redis |
    | `redis+sentinel://user:password@host:26379,host2:26379/service/0`, `rediss+sentinel://…` | its primary |
    | `redis+cluster://user:password@host:7000,host2:7000`, `rediss+cluster://…` | a Redis Cluster |
    | `memory://` | this process, a new empty store each time |

    `keys=/path/to/file` encrypts every record, `signing_keys=/path/to/file` signs it: see `store.protection`.
    Every form takes `ttl_seconds`, `refresh`, `snapshots` and `snapshot_seconds` in its query: see `Retention`.
    Percent escapes in a path are decoded.

    Raises:
        ConfigError: the URL has another form, or needs a package that is not installed.
        StoreError: the file can't be opened.
    """
    url, protection = _without_keys(url)
    store = _open(url)
    return store if protection is None else protected(store, protection)


def _open(url: str) -> StateStore:
    scheme, rest = _split(url)
    if scheme in _REDIS:
        try:
            from dmem_agents.store.redis.sync import RedisStateStore
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return RedisStateStore(url)
    return _open_local(scheme, rest)


def open_async_store(url: str) -> AsyncStateStore:
    """`open_store` for asyncio.

    `memory://` gives a new empty store here too: wrap one in `ThreadedStateStore` to share it.

    Raises:
        ConfigError: the URL has another form, or needs a package that is not installed.
        StoreError: the file can't be opened.
    """
    url, protection = _without_keys(url)
    store = _open_async(url)
    return store if protection is None else protected(store, protection)


def _open_async(url: str) -> AsyncStateStore:
    scheme, rest = _split(url)
    if scheme in _REDIS:
        try:
            from dmem_agents.store.redis.aio import AsyncRedisStateStore
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return AsyncRedisStateStore(url)
    return ThreadedStateStore(_open_local(scheme, rest))


def _without_keys(url: str) -> tuple[str, Protection | None]:
    """The URL without the options that name key files, and what they ask for."""
    place, _, text = url.partition("?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    named = {name: query.pop(name) for name in ("keys", "signing_keys") if name in query}
    if len(named) == 2:
        raise ConfigError("Expected keys= or signing_keys= in the store's URL, got both. Encryption signs as well.")
    if not named:
        return url, None
    [(name, path)] = named.items()
    ring = KeyRing.from_file(path)
    rest = f"{place}?{urlencode(query)}" if query else place
    return rest, Encryption(ring) if name == "keys" else Signing(ring)


def _split(url: str) -> tuple[str, str]:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigError(f"Expected a store URL ({_FORMS}), got a text without `://`.")
    if scheme not in (*_REDIS, "sqlite", "memory"):
        raise ConfigError(f"Expected a store URL ({_FORMS}), got one that begins with {scheme!r}.")
    return scheme, rest


def default_store_url() -> str:
    """The SQLite file in the user's data folder that agents live in when no store is named."""
    folder = Path(platformdirs.user_data_dir("dmem-agents", appauthor=False))
    return f"sqlite:///{quote(str(folder / 'agents.db'))}"


def _open_local(scheme: str, rest: str) -> StateStore:
    place, _, query_text = rest.partition("?")
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    retention = Retention.taken_from(query)
    if query:
        raise ConfigError(
            f"Expected no options but ttl_seconds, refresh, snapshots and snapshot_seconds after {scheme}://…?, "
            f"got {', '.join(query)}."
        )
    if scheme == "memory":
        if place:
            raise ConfigError(f"Expected memory:// and no place after it, got memory://{place}. Each one is new.")
        return InMemoryStateStore(retention)
    path = unquote(place.removeprefix("/"))
    if not place.startswith("/") or not path:
        raise ConfigError(f"Expected sqlite:///relative/path or sqlite:////absolute/path, got sqlite://{rest}.")
    if path == ":memory:":
        raise ConfigError("Expected a file in the sqlite:// URL. For a store in memory use memory://.")
    return SQLiteStateStore(Path(path), retention=retention)


def _missing(error: ModuleNotFoundError) -> ConfigError:
    if (error.name or "").partition(".")[0] != "redis":
        raise error
    return ConfigError("A redis:// store needs redis-py, which is not installed: pip install 'dmem-agents[redis]'.")
