"""The suite that every store has to pass, ours and yours, sync and async.

Inherit, say how to open the store, and let pytest collect the class; nothing here imports pytest::

    class TestMyStore(StoreConformance):
        @pytest.fixture(autouse=True)
        def _folder(self, tmp_path):
            self.path = tmp_path / "store"

        def store_factory(self):
            return functools.partial(MyStore, self.path)

`SharedStoreConformance` (in `shared_store_conformance`) adds what holds for stores that outlive a process: it
opens several of them on the same data, in several processes, and kills some. `RetentionConformance` (in
`retention_conformance`) is for stores that keep snapshots and let agents expire.
"""
# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import math
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import (
    AgentIdError,
    CommitUnknownError,
    ConfigError,
    StateConflictError,
    StateCorruptError,
    StateDeletedError,
    StateError,
    StoreError,
)
from dmem_agents.store.base import MARKS_KEPT
from dmem_agents.store.portable import export_agent, import_agent
from dmem_agents.testing.lease_conformance import LeaseConformance
from dmem_agents.testing.store_under_test import ODD_AGENT_IDS, refused
from dmem_agents.testing.store_writers import increment


class StoreConformance(LeaseConformance):
    """What every store has to do. `store_factory` is the one method to write."""

    def test_an_agent_that_was_never_written_has_no_record(self) -> None:
        with self.open_store() as store:
            assert store.load("a") is None
            assert list(store.list_agents()) == []

    def test_a_first_commit_stores_the_bytes_as_version_1(self) -> None:
        with self.open_store() as store:
            committed = store.commit("a", b"one", expected=None)
            assert (committed.data, committed.version) == (b"one", 1)
            assert store.load("a") == committed

    def test_each_commit_counts_one_version_and_replaces_the_bytes(self) -> None:
        with self.open_store() as store:
            record = store.commit("a", b"1", expected=None)
            for version in range(2, 12):
                before = record
                record = store.commit("a", str(version).encode(), expected=before)
                assert (record.version, record.incarnation) == (version, before.incarnation)
            assert store.load("a") == record

    def test_any_bytes_come_back_as_they_were(self) -> None:
        with self.open_store() as store:
            contents = (b"", b"\0", bytes(range(256)), b"\r\n$5\r\n", random.Random(1).randbytes(1_000_000))
            for number, data in enumerate(contents):
                store.commit(f"agent {number}", data, expected=None)
            for number, data in enumerate(contents):
                record = store.load(f"agent {number}")
                assert record is not None
                assert record.data == data

    def test_a_commit_that_expects_no_record_is_refused_when_there_is_one(self) -> None:
        with self.open_store() as store:
            first = store.commit("a", b"first", expected=None)
            with refused(StateConflictError, "'a'", "version 1", "Nothing was written"):
                store.commit("a", b"second", expected=None)
            assert store.load("a") == first

    def test_stale_writer_is_refused_and_loses_nothing(self) -> None:
        with self.open_store() as store:
            stale = store.commit("a", b"1", expected=None)
            newer = store.commit("a", b"2", expected=stale)
            with refused(StateConflictError, "'a'", "version 1", "version 2"):
                store.commit("a", b"of the stale writer", expected=stale)
            assert store.load("a") == newer
            assert store.commit("a", b"3", expected=newer).version == 3

    def test_a_writer_whose_record_was_deleted_is_refused_and_does_not_bring_it_back(self) -> None:
        with self.open_store() as store:
            record = store.commit("a", b"1", expected=None)
            store.delete("a")
            with refused(StateDeletedError, "'a'", "none"):
                store.commit("a", b"2", expected=record)
            assert store.load("a") is None
            assert list(store.list_agents()) == []

    def test_a_record_deleted_and_created_again_never_matches_a_stale_writer(self) -> None:
        with self.open_store() as store:
            old = store.commit("a", b"same", expected=None)
            store.delete("a")
            new = store.commit("a", b"same", expected=None)
            assert new.version == old.version
            with refused(StateDeletedError, "'a'", "created again"):
                store.commit("a", b"of the stale writer", expected=old)
            assert store.load("a") == new

    def test_a_record_of_another_agent_is_no_ticket_to_write(self) -> None:
        with self.open_store() as store:
            ticket = store.commit("a", b"a", expected=None)
            other = store.commit("b", b"b", expected=None)
            with refused(StateConflictError, "'b'"):
                store.commit("b", b"x", expected=ticket)
            assert store.load("b") == other

    def test_deleting_says_whether_there_was_a_record(self) -> None:
        with self.open_store() as store:
            assert store.delete("a") is False
            store.commit("a", b"1", expected=None)
            store.commit("b", b"1", expected=None)
            assert store.delete("a") is True
            assert store.delete("a") is False
            assert store.load("a") is None
            assert list(store.list_agents()) == ["b"]

    def test_odd_agent_ids_never_share_a_record_or_a_lease(self) -> None:
        with self.open_store() as store:
            for agent_id in ODD_AGENT_IDS:
                assert store.load(agent_id) is None
                assert store.acquire_lease(agent_id, f"owner of {agent_id!r}", ttl_seconds=60)
                store.commit(agent_id, agent_id.encode(), expected=None)
            assert sorted(set(store.list_agents())) == sorted(ODD_AGENT_IDS)
            for agent_id in ODD_AGENT_IDS:
                record = store.load(agent_id)
                assert record is not None
                assert record.data == agent_id.encode()
                assert store.delete(agent_id)
                assert store.load(agent_id) is None
            assert list(store.list_agents()) == []

    def test_a_prefix_is_taken_literally(self) -> None:
        with self.open_store() as store:
            for agent_id in ODD_AGENT_IDS:
                store.commit(agent_id, b"", expected=None)
            for prefix in (*ODD_AGENT_IDS, "", "al", "a*", "[", "\\", "^", "x" * 4000, "nobody", "\udc80"):
                expected = sorted(agent_id for agent_id in ODD_AGENT_IDS if agent_id.startswith(prefix))
                assert sorted(set(store.list_agents(prefix))) == expected

    def test_many_agents_are_listed_completely_while_others_come_and_go(self) -> None:
        with self.open_store() as store:
            staying = {f"agent {number}" for number in range(300)}
            for agent_id in sorted(staying):
                store.commit(agent_id, b"", expected=None)
                store.commit(f"{agent_id} going", b"", expected=None)
            listed = set()
            for number, agent_id in enumerate(store.list_agents("agent ")):
                listed.add(agent_id)
                if agent_id.endswith("going"):
                    store.delete(agent_id)
                if number % 50 == 0:
                    store.commit(f"agent {number} coming", b"", expected=None)
                    store.commit(f"late {number}", b"", expected=None)
            assert staying <= listed
            assert not any(agent_id.startswith("late") for agent_id in listed)

    def test_what_no_store_can_keep_is_refused_and_changes_nothing(self) -> None:
        with self.open_store() as store:
            record = store.commit("a", b"1", expected=None)
            with refused(StateCorruptError, "'a'", str(MAX_SEALED_BYTES)):
                store.commit("a", bytes(MAX_SEALED_BYTES + 1), expected=record)
            with refused(StateCorruptError, "'a'", "bytes"):
                store.commit("a", "text", expected=record)  # type: ignore[arg-type]
            for ttl_seconds in (0, -1, math.nan, math.inf):
                with refused(ConfigError, "seconds"):
                    store.acquire_lease("a", "me", ttl_seconds=ttl_seconds)
            with refused(ConfigError, "token"):
                store.commit("a", b"2", expected=record, token="")
            with refused(ConfigError, "owner"):
                store.acquire_lease("a", "", ttl_seconds=1)
            assert store.load("a") == record
            assert store.acquire_lease("a", "you", ttl_seconds=1) is not None

    def test_an_unusable_agent_id_is_refused_by_every_operation(self) -> None:
        with self.open_store() as store:
            operations: tuple[Callable[[str], object], ...] = (
                store.load,
                store.delete,
                lambda agent_id: store.commit(agent_id, b"", expected=None),
                lambda agent_id: store.acquire_lease(agent_id, "me", ttl_seconds=1),
                lambda agent_id: store.release_lease(agent_id, "me"),
                store.snapshots,
                lambda agent_id: store.load_snapshot(agent_id, 1),
                lambda agent_id: store.restore(agent_id, 1),
                lambda agent_id: store.fork(agent_id, "b"),
            )
            for agent_id in ("", "x" * 4097, "\udc80"):
                for operation in operations:
                    with refused(AgentIdError):
                        operation(agent_id)

    def test_a_closed_store_refuses_work_and_may_be_closed_again(self) -> None:
        store = self.open_store()
        store.commit("a", b"1", expected=None)
        store.close()
        with refused(StoreError, "closed"):
            store.load("a")
        with refused(StoreError, "closed"):
            list(store.list_agents())
        store.close()

    def test_threads_that_repeat_refused_commits_lose_no_update(self) -> None:
        with self.open_store() as store:
            with ThreadPoolExecutor(4) as pool:
                for done in [pool.submit(increment, store, "a", 15) for _ in range(4)]:
                    done.result()
            record = store.load("a")
            assert record is not None
            assert (int(record.data), record.version) == (60, 60)

    def test_an_exported_agent_is_imported_under_another_id(self) -> None:
        with self.open_store() as store:
            store.commit("a", b"record", expected=None)
            assert import_agent(store, export_agent(store, "a"), agent_id="b") == "b"
            copy = store.load("b")
            assert copy is not None
            assert (copy.data, copy.version) == (b"record", 1)

    def test_a_commit_that_is_repeated_with_its_token_is_recognised_and_not_applied_again(self) -> None:
        with self.open_store() as store:
            first = store.commit("a", b"1", expected=None, token="of the first")
            assert store.commit("a", b"1", expected=None, token="of the first") == first
            second = store.commit("a", b"2", expected=first, token="of the second")
            for _ in range(2):
                assert store.commit("a", b"2", expected=first, token="of the second") == second
            assert store.load("a") == second

    def test_a_repeated_commit_is_recognised_after_others_have_gone_on(self) -> None:
        with self.open_store() as store:
            mine = store.commit("a", b"mine", expected=None, token="mine")
            record = mine
            for number in range(MARKS_KEPT - 1):
                record = store.commit("a", str(number).encode(), expected=record)
            assert store.commit("a", b"mine", expected=None, token="mine") == mine
            assert store.load("a") == record

    def test_a_commit_repeated_too_late_to_be_recognised_is_told_apart_from_a_conflict(self) -> None:
        with self.open_store() as store:
            mine = store.commit("a", b"mine", expected=None, token="mine")
            record = mine
            for number in range(MARKS_KEPT):
                record = store.commit("a", str(number).encode(), expected=record)
            with refused(CommitUnknownError, "'a'", "can't be told"):
                store.commit("a", b"mine", expected=None, token="mine")
            with refused(StateConflictError):
                store.commit("a", b"mine", expected=mine)
            assert store.load("a") == record

    def test_the_same_bytes_under_another_token_are_another_commit(self) -> None:
        with self.open_store() as store:
            first = store.commit("a", b"1", expected=None, token="of one writer")
            with refused(StateConflictError):
                store.commit("a", b"1", expected=None, token="of another writer")
            with refused(StateConflictError):
                store.commit("a", b"1", expected=None)
            assert store.load("a") == first
            store.delete("a")
            assert store.commit("a", b"1", expected=None, token="of another writer").version == 1

    def test_a_fork_is_an_agent_of_its_own(self) -> None:
        with self.open_store() as store:
            first = store.commit("a", b"1", expected=None)
            source = store.commit("a", b"2", expected=first)
            forked = store.fork("a", "b")
            assert (forked.data, forked.version) == (b"2", 1)
            assert store.load("b") == forked
            store.commit("b", b"changed", expected=forked)
            assert store.load("a") == source
            with refused(StateConflictError, "'b'"):
                store.fork("a", "b")
            with refused(AgentIdError, "'nobody'"):
                store.fork("nobody", "c")

    def test_restoring_what_is_not_kept_says_what_is_and_changes_nothing(self) -> None:
        with self.open_store() as store:
            with refused(AgentIdError, "'a'"):
                store.restore("a", 1)
            record = store.commit("a", b"1", expected=None)
            with refused(StateError, "'a'", "Version 7", "current is 1"):
                store.restore("a", 7)
            assert store.load("a") == record
            assert store.load_snapshot("a", 1) is None

    def test_nothing_of_the_stores_own_is_a_stray(self) -> None:
        with self.open_store() as store:
            for agent_id in ODD_AGENT_IDS:
                store.commit(agent_id, b"1", expected=None)
            store.acquire_lease("a lease alone", "me", ttl_seconds=60)
            assert list(store.strays()) == []
