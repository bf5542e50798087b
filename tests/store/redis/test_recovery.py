"""Lost answers, cut connections and what earlier versions of this library stored."""

from __future__ import annotations

import secrets
from typing import Protocol

import pytest
import redis

from dmem_agents.errors import StateConflictError, StoreConnectionError
from dmem_agents.store import StateStore
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.testing.blocking_store import BlockingStore
from dmem_agents.testing.cutting_proxy import CuttingProxy


class Server(Protocol):
    url: str
    port: int


def opened(kind: str, url: str) -> StateStore:
    return RedisStateStore(url) if kind == "sync" else BlockingStore(AsyncRedisStateStore(url))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_applied_twice(redis_server: Server, kind: str) -> None:
    prefix = secrets.token_hex(4)
    with opened(kind, f"{redis_server.url}?prefix={prefix}") as store:
        first = store.commit("a", b"1", expected=None)
    with CuttingProxy(redis_server.port, longest_bytes=4000, seed=3) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0?prefix={prefix}&retries=30"
        with opened(kind, url) as store:
            record = first
            for number in range(2, 40):
                record = store.commit("a", str(number).encode() * 20, expected=record)
                assert record.version == number
            assert store.load("a") == record
        assert proxy.cuts > 3


def test_a_commit_that_gave_up_can_be_repeated_with_its_token(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    with RedisStateStore(redis_server.url, prefix=prefix) as store:
        first = store.commit("a", b"1", expected=None, token="first")
        store.commit("a", b"2", expected=first, token="second")  # its answer is lost, say
        again = store.commit("a", b"2", expected=first, token="second")
        assert (again.version, store.load("a")) == (2, again)


def test_a_delete_is_not_repeated_after_a_lost_answer(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    with RedisStateStore(redis_server.url, prefix=prefix) as store:
        store.commit("a", b"1", expected=None)
    with CuttingProxy(redis_server.port, longest_bytes=2, seed=1) as proxy:
        with RedisStateStore(f"redis://127.0.0.1:{proxy.port}/0?prefix={prefix}&retries=5") as store:
            with pytest.raises(StoreConnectionError, match="stored as a whole or not at all"):
                store.delete("a")
        assert proxy.cuts <= 2


def test_a_client_of_your_own_serves_a_store_and_stays_open(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        with RedisStateStore.from_client(client, prefix=prefix) as store:
            store.commit("a", b"1", expected=None)
        assert client.hget(f"{prefix}:a", "record") == b"1"


async def test_an_async_client_of_your_own_serves_a_store_and_stays_open(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    async with redis.asyncio.Redis.from_url(redis_server.url, protocol=2) as client:
        async with AsyncRedisStateStore.from_client(client, prefix=prefix) as store:
            await store.commit("a", b"1", expected=None)
        assert await client.hget(f"{prefix}:a", "record") == b"1"


def test_what_the_first_version_stored_is_read_written_and_kept(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    with redis.Redis.from_url(redis_server.url) as raw:
        old = {"version": "7", "incarnation": "0123456789abcdef", "record": b"old"}
        raw.hset(f"{prefix}:a", mapping=old)
        raw.hset(f"{prefix}:leased", mapping={**old, "lease_owner": "somebody", "lease_ends_ms": "9999999999999"})
    with RedisStateStore(f"{redis_server.url}?prefix={prefix}&snapshots=2&ttl_seconds=60") as store:
        record = store.load("a")
        assert record is not None
        assert (record.data, record.version, record.incarnation) == (b"old", 7, "0123456789abcdef")
        assert store.snapshots("a") == ()
        assert store.acquire_lease("leased", "me", ttl_seconds=1) is None
        assert store.acquire_lease("leased", "somebody", ttl_seconds=1)
        new = store.commit("a", b"new", expected=record)
        assert (new.version, new.incarnation) == (8, "0123456789abcdef")
        assert [s.version for s in store.snapshots("a")] == [7]
        with pytest.raises(StateConflictError):
            store.commit("a", b"stale", expected=record)


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [("ttl_seconds=60", "", True), ("ttl_seconds=60", "ttl_seconds=inf", False)],
)
def test_a_store_without_settings_leaves_those_of_the_agent(
    redis_server: Server, first: str, second: str, left: bool
) -> None:
    url = f"{redis_server.url}?prefix={secrets.token_hex(4)}"
    with RedisStateStore(f"{url}&{first}&snapshots=3") as store:
        record = store.commit("a", b"1", expected=None)
    with RedisStateStore(f"{url}&{second}".rstrip("&")) as store, redis.Redis.from_url(redis_server.url) as raw:
        store.commit("a", b"2", expected=record)
        assert [s.version for s in store.snapshots("a")] == [1]
        assert (raw.ttl(f"{store.namespace}:a") > 0) is left
