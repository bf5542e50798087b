"""redis-py's clients for an address, sync and async. They retry nothing by themselves: the stores do, per operation."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry
from redis.sentinel import Sentinel

from dmem_agents.errors import ConfigError
from dmem_agents.store.redis.address import CLIENT_OPTIONS, RedisAddress
from dmem_agents.store.redis.explained import PASSING

Client: TypeAlias = redis.Redis | redis.RedisCluster
AsyncClient: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0


def checked(address: RedisAddress) -> RedisAddress:
    """The address itself when redis-py takes all its options; finds unknown ones without connecting.

    Raises:
        ConfigError: an option can't be used. The text never repeats the URL's password.
    """
    try:
        if address.kind == "server":
            pool = redis.ConnectionPool.from_url(address.url, **CLIENT_OPTIONS)
            pool.connection_class(**pool.connection_kwargs)
        else:
            named = {k: v for k, v in address.options().items() if not k.startswith("sentinel_")}
            kind = redis.SSLConnection if named.pop("ssl", False) else redis.Connection
            kind(**named)
        timeout = address.options().get("socket_timeout")
        if address.wait_replicas and timeout is not None and timeout <= address.wait_seconds:
            raise ValueError(f"wait_seconds={address.wait_seconds:g} needs a socket_timeout above it, not {timeout:g}")
    except (TypeError, ValueError, redis.RedisError) as error:
        raise ConfigError(f"The options in the URL of {address.shown} can't be used: {error}") from None
    return address


def connected(address: RedisAddress) -> Client:
    """A client with a connection pool of its own. Only a cluster is asked something at once."""
    once = Retry(NoBackoff(), 0)
    if address.kind == "sentinel":
        options, of_sentinels = _of_sentinels(address)
        sentinels = Sentinel(address.hosts, sentinel_kwargs={**of_sentinels, "retry": once}, retry=once, **options)  # type: ignore[no-untyped-call]
        primary: redis.Redis = sentinels.master_for(address.service)  # type: ignore[no-untyped-call]
        return primary
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.hosts]  # type: ignore[no-untyped-call]
        return redis.RedisCluster(startup_nodes=nodes, retry=once, **_of_cluster(address))
    return redis.Redis.from_url(address.url, retry=once, **CLIENT_OPTIONS)


def connected_async(address: RedisAddress) -> AsyncClient:
    """`connected` for the running event loop."""
    once = AsyncRetry(NoBackoff(), 0)
    if address.kind == "sentinel":
        options, of_sentinels = _of_sentinels(address)
        sentinels = AsyncSentinel(address.hosts, sentinel_kwargs={**of_sentinels, "retry": once}, retry=once, **options)  # type: ignore[no-untyped-call]
        primary: redis.asyncio.Redis = sentinels.master_for(address.service)
        return primary
    if address.kind == "cluster":
        nodes = [AsyncClusterNode(host, port) for host, port in address.hosts]
        return redis.asyncio.RedisCluster(startup_nodes=nodes, retry=once, **_of_cluster(address))
    return redis.asyncio.Redis.from_url(address.url, retry=once, **CLIENT_OPTIONS)


async def disconnected_async(client: AsyncClient) -> None:
    """Closes a client of ours, and what redis-py leaves open.

    That is the connections to its Sentinels, and in a cluster those that were opened after an error had closed the
    client: `RedisCluster.aclose` then does nothing.
    """
    await client.aclose()
    if isinstance(client, redis.asyncio.RedisCluster):
        for node in [*client.get_nodes(), *client.startup_nodes]:
            await node.disconnect()
    pool = getattr(client, "connection_pool", None)
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        await sentinel.aclose()


def disconnected(client: Client) -> None:
    """`disconnected_async` for a sync client."""
    client.close()
    pool = getattr(client, "connection_pool", None)
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        sentinel.close()


def retrying(retries: int) -> Retry:
    """redis-py's bounded repetition: pauses of 0.05 s, doubled up to 2 s, each shortened by chance."""
    backoff = ExponentialWithJitterBackoff(base=_FIRST_PAUSE_SECONDS, cap=_LONGEST_PAUSE_SECONDS)
    return Retry(backoff, retries, supported_errors=PASSING)


def retrying_async(retries: int) -> AsyncRetry:
    """`retrying` for asyncio."""
    backoff = ExponentialWithJitterBackoff(base=_FIRST_PAUSE_SECONDS, cap=_LONGEST_PAUSE_SECONDS)
    return AsyncRetry(backoff, retries, supported_errors=PASSING)  # type: ignore[arg-type]  # OSError works as well


def _of_sentinels(address: RedisAddress) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the primary's connections, and of those to the Sentinels."""
    options = address.options()
    own = {name: options.pop(name) for name in list(options) if name.startswith("sentinel_")}
    shared = ("protocol", "socket_connect_timeout", "socket_timeout", "ssl")
    of_sentinels = {k: v for k, v in options.items() if k in shared or k.startswith("ssl_")}
    return options, of_sentinels | {name.removeprefix("sentinel_"): value for name, value in own.items()}


def _of_cluster(address: RedisAddress) -> dict[str, Any]:
    options = address.options()
    options.pop("db", None)  # a cluster has one
    return options
