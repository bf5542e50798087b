from __future__ import annotations

from dmem_agents.store import InMemoryStateStore
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory


class TestInMemoryStateStore(StoreConformance):
    def store_factory(self) -> StoreFactory:
        return InMemoryStateStore


def test_two_stores_in_memory_share_nothing() -> None:
    with InMemoryStateStore() as one, InMemoryStateStore() as two:
        one.commit("a", b"1", expected=None)
        assert two.load("a") is None
