"""Where agents' records are kept, as bytes under versions and leases. Never imports torch."""

from __future__ import annotations

from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.in_memory import InMemoryStateStore
from dmem_agents.store.opening import default_store_url, open_async_store, open_store
from dmem_agents.store.portable import export_agent, import_agent
from dmem_agents.store.retention import Retention, Snapshot
from dmem_agents.store.sqlite import SQLiteStateStore
from dmem_agents.store.threaded import ThreadedStateStore

__all__ = [
    "AsyncStateStore",
    "StateStore",
    "StoredRecord",
    "Retention",
    "Snapshot",
    "default_store_url",
    "open_async_store",
    "open_store",
    "export_agent",
    "import_agent",
    "InMemoryStateStore",
    "SQLiteStateStore",
    "ThreadedStateStore",
]
