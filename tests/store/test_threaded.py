from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import pytest

from dmem_agents.errors import StateConflictError
from dmem_agents.store import InMemoryStateStore, Retention, SQLiteStateStore, ThreadedStateStore, open_async_store
from dmem_agents.testing.retention_conformance import RetentionConformance
from dmem_agents.testing.shared_store_conformance import SharedStoreConformance
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory


class TestThreadedInMemoryStore(StoreConformance, RetentionConformance):
    def store_factory(self) -> StoreFactory:
        return lambda: ThreadedStateStore(InMemoryStateStore())

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return lambda: ThreadedStateStore(InMemoryStateStore(retention))


class TestThreadedSQLiteStore(SharedStoreConformance, RetentionConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, folder_in_memory: Path) -> None:
        self.path = folder_in_memory / "agents.sqlite"
        self.url = f"sqlite:///{self.path}"

    def store_factory(self) -> StoreFactory:
        return functools.partial(open_async_store, self.url)

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return lambda: ThreadedStateStore(SQLiteStateStore(self.path, retention=retention))


async def test_tasks_that_repeat_refused_commits_lose_no_update() -> None:
    async def increment() -> None:
        for _ in range(10):
            while True:
                record = await store.load("a")
                number = int(record.data) if record is not None else 0
                try:
                    await store.commit("a", str(number + 1).encode(), expected=record)
                    break
                except StateConflictError:
                    continue

    async with ThreadedStateStore(InMemoryStateStore()) as store:
        await asyncio.gather(*[increment() for _ in range(5)])
        record = await store.load("a")
    assert record is not None
    assert record.data == b"50"


async def test_the_async_view_and_its_sync_store_are_one_store() -> None:
    with InMemoryStateStore() as sync_store:
        view = ThreadedStateStore(sync_store)
        record = await view.commit("a", b"1", expected=None)
        assert sync_store.load("a") == record
