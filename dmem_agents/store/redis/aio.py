"""The Redis store for asyncio: carries the plans of `ops` to the server through redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dmem_agents.errors import ConfigError
from dmem_agents.store.base import AsyncStateStore, StoredRecord, closed
from dmem_agents.store.redis.ops import CLIENT_OPTIONS, Command, Plan, RedisPlans

T = TypeVar("T")


class AsyncRedisStateStore(AsyncStateStore):
    """`RedisStateStore` for asyncio, over the same keys.

    One instance serves several event loops, each through connections of its own. `aclose` closes those of the
    loop it runs on.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with redis-py's options and `prefix` in the query.
        prefix: of all keys, without `:`; default is the URL's, or `dmem`.

    Raises:
        ConfigError: the URL or the prefix can't be used.
    """

    def __init__(self, url: str, *, prefix: str | None = None) -> None:
        self._plans = RedisPlans(url, prefix)
        try:
            pool = self._open().connection_pool
            pool.connection_class(**pool.connection_kwargs)  # finds unknown options without connecting
        except (TypeError, ValueError, redis.RedisError) as error:
            raise ConfigError(f"The options in the URL of {self._plans.address} can't be used: {error}") from None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()
        self._closed = False

    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return await self._run(self._plans.load(agent_id))

    async def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`."""
        return await self._run(self._plans.commit(agent_id, data, expected))

    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return await self._run(self._plans.delete(agent_id))

    async def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""
        cursor = 0
        while True:
            cursor, agent_ids = await self._run(self._plans.list_page(cursor, prefix))
            for agent_id in agent_ids:
                yield agent_id
            if cursor == 0:
                return

    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""
        return await self._run(self._plans.acquire_lease(agent_id, owner, ttl_seconds))

    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        await self._run(self._plans.release_lease(agent_id, owner))

    async def aclose(self) -> None:
        """See `StateStore.close`."""
        self._closed = True
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _run(self, plan: Plan[T]) -> T:
        try:
            batch = next(plan)
            while True:
                try:
                    replies = await self._send(batch)
                except redis.RedisError as error:
                    batch = plan.throw(error)
                else:
                    batch = plan.send(replies)
        except StopIteration as done:
            result: T = done.value
            return result
        except (redis.RedisError, OSError) as error:
            raise self._plans.explained(error) from error

    async def _send(self, batch: tuple[Command, ...]) -> list[Any]:
        if self._closed:
            raise closed(f"The store {self._plans.address}")
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._open()
        if len(batch) == 1:
            return [await client.execute_command(*batch[0])]  # type: ignore[no-untyped-call]
        pipeline = client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        return list(await pipeline.execute())

    def _open(self) -> redis.asyncio.Redis:
        return redis.asyncio.Redis.from_url(self._plans.url, retry=Retry(NoBackoff(), 0), **CLIENT_OPTIONS)
