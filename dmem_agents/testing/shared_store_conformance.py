"""What a store has to do when several processes use it and records outlive them: see `store_conformance`."""
# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from dmem_agents.errors import StateConflictError
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_under_test import refused
from dmem_agents.testing.store_writers import content_of, increment_in_child, overwrite_in_child


class SharedStoreConformance(StoreConformance):
    """What a store has to do, too, when several processes use it and records outlive them."""

    def test_a_record_is_there_when_the_store_is_opened_again(self) -> None:
        with self.open_store() as store:
            record = store.commit("a", b"1", expected=None)
        with self.open_store() as store:
            assert store.load("a") == record

    def test_two_stores_on_the_same_data_see_each_other(self) -> None:
        with self.open_store() as one, self.open_store() as two:
            first = one.commit("a", b"1", expected=None)
            assert two.load("a") == first
            second = two.commit("a", b"2", expected=first)
            with refused(StateConflictError):
                one.commit("a", b"x", expected=first)
            assert one.load("a") == second
            assert one.acquire_lease("a", "me", ttl_seconds=60) is not None
            assert two.acquire_lease("a", "you", ttl_seconds=60) is None

    def test_two_processes_on_one_agent_lose_no_update(self) -> None:
        context = _clean_processes()
        arguments = (self.store_factory(), "a", 40)
        children = [context.Process(target=increment_in_child, args=arguments) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0, 0]
        with self.open_store() as store:
            record = store.load("a")
            assert record is not None
            assert (int(record.data), record.version) == (80, 80)

    def test_a_writer_killed_at_any_point_leaves_the_old_record_or_the_new_one(self) -> None:
        context = _clean_processes()
        for round_number in range(3):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=overwrite_in_child, args=(self.store_factory(), "a", sender))
            child.start()
            sender.close()
            acknowledged = receiver.recv()
            time.sleep(random.Random(round_number).uniform(0.01, 0.1))
            child.kill()
            child.join()
            acknowledged = max([acknowledged, *_rest(receiver)])
            with self.open_store() as store:
                record = store.load("a")
                assert record is not None
                assert record.version in (acknowledged, acknowledged + 1)
                assert record.data == content_of(record.version)
                next_version = record.version + 1
                assert store.commit("a", content_of(next_version), expected=record).version == next_version


def _clean_processes() -> Any:
    """Processes that share nothing with this one; copies of one that has imported the stores, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    stores = [name for name in sys.modules if name.startswith("dmem_agents.store")]
    context.set_forkserver_preload(["dmem_agents.testing.store_writers", *stores])
    return context


def _rest(receiver: Connection) -> Iterator[int]:
    """What a killed child had sent; its last message may be cut off."""
    try:
        while True:
            yield receiver.recv()
    except (EOFError, OSError):
        return
