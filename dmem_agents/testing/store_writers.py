"""Writers that the conformance suite starts in threads and in processes: what a child imports and runs."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeAlias

from dmem_agents.errors import StateConflictError
from dmem_agents.store.base import AsyncStateStore, StateStore
from dmem_agents.testing.blocking_store import BlockingStore

StoreFactory: TypeAlias = Callable[[], StateStore] | Callable[[], AsyncStateStore]
"""Opens the store under test."""


def open_blocking(factory: StoreFactory) -> StateStore:
    """The factory's store; an async one runs on an event loop in a thread of its own."""
    store = factory()
    return BlockingStore(store) if isinstance(store, AsyncStateStore) else store


def increment(store: StateStore, agent_id: str, times: int) -> None:
    """Adds 1 to the number in the agent's record, `times` times, again whenever somebody was faster."""
    while times:
        record = store.load(agent_id)
        number = int(record.data) if record is not None else 0
        try:
            store.commit(agent_id, str(number + 1).encode(), expected=record)
        except StateConflictError:
            continue
        times -= 1


def increment_in_child(factory: StoreFactory, agent_id: str, times: int) -> None:
    """`increment` in a process of its own."""
    with open_blocking(factory) as store:
        increment(store, agent_id, times)


def overwrite_in_child(factory: StoreFactory, agent_id: str, sender: Connection) -> None:
    """Commits version after version until it is killed, and sends each number once it is acknowledged."""
    with open_blocking(factory) as store:
        while True:
            record = store.load(agent_id)
            version = record.version + 1 if record is not None else 1
            sender.send(store.commit(agent_id, content_of(version), expected=record).version)


def content_of(version: int) -> bytes:
    """64 KB that show whether all of them belong to one version."""
    return version.to_bytes(8, "big") * 8000
