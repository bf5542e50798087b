from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

import pytest

from dmem_agents.errors import StateConflictError, StoreConnectionError
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.testing.shared_store_conformance import SharedStoreConformance
from tests.store.redis.suites import AsyncRedisSuite


class Server(Protocol):
    url: str
    port: int

    def kill(self) -> None: ...
    def start(self) -> None: ...


@pytest.fixture
def url(redis_server: Server) -> str:
    return f"{redis_server.url}?prefix={secrets.token_hex(4)}"


class TestAsyncRedisStateStore(AsyncRedisSuite, SharedStoreConformance):
    @pytest.fixture(autouse=True)
    def _url(self, url: str) -> None:
        self.url = url


async def test_both_twins_are_one_store(url: str) -> None:
    async with AsyncRedisStateStore(url) as asynchronous:
        with RedisStateStore(url) as synchronous:
            first = await asynchronous.commit("a", b"1", expected=None)
            second = synchronous.commit("a", b"2", expected=first)
            assert await asynchronous.load("a") == second
            assert await asynchronous.acquire_lease("a", "me", ttl_seconds=60)
            assert not synchronous.acquire_lease("a", "you", ttl_seconds=60)


async def test_tasks_that_repeat_refused_commits_lose_no_update(url: str) -> None:
    async def increment() -> None:
        done = 0
        while done < 10:
            record = await store.load("a")
            number = int(record.data) if record is not None else 0
            try:
                await store.commit("a", str(number + 1).encode(), expected=record)
                done += 1
            except StateConflictError:
                continue

    async with AsyncRedisStateStore(url) as store:
        await asyncio.gather(*[increment() for _ in range(5)])
        record = await store.load("a")
    assert record is not None
    assert record.data == b"50"


def test_one_store_serves_several_event_loops(url: str) -> None:
    store = AsyncRedisStateStore(url)

    async def add_one() -> None:
        record = await store.load("a")
        number = int(record.data) if record is not None else 0
        await store.commit("a", str(number + 1).encode(), expected=record)
        await store._clients.pop(asyncio.get_running_loop()).aclose()

    for _ in range(3):
        asyncio.run(add_one())
    with RedisStateStore(url) as synchronous:
        record = synchronous.load("a")
    assert record is not None
    assert record.data == b"3"


async def test_a_dead_server_is_reported_and_the_store_works_when_it_is_back(redis_server: Server) -> None:
    async with AsyncRedisStateStore(redis_server.url) as store:
        await store.load("restart")
        redis_server.kill()
        with pytest.raises(StoreConnectionError, match=f"127.0.0.1:{redis_server.port}"):
            await store.load("restart")
        redis_server.start()
        assert (await store.commit("restart", b"1", expected=None)).version == 1
        await asyncio.to_thread(redis_server.kill)  # the loop runs on, as a server's would
        await asyncio.to_thread(redis_server.start)
        assert await store.load("restart") is None
