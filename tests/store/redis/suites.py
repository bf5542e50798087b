"""The conformance suites on a Redis store of some URL, sync and async; a test class sets `url`."""

from __future__ import annotations

import functools

from dmem_agents.store import Retention, open_async_store, open_store
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.testing.retention_conformance import RetentionConformance
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory


class RedisSuite(StoreConformance, RetentionConformance):
    url = ""

    def store_factory(self) -> StoreFactory:
        return functools.partial(open_store, self.url)

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return functools.partial(RedisStateStore, self.url, retention=retention)


class AsyncRedisSuite(RedisSuite):
    def store_factory(self) -> StoreFactory:
        return functools.partial(open_async_store, self.url)

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return functools.partial(AsyncRedisStateStore, self.url, retention=retention)
