"""The Redis store for asyncio: carries the plans of `ops` to the server through redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio

from dmem_agents.errors import StoreError
from dmem_agents.store.base import AsyncStateStore, StoredRecord, closed
from dmem_agents.store.redis.address import DEFAULT_PREFIX, DEFAULT_RETRIES, RedisAddress, checked_prefix
from dmem_agents.store.redis.clients import AsyncClient, checked, connected_async, disconnected_async, retrying_async
from dmem_agents.store.redis.exchange import exchanged_async
from dmem_agents.store.redis.explained import is_passing
from dmem_agents.store.redis.ops import Batch, Plan, RedisPlans
from dmem_agents.store.retention import AS_IT_IS, Retention, Snapshot

T = TypeVar("T")


class AsyncRedisStateStore(AsyncStateStore):
    """`RedisStateStore` for asyncio, over the same keys.

    One instance serves several event loops, each through a connection pool of its own. `aclose` closes that of the
    loop it runs on.

    Args:
        url: as for `RedisStateStore`.
        prefix: of all keys, without `:`; default is the URL's, or `dmem`.
        retention: how long agents and snapshots are kept; default is the URL's.

    Raises:
        ConfigError: the URL or the prefix can't be used.
    """

    def __init__(self, url: str, *, prefix: str | None = None, retention: Retention | None = None) -> None:
        address = checked(RedisAddress.parsed(url, prefix, retention))
        self._begin(RedisPlans.of(address), lambda: connected_async(address), address.retries, owned=True)

    @classmethod
    def from_client(
        cls,
        client: AsyncClient,
        *,
        prefix: str = DEFAULT_PREFIX,
        retention: Retention | None = None,
        retries: int = DEFAULT_RETRIES,
    ) -> Self:
        """See `RedisStateStore.from_client`. The store is then bound to the client's event loop.

        Raises:
            ConfigError: the prefix can't be used.
        """
        store = cls.__new__(cls)
        plans = RedisPlans(
            "of your client",
            checked_prefix(prefix),
            retention or AS_IT_IS,
            transactions=False if isinstance(client, redis.asyncio.RedisCluster) else None,
        )
        store._begin(plans, lambda: client, retries, owned=False)
        return store

    def _begin(self, plans: RedisPlans, opening: Callable[[], AsyncClient], retries: int, *, owned: bool) -> None:
        self._plans = plans
        self.namespace = plans.prefix
        self._opening = opening
        self._owned = owned
        self._retry = retrying_async(retries)
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()
        self._closed = False

    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return await self._run(self._plans.load(agent_id))

    async def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`."""
        return await self._run(self._plans.commit(agent_id, data, expected, token, fence))

    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return await self._run(self._plans.delete(agent_id))

    def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `RedisStateStore.list_agents`."""
        return self._pages(lambda cursor: self._plans.list_page(cursor, prefix))

    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return await self._run(self._plans.acquire_lease(agent_id, owner, ttl_seconds))

    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        await self._run(self._plans.release_lease(agent_id, owner))

    async def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return await self._run(self._plans.snapshots(agent_id))

    async def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return await self._run(self._plans.load_snapshot(agent_id, version))

    def strays(self) -> AsyncIterator[str]:
        """See `RedisStateStore.strays`."""
        return self._pages(self._plans.stray_page)

    async def aclose(self) -> None:
        """See `StateStore.close`."""
        self._closed = True
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None and self._owned:
            await disconnected_async(client)

    async def _pages(self, page: Callable[[int], Plan[tuple[int, list[str]]]]) -> AsyncIterator[str]:
        """What a scan finds, node by node and step by step."""
        with self._explaining():
            nodes = await self._carried(self._nodes, repeatable=True)
        for node in nodes:
            cursor = 0
            while True:
                cursor, texts = await self._run(page(cursor), node)
                for text in texts:
                    yield text
                if cursor == 0:
                    break

    async def _run(self, plan: Plan[T], node: Any = None) -> T:
        with self._explaining():
            try:
                batch = next(plan)
                while True:
                    try:
                        replies = await self._carried(partial(self._send, batch, node), repeatable=batch.repeatable)
                    except redis.RedisError as error:
                        batch = plan.throw(error)
                    else:
                        batch = plan.send(replies)
            except StopIteration as done:
                result: T = done.value
                return result

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, redis.exceptions.RedisClusterException, OSError) as error:
            if isinstance(error, StoreError):
                raise
            raise self._plans.explained(error) from error

    async def _carried(self, work: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
        if not repeatable:
            return await work()
        return await self._retry.call_with_retry(work, _ignored, is_retryable=is_passing)

    async def _send(self, batch: Batch, node: Any) -> list[Any]:
        client = self._open()
        batch.sent += 1
        commands = batch.commands
        try:
            if batch.on_each_node and node is not None:
                return [await node.execute_command(*commands[0])]
            return await exchanged_async(client, commands)
        except AttributeError as error:
            # redis-py 8.1: under load a cluster's client may close a connection that another task is opening.
            raise redis.exceptions.ConnectionError("The connection was closed while it was opened.") from error

    async def _nodes(self) -> list[Any]:
        """The cluster's primaries; None for a server."""
        client = self._open()
        if not isinstance(client, redis.asyncio.RedisCluster):
            return [None]
        await client.initialize()
        return list(client.get_primaries())

    def _open(self) -> AsyncClient:
        if self._closed:
            raise closed(f"The store {self._plans.address}")
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._opening()
        return client


async def _ignored(error: Exception) -> None:
    """The store's errors are explained once they are final."""
