from __future__ import annotations

import secrets
import time
from typing import Protocol

import pytest
import redis

from dmem_agents.errors import StateCorruptError, StoreConnectionError, StoreError
from dmem_agents.store.redis import RedisStateStore
from dmem_agents.testing.shared_store_conformance import SharedStoreConformance
from tests.store.redis.suites import RedisSuite


class Server(Protocol):
    url: str
    port: int

    def kill(self) -> None: ...
    def start(self) -> None: ...


class TestRedisStateStore(RedisSuite, SharedStoreConformance):
    @pytest.fixture(autouse=True)
    def _prefix(self, redis_server: Server) -> None:
        self.url = f"{redis_server.url}?prefix={secrets.token_hex(4)}"


@pytest.fixture
def store(redis_server: Server, raw: redis.Redis) -> RedisStateStore:
    with RedisStateStore(redis_server.url) as opened:
        yield opened


def test_an_agent_is_one_hash_under_one_key(store: RedisStateStore, raw: redis.Redis) -> None:
    store.acquire_lease("a:b", "me", ttl_seconds=60)
    record = store.commit("a:b", b"\0data", expected=None)
    assert raw.keys("*") == [b"dmem:a:b"]
    fields = raw.hgetall("dmem:a:b")
    assert fields[b"record"] == b"\0data"
    assert fields[b"version"] == b"1"
    assert fields[b"incarnation"] == record.incarnation.encode()
    assert store.delete("a:b")
    assert raw.keys("*") == []


@pytest.mark.parametrize("prefix", ["other", "o*", "[o]", "{o}", "ü/?"])
def test_stores_of_different_prefixes_share_nothing(
    redis_server: Server, store: RedisStateStore, raw: redis.Redis, prefix: str
) -> None:
    with RedisStateStore(redis_server.url, prefix=prefix) as other:
        other.commit("a", b"other", expected=None)
        store.commit(f"{prefix}:a", b"own", expected=None)
        store.commit("other", b"own", expected=None)
        assert store.load("a") is None
        assert list(other.list_agents()) == ["a"]
        assert sorted(store.list_agents()) == sorted(["other", f"{prefix}:a"])
        assert sorted(raw.keys("*"))[0].startswith(b"dmem:") or prefix < "dmem"


def test_the_argument_goes_before_the_urls_prefix(redis_server: Server, raw: redis.Redis) -> None:
    with RedisStateStore(f"{redis_server.url}?prefix=url&socket_timeout=5", prefix="argument") as store:
        store.commit("a", b"1", expected=None)
    with RedisStateStore(f"{redis_server.url}?prefix=url&socket_timeout=5") as store:
        store.commit("a", b"1", expected=None)
    assert sorted(raw.keys("*")) == [b"argument:a", b"url:a"]


def test_a_lease_without_a_record_leaves_nothing_behind(store: RedisStateStore, raw: redis.Redis) -> None:
    store.acquire_lease("a", "me", ttl_seconds=0.05)
    store.acquire_lease("b", "me", ttl_seconds=60)
    store.release_lease("b", "me")
    time.sleep(0.1)
    assert raw.keys("*") == []


def test_a_committed_record_never_expires(store: RedisStateStore, raw: redis.Redis) -> None:
    store.acquire_lease("a", "me", ttl_seconds=60)
    assert 0 < raw.ttl("dmem:a") <= 60
    store.commit("a", b"1", expected=None)
    store.acquire_lease("a", "me", ttl_seconds=60)
    assert raw.ttl("dmem:a") == -1


def test_scripts_the_server_forgot_are_sent_again(store: RedisStateStore, raw: redis.Redis) -> None:
    record = store.commit("a", b"1", expected=None)
    raw.script_flush()
    assert store.commit("a", b"2", expected=record).version == 2


@pytest.mark.parametrize("write", ["string", "list", "fields"])
def test_a_key_that_is_not_ours_is_refused_and_left_alone(store: RedisStateStore, raw: redis.Redis, write: str) -> None:
    if write == "string":
        raw.set("dmem:a", "not ours")
    elif write == "list":
        raw.rpush("dmem:a", "not ours")
    else:
        raw.hset("dmem:a", mapping={"version": "one", "incarnation": "x", "record": "not ours"})
    before = raw.dump("dmem:a")
    with pytest.raises(StateCorruptError, match="agent 'a'"):
        store.load("a")
    with pytest.raises((StateCorruptError, StoreError), match="agent 'a'"):
        store.commit("a", b"1", expected=None)
    assert raw.dump("dmem:a") == before


def test_keys_that_are_not_ours_are_not_listed(store: RedisStateStore, raw: redis.Redis) -> None:
    store.commit("a", b"1", expected=None)
    raw.set("dmem:string", "x")
    raw.hset("dmem:hash", "field", "x")
    raw.hset(b"dmem:\xff\xfe", "version", "1")
    raw.hset("dmem:", "version", "1")
    raw.hset("dmemory:a", "version", "1")
    assert list(store.list_agents()) == ["a"]


@pytest.mark.parametrize("field", ["version", "incarnation", "record"])
def test_a_record_that_lost_a_field_is_refused(store: RedisStateStore, raw: redis.Redis, field: str) -> None:
    store.commit("a", b"1", expected=None)
    raw.hdel("dmem:a", field)
    with pytest.raises(StateCorruptError, match="agent 'a'"):
        store.load("a")


def test_a_dead_server_is_named_without_the_password(redis_server: Server) -> None:
    redis_server.kill()
    with (
        RedisStateStore(f"redis://user:s3cret@127.0.0.1:{redis_server.port}/0") as store,
        pytest.raises(StoreConnectionError, match=f"127.0.0.1:{redis_server.port}.*Start it") as caught,
    ):
        store.load("a")
    assert "s3cret" not in str(caught.value)


def test_a_store_works_again_when_its_server_is_back(redis_server: Server) -> None:
    with RedisStateStore(redis_server.url) as store:
        store.commit("restart", b"1", expected=None)
        redis_server.kill()
        redis_server.start()
        assert store.load("restart") is None  # this server keeps nothing on disk
        assert store.commit("restart", b"1", expected=None).version == 1
        redis_server.kill()
        with pytest.raises(StoreConnectionError):
            store.load("restart")
        redis_server.start()
        assert store.commit("restart", b"1", expected=None).version == 1


def test_a_wrong_password_is_reported_without_it(redis_server: Server, raw: redis.Redis) -> None:
    url = f"redis://nobody:s3cret@127.0.0.1:{redis_server.port}/0"
    with (
        RedisStateStore(url) as store,
        pytest.raises(StoreConnectionError, match="refused the cred") as caught,
    ):
        store.load("a")
    assert "s3cret" not in str(caught.value)


def test_a_user_without_rights_is_told_which_are_needed(redis_server: Server, raw: redis.Redis) -> None:
    raw.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+hmget")
    try:
        with RedisStateStore(f"redis://reader:pw@127.0.0.1:{redis_server.port}/0") as store:
            assert store.load("a") is None
            with pytest.raises(StoreError, match=r"may not do this.*`dmem:\*`"):
                store.commit("a", b"1", expected=None)
    finally:
        raw.execute_command("ACL", "DELUSER", "reader")


def test_a_read_only_replica_is_reported_and_nothing_is_written(store: RedisStateStore, raw: redis.Redis) -> None:
    record = store.commit("a", b"1", expected=None)
    raw.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreError, match=r"read-only replica.*primary"):
        store.commit("a", b"2", expected=record)
    assert store.load("a") == record


def test_a_server_out_of_memory_is_reported_and_the_old_record_stays(store: RedisStateStore, raw: redis.Redis) -> None:
    record = store.commit("a", b"1", expected=None)
    raw.config_set("maxmemory", 1)
    with pytest.raises(StoreError, match=r"out of memory.*maxmemory"):
        store.commit("a", b"2", expected=record)
    assert store.load("a") == record
