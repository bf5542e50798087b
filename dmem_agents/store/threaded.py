"""Any sync store for asyncio: each call runs in a thread, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice

from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord

_PAGE = 256  # agent ids listed per trip to a thread


class ThreadedStateStore(AsyncStateStore):
    """The async view of a sync store: the same records and leases.

    Args:
        store: does the work; `aclose` closes it.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return await asyncio.to_thread(self._store.load, agent_id)

    async def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`."""
        return await asyncio.to_thread(self._store.commit, agent_id, data, expected=expected)

    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return await asyncio.to_thread(self._store.delete, agent_id)

    async def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""
        agent_ids = await asyncio.to_thread(self._store.list_agents, prefix)
        while page := await asyncio.to_thread(lambda: list(islice(agent_ids, _PAGE))):
            for agent_id in page:
                yield agent_id

    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""
        return await asyncio.to_thread(self._store.acquire_lease, agent_id, owner, ttl_seconds=ttl_seconds)

    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        await asyncio.to_thread(self._store.release_lease, agent_id, owner)

    async def aclose(self) -> None:
        """See `StateStore.close`."""
        await asyncio.to_thread(self._store.close)
