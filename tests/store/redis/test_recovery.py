"""Lost answers, cut connections and what earlier versions of this library stored."""

from __future__ import annotations

import asyncio
import secrets
import tracemalloc
from typing import Protocol

import pytest
import redis

from dmem_agents.errors import StateConflictError, StoreConnectionError
from dmem_agents.store import StateStore
from dmem_agents.store.protection import Encryption, KeyRing, protected
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


@pytest.mark.parametrize("keys", ["", "encrypted"])
def test_a_version_number_given_twice_after_a_failover_matches_no_writer_of_the_lost_history(
    redis_server: Server, keys: str
) -> None:
    with (
        RedisStateStore(redis_server.url, prefix=secrets.token_hex(4)) as plain,
        redis.Redis.from_url(redis_server.url) as raw,
    ):
        store = protected(plain, Encryption(KeyRing({"k": bytes(32)}))) if keys else plain
        key = f"{plain.namespace}:a"
        first = store.commit("a", b"1", expected=None)
        replicated = raw.dump(key)
        lost = store.commit("a", b"2 that the replica never got", expected=first)
        raw.restore(key, 0, replicated, replace=True)  # the replica has taken over
        kept = store.commit("a", b"2 of another writer", expected=first)
        assert kept.version == lost.version
        with pytest.raises(StateConflictError, match="another history"):
            store.commit("a", b"3 on what was lost", expected=lost)
        assert store.load("a") == kept
        assert store.commit("a", b"3", expected=store.load("a")).version == 3


SIZES = (0, 1, 16_383, 16_384, 20_447, 20_448, 32_736, 65_503, 65_504, 65_505, 65_621, 1_000_001)


def test_a_record_of_any_size_and_its_snapshots_come_back_whole(redis_server: Server) -> None:
    records = [bytes([number]) * size for number, size in enumerate(SIZES)]
    with RedisStateStore(f"{redis_server.url}?prefix={secrets.token_hex(4)}&snapshots=20&refresh=read") as store:
        stored = None
        for data in (*records, *reversed(records)):
            stored = store.commit("a", data, expected=stored)
            assert store.load("a") == stored
        with RedisStateStore(redis_server.url, prefix=store.namespace) as without_refresh:
            assert without_refresh.load("a") == stored
        kept = store.snapshots("a")
        assert [s.size_bytes for s in kept] == [len(data) for data in (*records, *reversed(records))][-21:-1]
        for snapshot in kept:
            earlier = store.load_snapshot("a", snapshot.version)
            assert earlier is not None
            assert len(earlier.data) == snapshot.size_bytes
        assert store.restore("a", kept[0].version).data == records[3]


def test_dropped_snapshots_leave_no_fields_behind(redis_server: Server) -> None:
    with RedisStateStore(f"{redis_server.url}?prefix={secrets.token_hex(4)}&snapshots=2") as store:
        stored = None
        for size in (70_000, 70_000, 70_000, 5, 5, 5):
            stored = store.commit("a", bytes(size), expected=stored)
        with redis.Redis.from_url(redis_server.url) as raw:
            fields = {name for name in raw.hkeys(f"{store.namespace}:a") if b"snap:" in name or name == b"rest"}
        assert fields == {b"snap:4", b"snap:5"}


@pytest.mark.parametrize("size", [16_500, 33_000, 65_621, 82_000])
def test_an_agent_takes_little_more_of_the_servers_memory_than_its_record(redis_server: Server, size: int) -> None:
    agents = 100
    with (
        RedisStateStore(redis_server.url, prefix=secrets.token_hex(4)) as store,
        redis.Redis.from_url(redis_server.url) as raw,
    ):
        used = []
        for start in (0, agents):
            for number in range(start, start + agents):
                store.commit(f"user-{number}", bytes(size), expected=None)
            used.append(int(raw.info("memory")["used_memory"]))
        assert 0.9 * size < (used[1] - used[0]) / agents < 1.15 * size


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_listing_and_forgetting_take_no_more_of_the_clients_memory_for_more_agents(
    redis_server: Server, kind: str
) -> None:
    prefix = secrets.token_hex(4)
    with RedisStateStore(redis_server.url, prefix=prefix) as store, redis.Redis.from_url(redis_server.url) as raw:
        store.commit("user-0", b"1", expected=None)
        copied, pipeline = raw.dump(f"{prefix}:user-0"), raw.pipeline(transaction=False)
        for number in range(1, AGENTS):
            pipeline.restore(f"{prefix}:user-{number}{LONG}", 0, copied)
        pipeline.execute()
    del pipeline
    work = _list_and_forget if kind == "sync" else lambda *at: asyncio.run(_list_and_forget_async(*at))
    tracemalloc.start()
    try:
        listed, forgotten = work(redis_server.url, prefix)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert listed >= AGENTS
    assert forgotten > 100
    assert peak < AGENTS * len(LONG) / 2  # of bytes: less than half of the ids at once


AGENTS, LONG = 8_000, "x" * 1_000


def _list_and_forget(url: str, prefix: str) -> tuple[int, int]:
    with RedisStateStore(url, prefix=prefix) as store:
        listed = sum(1 for _ in store.list_agents())
        return listed, sum(store.delete(agent_id) for agent_id in store.list_agents("user-11"))


async def _list_and_forget_async(url: str, prefix: str) -> tuple[int, int]:
    async with AsyncRedisStateStore(url, prefix=prefix) as store:
        listed = sum([1 async for _ in store.list_agents()])
        return listed, sum([await store.delete(agent_id) async for agent_id in store.list_agents("user-11")])
