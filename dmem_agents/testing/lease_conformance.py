"""What every store has to do about leases and their fencing tokens: a part of `store_conformance`."""
# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from dmem_agents.errors import LeaseLostError
from dmem_agents.testing.store_under_test import StoreUnderTest, refused


class LeaseConformance(StoreUnderTest):
    """Leases. `store_factory` is the one method to write."""

    def test_a_lease_keeps_others_out_until_it_is_given_back(self) -> None:
        with self.open_store() as store:
            assert store.acquire_lease("a", "me", ttl_seconds=60) is not None
            assert store.acquire_lease("a", "you", ttl_seconds=60) is None
            assert store.acquire_lease("b", "you", ttl_seconds=60) is not None
            store.release_lease("a", "me")
            assert store.acquire_lease("a", "you", ttl_seconds=60) is not None

    def test_a_lease_is_renewed_by_its_owner_and_counts_from_the_renewal(self) -> None:
        with self.open_store() as store:
            assert store.acquire_lease("a", "me", ttl_seconds=0.2) is not None
            assert store.acquire_lease("a", "me", ttl_seconds=60) is not None
            time.sleep(0.3)
            assert store.acquire_lease("a", "you", ttl_seconds=60) is None

    def test_a_lease_that_ran_out_is_free_and_its_late_owner_gives_nothing_back(self) -> None:
        with self.open_store() as store:
            store.commit("recorded", b"1", expected=None)
            for agent_id in ("recorded", "new"):
                assert store.acquire_lease(agent_id, "me", ttl_seconds=0.1) is not None
            time.sleep(0.2)
            for agent_id in ("recorded", "new"):
                assert store.acquire_lease(agent_id, "you", ttl_seconds=60) is not None
                store.release_lease(agent_id, "me")
                assert store.acquire_lease(agent_id, "me", ttl_seconds=60) is None

    def test_giving_back_a_lease_that_nobody_holds_does_nothing(self) -> None:
        with self.open_store() as store:
            store.release_lease("a", "me")
            record = store.commit("a", b"1", expected=None)
            store.release_lease("a", "me")
            assert store.load("a") == record

    def test_a_lease_makes_no_record_and_stops_no_commit(self) -> None:
        with self.open_store() as store:
            store.acquire_lease("a", "me", ttl_seconds=60)
            assert store.load("a") is None
            assert list(store.list_agents()) == []
            assert store.delete("a") is False
            store.acquire_lease("a", "me", ttl_seconds=60)
            assert store.commit("a", b"of somebody else", expected=None).version == 1

    def test_a_commit_keeps_the_lease_and_a_delete_ends_it(self) -> None:
        with self.open_store() as store:
            store.acquire_lease("a", "me", ttl_seconds=60)
            store.commit("a", b"1", expected=None)
            assert store.acquire_lease("a", "you", ttl_seconds=60) is None
            store.delete("a")
            assert store.acquire_lease("a", "you", ttl_seconds=60) is not None

    def test_a_record_outlives_every_lease(self) -> None:
        with self.open_store() as store:
            store.acquire_lease("a", "me", ttl_seconds=0.1)
            first = store.commit("a", b"1", expected=None)
            store.acquire_lease("a", "me", ttl_seconds=0.1)
            time.sleep(0.3)
            assert store.load("a") == first
            assert list(store.list_agents()) == ["a"]

    def test_one_of_many_threads_gets_the_lease(self) -> None:
        with self.open_store() as store:
            barrier = threading.Barrier(6)

            def try_it(number: int) -> bool:
                barrier.wait()
                return store.acquire_lease("a", f"owner {number}", ttl_seconds=60) is not None

            with ThreadPoolExecutor(6) as pool:
                assert sum(pool.map(try_it, range(6))) == 1

    def test_each_new_holder_gets_a_larger_fencing_token_and_a_renewal_keeps_it(self) -> None:
        with self.open_store() as store:
            for prepare in (lambda: None, lambda: store.commit("a", b"1", expected=None)):
                prepare()
                fences = []
                for owner in ("me", "you", "me"):
                    fence = store.acquire_lease("a", owner, ttl_seconds=60)
                    assert fence is not None
                    assert store.acquire_lease("a", owner, ttl_seconds=60) == fence
                    store.release_lease("a", owner)
                    fences.append(fence)
                assert fences == sorted(set(fences))

    def test_a_commit_under_a_lease_that_holds_is_stored(self) -> None:
        with self.open_store() as store:
            fence = store.acquire_lease("a", "me", ttl_seconds=60)
            first = store.commit("a", b"1", expected=None, fence=fence)
            assert store.acquire_lease("a", "me", ttl_seconds=60) == fence
            assert store.commit("a", b"2", expected=first, fence=fence).version == 2

    def test_an_expired_holders_commit_fails_whether_or_not_somebody_took_the_lease(self) -> None:
        with self.open_store() as store:
            record = store.commit("a", b"1", expected=None)
            fence = store.acquire_lease("a", "me", ttl_seconds=0.1)
            time.sleep(0.2)
            with refused(LeaseLostError, "'a'"):
                store.commit("a", b"late", expected=record, fence=fence)
            newer = store.acquire_lease("a", "you", ttl_seconds=60)
            with refused(LeaseLostError, "'a'"):
                store.commit("a", b"late", expected=record, fence=fence)
            assert store.load("a") == record
            assert store.commit("a", b"2", expected=record, fence=newer).version == 2

    def test_a_lease_that_was_given_back_fences_no_commit(self) -> None:
        with self.open_store() as store:
            fence = store.acquire_lease("a", "me", ttl_seconds=60)
            store.release_lease("a", "me")
            with refused(LeaseLostError, "'a'"):
                store.commit("a", b"1", expected=None, fence=fence)
            assert store.load("a") is None
