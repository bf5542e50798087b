"""Large records, which a transaction sets outside of Lua: what the script refuses must leave no trace of them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
import redis
import redis.asyncio

from dmem_agents.errors import LeaseLostError, StateConflictError, StateCorruptError, StoreError
from dmem_agents.store import StateStore, StoredRecord
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.testing.blocking_store import BlockingStore
from dmem_agents.testing.cutting_proxy import CuttingProxy
from tests.store.redis.suites import AsyncRedisSuite, RedisSuite

LARGE = b"large" * 20_000
STALE = StoredRecord(data=b"", version=3, incarnation="0123456789abcdef", revision="0123456789abcdef")


class Server(Protocol):
    url: str
    port: int


class _BesideLua:
    """With a bound that the suite's small records reach, too."""

    @pytest.fixture(autouse=True)
    def _beside_lua(self, redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dmem_agents.store.redis.ops._BESIDE_LUA_FROM", 0)
        self.url = f"{redis_server.url}?prefix={secrets.token_hex(4)}"


class TestEveryRecordBesideLua(_BesideLua, RedisSuite):
    pass


class TestEveryRecordBesideLuaAsync(_BesideLua, AsyncRedisSuite):
    pass


@pytest.fixture(params=["sync", "async"])
def store(request: pytest.FixtureRequest, redis_server: Server, raw: redis.Redis) -> StateStore:
    kind = request.param
    opened = RedisStateStore(redis_server.url) if kind == "sync" else AsyncRedisStateStore(redis_server.url)
    with opened if kind == "sync" else BlockingStore(opened) as usable:
        yield usable


def test_a_large_record_goes_beside_lua(store: StateStore, raw: redis.Redis) -> None:
    first = store.commit("a", LARGE, expected=None)
    raw.config_resetstat()
    store.commit("a", LARGE, expected=first)
    used = raw.info("commandstats")
    assert {"cmdstat_multi", "cmdstat_eval", "cmdstat_hsetnx", "cmdstat_exec"} <= set(used)
    assert "cmdstat_evalsha" not in used


def test_a_commit_to_an_agent_that_is_gone_leaves_no_trace(store: StateStore, raw: redis.Redis) -> None:
    with pytest.raises(StateConflictError):
        store.commit("a", LARGE, expected=STALE)
    assert set(raw.hvals("dmem:a")) <= {b""}
    assert store.load("a") is None
    assert list(store.list_agents()) == []
    assert list(store.strays()) == []
    assert store.delete("a") is False
    with pytest.raises(StateConflictError):
        store.commit("b", LARGE, expected=STALE)
    time.sleep(0.2)
    assert raw.keys("*") == []


def test_an_agent_can_be_created_right_after_a_refused_commit_and_stays(store: StateStore, raw: redis.Redis) -> None:
    with pytest.raises(StateConflictError):
        store.commit("a", LARGE, expected=STALE)
    record = store.commit("a", b"new", expected=None)
    time.sleep(0.2)
    assert store.load("a") == record
    assert raw.ttl("dmem:a") == -1


def test_a_commit_that_only_a_lease_meets_leaves_the_lease_alone(store: StateStore, raw: redis.Redis) -> None:
    store.acquire_lease("a", "me", ttl_seconds=60)
    for fence in (None, 1):
        with pytest.raises(StateConflictError):
            store.commit("a", LARGE, expected=STALE, fence=fence)
    assert store.load("a") is None
    assert store.acquire_lease("a", "you", ttl_seconds=60) is None
    store.release_lease("a", "me")
    assert raw.keys("*") == []


def test_a_refused_large_record_changes_nothing(store: StateStore, raw: redis.Redis) -> None:
    first = store.commit("a", LARGE, expected=None)
    second = store.commit("a", LARGE + b"2", expected=first)
    fence = store.acquire_lease("a", "me", ttl_seconds=60)
    before = raw.hgetall("dmem:a"), raw.ttl("dmem:a")
    with pytest.raises(StateConflictError):
        store.commit("a", LARGE + b"3", expected=first)
    with pytest.raises(LeaseLostError):
        store.commit("a", LARGE + b"3", expected=second, fence=(fence or 0) + 1)
    assert (raw.hgetall("dmem:a"), raw.ttl("dmem:a")) == before
    assert store.load("a") == second


def test_a_repeated_large_record_is_recognised(store: StateStore) -> None:
    first = store.commit("a", LARGE, expected=None)
    second = store.commit("a", LARGE + b"2", expected=first, token="turn 2")
    assert store.commit("a", LARGE + b"2", expected=first, token="turn 2") == second
    third = store.commit("a", b"3", expected=second)
    assert store.commit("a", LARGE + b"2", expected=first, token="turn 2").version == 2
    assert store.load("a") == third


def test_small_and_large_records_take_turns_and_keep_snapshots(redis_server: Server) -> None:
    url = f"{redis_server.url}?prefix={secrets.token_hex(4)}&snapshots=10&ttl_seconds=60"
    sizes = (10, 32_767, 32_768, 40_000, 65_621, 9, 100_000, 100_000)
    with RedisStateStore(url) as store:
        stored = None
        for number, size in enumerate(sizes):
            stored = store.commit("a", bytes([number]) * size, expected=stored)
            assert store.load("a") == stored
        assert [snapshot.size_bytes for snapshot in store.snapshots("a")] == list(sizes[:-1])
        for number, size in enumerate(sizes[:-1]):
            earlier = store.load_snapshot("a", number + 1)
            assert earlier is not None
            assert earlier.data == bytes([number]) * size


@pytest.mark.parametrize("write", ["string", "fields"])
def test_a_key_that_is_not_ours_is_left_alone(store: StateStore, raw: redis.Redis, write: str) -> None:
    if write == "string":
        raw.set("dmem:a", "not ours")
    else:
        raw.hset("dmem:a", mapping={"version": "one", "incarnation": "x", "record": "not ours"})
    held = raw.get if write == "string" else raw.hgetall
    before = held("dmem:a")
    with pytest.raises((StateCorruptError, StateConflictError), match="agent 'a'"):
        store.commit("a", LARGE, expected=STALE)
    assert (held("dmem:a"), raw.ttl("dmem:a")) == (before, -1)


@pytest.mark.parametrize(
    ("trouble", "text"), [("replica", r"read-only replica.*primary"), ("memory", r"out of memory.*maxmemory")]
)
def test_a_server_that_takes_no_writes_is_reported_and_the_old_record_stays(
    store: StateStore, raw: redis.Redis, trouble: str, text: str
) -> None:
    record = store.commit("a", LARGE, expected=None)
    if trouble == "replica":
        raw.replicaof("127.0.0.1", "1")
    else:
        raw.config_set("maxmemory", 1)
    with pytest.raises(StoreError, match=text):
        store.commit("a", LARGE + b"2", expected=record)
    assert store.load("a") == record


@pytest.fixture
def limited(redis_server: Server, raw: redis.Redis) -> Iterator[Callable[[str], RedisStateStore]]:
    """Opens the store as a user with all rights but some."""
    with ExitStack() as opened:

        def as_user(rights: str) -> RedisStateStore:
            raw.execute_command("ACL", "SETUSER", "some", "on", ">pw", "~*", "+@all", *rights.split())
            return opened.enter_context(RedisStateStore(f"redis://some:pw@127.0.0.1:{redis_server.port}/0"))

        yield as_user
        raw.execute_command("ACL", "DELUSER", "some")


@pytest.mark.parametrize("rights", ["-multi", "-exec", "-hsetnx", "-eval"])
def test_a_user_who_may_not_use_transactions_commits_without(
    store: StateStore, limited: Callable[[str], RedisStateStore], rights: str
) -> None:
    first = store.commit("a", LARGE, expected=None)
    store.commit("a", b"small: the script is known", expected=first)
    stored = store.load("a")
    for number in range(3):
        stored = limited(rights).commit("a", LARGE + bytes([number]), expected=stored)
        assert store.load("a") == stored


@pytest.mark.parametrize("rights", ["-hdel", "-hset", "-eval -evalsha", "-time"])
def test_a_missing_right_is_reported_without_the_record_and_the_old_one_stays(
    store: StateStore, raw: redis.Redis, limited: Callable[[str], RedisStateStore], rights: str
) -> None:
    record = store.commit("a", LARGE, expected=None)
    before = raw.hgetall("dmem:a")
    with pytest.raises(StoreError, match="may not do this") as caught:
        limited(rights).commit("a", LARGE + b"2", expected=record)
    assert "large" not in str(caught.value)
    assert raw.hgetall("dmem:a") == before


def test_a_client_with_a_single_connection_serves_a_store(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    with redis.Redis.from_url(redis_server.url, protocol=2, single_connection_client=True) as client:
        _commits_and_lists(RedisStateStore.from_client(client, prefix=prefix))


def _commits_and_lists(store: StateStore) -> None:
    with store:
        first = store.commit("a", LARGE, expected=None)
        second = store.commit("a", LARGE + b"2", expected=first)
        assert store.load("a") == second
        assert list(store.list_agents()) == ["a"]


async def test_an_async_client_with_a_single_connection_serves_a_store(redis_server: Server) -> None:
    prefix = secrets.token_hex(4)
    async with redis.asyncio.Redis.from_url(redis_server.url, protocol=2, single_connection_client=True) as client:
        async with AsyncRedisStateStore.from_client(client, prefix=prefix) as store:
            first = await store.commit("a", LARGE, expected=None)
            second = await store.commit("a", LARGE + b"2", expected=first)
            assert await store.load("a") == second


def test_a_reader_never_sees_an_agent_without_its_record(redis_server: Server) -> None:
    url = f"{redis_server.url}?prefix={secrets.token_hex(4)}"
    over, seen = threading.Event(), []

    def read() -> None:
        with RedisStateStore(url) as store:
            while not over.is_set():
                seen.append(store.load("a"))

    with RedisStateStore(url) as store:
        record = store.commit("a", LARGE, expected=None)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            while record.version < 200 or (len(seen) < 50 and record.version < 20_000):
                record = store.commit("a", LARGE + str(record.version).encode(), expected=record)
        finally:
            over.set()
            reader.join()
    assert len(seen) >= 50
    versions = [found.version for found in seen]
    assert versions == sorted(versions)
    for found in seen:
        assert found.data == LARGE + (b"" if found.version == 1 else str(found.version - 1).encode())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_large_commit_whose_answer_was_lost_is_neither_lost_nor_applied_twice(
    redis_server: Server, kind: str
) -> None:
    prefix = secrets.token_hex(4)
    with RedisStateStore(f"{redis_server.url}?prefix={prefix}") as direct:
        record = direct.commit("a", b"1", expected=None)
    with CuttingProxy(redis_server.port, longest_bytes=1_000_000, seed=3) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0?prefix={prefix}&retries=30"
        opened = RedisStateStore(url) if kind == "sync" else BlockingStore(AsyncRedisStateStore(url))
        with opened as store:
            for number in range(2, 60):
                record = store.commit("a", LARGE + str(number).encode(), expected=record)
                assert record.version == number
            assert store.load("a") == record
        assert proxy.cuts > 3


def test_what_stops_a_caller_between_two_replies_leaves_none_for_the_next(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisStateStore(redis_server.url, prefix=secrets.token_hex(4)) as store:
        first = store.commit("a", LARGE, expected=None)
        read, calls = redis.Connection.read_response, []

        def stopped(self: redis.Connection, *args: object, **options: object) -> object:
            calls.append(self)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return read(self, *args, **options)

        monkeypatch.setattr(redis.Connection, "read_response", stopped)
        with pytest.raises(KeyboardInterrupt):
            store.commit("a", LARGE + b"2", expected=first)
        stored = store.load("a")
        assert stored is not None
        assert stored.data in (LARGE, LARGE + b"2")
