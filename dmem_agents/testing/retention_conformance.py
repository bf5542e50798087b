"""What a store has to do that keeps snapshots and lets agents expire, sync and async.

Inherit and say how to open the store with given settings; see `store_conformance` for the rest.
"""
# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import math
import time
from collections.abc import Callable

from dmem_agents.errors import StateConflictError, StateError
from dmem_agents.store.base import StateStore, StoredRecord
from dmem_agents.store.retention import Retention
from dmem_agents.testing.store_under_test import refused
from dmem_agents.testing.store_writers import StoreFactory, open_blocking

_SHORT = 0.25
"""Seconds that an agent lives in these tests."""


class RetentionConformance:
    """Snapshots and expiry. `retaining_factory` is the one method to write."""

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        """A callable that opens the store under test with these settings, empty at the start of each test.

        The stores that it opens during one test share their data when the store can be shared at all.
        """
        raise NotImplementedError

    def open_retaining(self, **settings: object) -> StateStore:
        """The store under test; an async one runs on an event loop in a thread of its own."""
        return open_blocking(self.retaining_factory(Retention(**settings)))  # type: ignore[arg-type]  # by name

    def test_no_snapshots_are_kept_unless_asked_for(self) -> None:
        with self.open_retaining() as store:
            _commit_versions(store, 3)
            assert store.snapshots("a") == ()
            assert store.snapshots("nobody") == ()

    def test_the_last_versions_are_kept_and_no_more(self) -> None:
        with self.open_retaining(snapshots=3) as store:
            started = time.time()
            _commit_versions(store, 6)
            kept = store.snapshots("a")
            assert [s.version for s in kept] == [3, 4, 5]
            assert all(s.size_bytes >= 1 for s in kept)
            assert all(started - 1 <= s.committed_at <= time.time() + 1 for s in kept)
            for version in (3, 4, 5):
                snapshot = store.load_snapshot("a", version)
                assert snapshot is not None
                assert (snapshot.data, snapshot.version) == (str(version).encode(), version)
            for version in (0, -1, 1, 2, 6, 7):
                assert store.load_snapshot("a", version) is None

    def test_snapshots_that_are_too_old_go_with_the_next_commit(self) -> None:
        with self.open_retaining(snapshots=10, snapshot_seconds=0.5) as store:  # two commits fit, on a busy machine too
            _commit_versions(store, 2)
            time.sleep(0.7)
            _commit_versions(store, 1)
            assert [s.version for s in store.snapshots("a")] == []
            _commit_versions(store, 1)
            assert [s.version for s in store.snapshots("a")] == [3]

    def test_a_restored_version_is_a_new_commit_and_what_it_replaced_is_kept(self) -> None:
        with self.open_retaining(snapshots=5) as store:
            before = _commit_versions(store, 3)
            restored = store.restore("a", 1)
            assert (restored.data, restored.version, restored.incarnation) == (b"1", 4, before.incarnation)
            assert store.load("a") == restored
            assert [s.version for s in store.snapshots("a")] == [1, 2, 3]
            with refused(StateConflictError):
                store.commit("a", b"of a stale writer", expected=before)
            assert store.restore("a", 3).data == b"3"

    def test_restoring_the_current_version_is_refused_by_name(self) -> None:
        with self.open_retaining(snapshots=5) as store:
            _commit_versions(store, 3)
            with refused(StateError, "Version 3", "1, 2", "current is 3"):
                store.restore("a", 3)

    def test_a_forgotten_agent_takes_its_snapshots_with_it(self) -> None:
        with self.open_retaining(snapshots=5) as store:
            _commit_versions(store, 3)
            store.delete("a")
            assert store.snapshots("a") == ()
            _commit_versions(store, 1)
            assert store.snapshots("a") == ()
            assert store.load_snapshot("a", 2) is None

    def test_a_refused_commit_keeps_no_snapshot(self) -> None:
        with self.open_retaining(snapshots=5) as store:
            first = store.commit("a", b"1", expected=None)
            store.commit("a", b"2", expected=first, token="t")
            store.commit("a", b"2", expected=first, token="t")
            with refused(StateConflictError):
                store.commit("a", b"3", expected=first)
            assert [s.version for s in store.snapshots("a")] == [1]

    def test_snapshots_of_different_agents_are_kept_apart(self) -> None:
        with self.open_retaining(snapshots=2) as store:
            for agent_id in ("a", "a:b", "snap:1"):
                first = store.commit(agent_id, agent_id.encode(), expected=None)
                store.commit(agent_id, b"", expected=first)
            for agent_id in ("a", "a:b", "snap:1"):
                snapshot = store.load_snapshot(agent_id, 1)
                assert snapshot is not None
                assert snapshot.data == agent_id.encode()

    def test_an_agent_without_a_time_limit_stays(self) -> None:
        with self.open_retaining(ttl_seconds=math.inf) as store:
            record = store.commit("a", b"1", expected=None)
            time.sleep(_SHORT)
            assert store.load("a") == record

    def test_an_agent_that_nobody_commits_to_is_forgotten_with_its_snapshots(self) -> None:
        with self.open_retaining(ttl_seconds=_SHORT, snapshots=5) as store:
            record = _commit_versions(store, 2)
            time.sleep(_SHORT + 0.1)
            assert store.load("a") is None
            assert list(store.list_agents()) == []
            assert store.snapshots("a") == ()
            assert store.load_snapshot("a", 1) is None
            with refused(StateConflictError):
                store.commit("a", b"3", expected=record)
            assert store.delete("a") is False
            assert store.commit("a", b"anew", expected=None).version == 1
            assert store.snapshots("a") == ()

    def test_each_commit_starts_the_time_anew_and_a_load_does_not(self) -> None:
        with self.open_retaining(ttl_seconds=2 * _SHORT) as store:
            records: dict[str, StoredRecord] = {}

            def commit(agent_id: str) -> bool:
                try:
                    records[agent_id] = store.commit(agent_id, b"", expected=records.get(agent_id))
                except StateConflictError:
                    return False
                return True

            agent_id = _kept_alive_by(commit)
            time.sleep(_SHORT)
            store.load(agent_id)
            time.sleep(_SHORT + 0.1)
            assert store.load(agent_id) is None

    def test_a_load_starts_the_time_anew_when_asked_to(self) -> None:
        with self.open_retaining(ttl_seconds=2 * _SHORT, refresh_on_read=True) as store:
            records: dict[str, StoredRecord] = {}

            def load(agent_id: str) -> bool:
                if agent_id not in records:
                    records[agent_id] = store.commit(agent_id, b"", expected=None)
                return store.load(agent_id) == records[agent_id]

            _kept_alive_by(load)

    def test_a_leased_agent_does_not_expire(self) -> None:
        with self.open_retaining(ttl_seconds=_SHORT, refresh_on_read=True) as store:
            store.acquire_lease("a", "me", ttl_seconds=12 * _SHORT)
            record = store.commit("a", b"", expected=None)
            other = store.commit("b", b"", expected=None)
            fence = store.acquire_lease("b", "me", ttl_seconds=12 * _SHORT)
            store.load("a")
            time.sleep(2 * _SHORT)
            assert store.load("a") == record
            assert store.commit("b", b"", expected=other, fence=fence).version == 2


def _kept_alive_by(touch: Callable[[str], bool]) -> str:
    """Checks that touching an agent every `_SHORT` keeps it beyond 2 × `_SHORT`; again when the machine was too slow.

    Args:
        touch: makes the agent, later touches it, and says whether it was still there.

    Returns:
        The agent.
    """
    for attempt in range(10):
        agent_id, touched = f"agent {attempt}", time.monotonic()
        touch(agent_id)
        for _ in range(3):
            time.sleep(_SHORT)
            now = time.monotonic()
            if not touch(agent_id):
                assert time.monotonic() - touched >= 2 * _SHORT, "it was forgotten too early"
                break
            touched = now
        else:
            return agent_id
    raise AssertionError(f"Ten times in a row, a call took more than {_SHORT} seconds: the machine is too slow.")


def _commit_versions(store: StateStore, count: int) -> StoredRecord:
    """That many more commits to agent `a`, each with its version as text; returns the last record."""
    record = store.load("a")
    for _ in range(count):
        version = record.version + 1 if record else 1
        record = store.commit("a", str(version).encode(), expected=record)
    if record is None:
        raise ValueError("Expected at least one version to commit.")
    return record
