"""The Redis store: carries the plans of `ops` to the server through redis-py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dmem_agents.errors import ConfigError
from dmem_agents.store.base import StateStore, StoredRecord, closed
from dmem_agents.store.redis.ops import CLIENT_OPTIONS, Command, Plan, RedisPlans

T = TypeVar("T")


class RedisStateStore(StateStore):
    """Keeps each agent in one hash of a Redis server (6.2 or later) or Valkey.

    Nothing is sent until the first operation. A lost connection is reported, not retried: a repeated commit
    could not tell its own first try from somebody else's commit.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with redis-py's options and `prefix` in the query.
        prefix: of all keys, without `:`; default is the URL's, or `dmem`.

    Raises:
        ConfigError: the URL or the prefix can't be used.
    """

    def __init__(self, url: str, *, prefix: str | None = None) -> None:
        self._plans = RedisPlans(url, prefix)
        try:
            self._client = redis.Redis.from_url(self._plans.url, retry=Retry(NoBackoff(), 0), **CLIENT_OPTIONS)
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # finds unknown options without connecting
        except (TypeError, ValueError, redis.RedisError) as error:
            raise ConfigError(f"The options in the URL of {self._plans.address} can't be used: {error}") from None
        self._closed = False

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return self._run(self._plans.load(agent_id))

    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`."""
        return self._run(self._plans.commit(agent_id, data, expected))

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return self._run(self._plans.delete(agent_id))

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`."""
        cursor = 0
        while True:
            cursor, agent_ids = self._run(self._plans.list_page(cursor, prefix))
            yield from agent_ids
            if cursor == 0:
                return

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""
        return self._run(self._plans.acquire_lease(agent_id, owner, ttl_seconds))

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        self._run(self._plans.release_lease(agent_id, owner))

    def close(self) -> None:
        """See `StateStore.close`."""
        self._closed = True
        self._client.close()

    def _run(self, plan: Plan[T]) -> T:
        try:
            batch = next(plan)
            while True:
                try:
                    replies = self._send(batch)
                except redis.RedisError as error:
                    batch = plan.throw(error)
                else:
                    batch = plan.send(replies)
        except StopIteration as done:
            result: T = done.value
            return result
        except (redis.RedisError, OSError) as error:
            raise self._plans.explained(error) from error

    def _send(self, batch: tuple[Command, ...]) -> list[Any]:
        if self._closed:
            raise closed(f"The store {self._plans.address}")
        if len(batch) == 1:
            return [self._client.execute_command(*batch[0])]  # type: ignore[no-untyped-call]
        pipeline = self._client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        return pipeline.execute()
