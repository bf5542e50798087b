from __future__ import annotations

import functools

from dmem_agents.store import InMemoryStateStore, Retention
from dmem_agents.testing.retention_conformance import RetentionConformance
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory


class TestInMemoryStateStore(StoreConformance, RetentionConformance):
    def store_factory(self) -> StoreFactory:
        return InMemoryStateStore

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return functools.partial(InMemoryStateStore, retention)


def test_two_stores_in_memory_share_nothing() -> None:
    with InMemoryStateStore() as one, InMemoryStateStore() as two:
        one.commit("a", b"1", expected=None)
        assert two.load("a") is None
