from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Protocol

import redis

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import StateCorruptError, StateMismatchError
from dmem_agents.store import InMemoryStateStore, SQLiteStateStore, StateStore
from dmem_agents.store.protection import KeyRing, Signing, protected
from dmem_agents.store.redis import RedisStateStore
from dmem_agents.store.upkeep import examine, migrate


class Server(Protocol):
    url: str


def filled(store: StateStore, count: int) -> StateStore:
    for number in range(count):
        store.commit(f"agent {number}", str(number).encode(), expected=None)
    return store


def contents(store: StateStore) -> dict[str, bytes]:
    return {name: store.load(name).data for name in store.list_agents()}  # type: ignore[union-attr]


def test_agents_move_between_sqlite_and_redis_and_back(redis_server: Server, tmp_path: Path) -> None:
    with (
        SQLiteStateStore(tmp_path / "from.db") as source,
        RedisStateStore(redis_server.url, prefix="migrated") as middle,
        SQLiteStateStore(tmp_path / "to.db") as target,
    ):
        filled(source, 20)
        assert {moved.outcome for moved in migrate(source, middle)} == {"copied"}
        assert {moved.outcome for moved in migrate(middle, target, prefix="agent 1")} == {"copied"}
        assert {moved.outcome for moved in migrate(middle, target)} == {"copied", "there already"}
        assert contents(source) == contents(middle) == contents(target)


def test_an_interrupted_migration_goes_on_where_it_was() -> None:
    with InMemoryStateStore() as source, InMemoryStateStore() as target:
        filled(source, 10)
        assert [moved.outcome for moved in islice(migrate(source, target), 4)] == ["copied"] * 4
        assert [moved.outcome for moved in migrate(source, target)] == ["there already"] * 4 + ["copied"] * 6
        assert all(target.load(name).version == 1 for name in target.list_agents())  # type: ignore[union-attr]


def test_what_differs_in_the_target_is_left_unless_it_is_to_be_replaced() -> None:
    with InMemoryStateStore() as source, InMemoryStateStore() as target:
        filled(source, 1)
        target.commit("agent 0", b"its own", expected=None)
        assert [moved.outcome for moved in migrate(source, target)] == ["differs"]
        assert contents(target) == {"agent 0": b"its own"}
        assert [moved.outcome for moved in migrate(source, target, replace=True)] == ["copied"]
        assert contents(target) == contents(source)


def test_what_can_not_be_read_is_named_and_the_rest_moves() -> None:
    with InMemoryStateStore() as inside, InMemoryStateStore() as target:
        inside.commit("plain", b"1", expected=None)
        source = protected(inside, Signing(KeyRing({"k": bytes(32)})))
        source.commit("signed", b"2", expected=None)
        moved = {m.agent_id: m for m in migrate(source, target)}
        assert (moved["plain"].outcome, moved["signed"].outcome) == ("unreadable", "copied")
        assert "not protected" in moved["plain"].text
        assert contents(target) == {"signed": b"2"}


def test_what_can_not_be_read_in_the_target_is_named_and_the_rest_moves() -> None:
    with InMemoryStateStore() as source, InMemoryStateStore() as inside:
        filled(source, 3)
        inside.commit("agent 1", b"plain", expected=None)
        target = protected(inside, Signing(KeyRing({"k": bytes(32)})))
        moved = {m.agent_id: m for m in migrate(source, target, replace=True)}
        assert [moved[f"agent {n}"].outcome for n in range(3)] == ["copied", "unreadable", "copied"]
        assert moved["agent 1"].text.startswith("in the target: Record of agent 'agent 1', version 1, is not protected")
        assert inside.load("agent 1").data == b"plain"  # type: ignore[union-attr]


def test_what_the_target_has_no_room_for_is_named_and_the_rest_moves() -> None:
    with InMemoryStateStore() as source, InMemoryStateStore() as inside:
        source.commit("large", bytes(MAX_SEALED_BYTES), expected=None)
        filled(source, 1)
        target = protected(inside, Signing(KeyRing({"k": bytes(32)})))
        moved = {m.agent_id: m.outcome for m in migrate(source, target)}
        assert moved == {"large": "unreadable", "agent 0": "copied"}


def test_an_examination_names_every_kind_of_problem_and_changes_nothing(redis_server: Server) -> None:
    def check(agent_id: str, data: bytes) -> None:
        if data == b"damaged":
            raise StateCorruptError(agent_id)
        if data == b"other model":
            raise StateMismatchError(agent_id)

    with (
        RedisStateStore(redis_server.url, prefix="examined") as store,
        redis.Redis.from_url(redis_server.url) as raw,
    ):
        filled(store, 2)
        store.commit("damaged", b"damaged", expected=None)
        store.commit("other", b"other model", expected=None)
        store.acquire_lease("leased", "me", ttl_seconds=60)
        raw.set("examined:text", "x")
        raw.hset("examined:hash", "field", "x")
        raw.hset("examined:half", mapping={"version": "1", "incarnation": "i"})
        raw.hset(b"examined:\xff", "version", "1")
        before = {key: raw.dump(key) for key in raw.keys("examined:*")}
        found = sorted((finding.problem, finding.subject) for finding in examine(store, check))
        assert {key: raw.dump(key) for key in raw.keys("examined:*")} == before
    assert [problem for problem, _ in found] == ["corrupt", "corrupt", *["foreign"] * 3, "wrong model"]
    assert [subject for problem, subject in found if problem == "corrupt"] == ["damaged", "half"]
