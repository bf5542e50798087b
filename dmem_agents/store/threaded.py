"""Any sync store for asyncio: each call runs in a thread, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.retention import Snapshot

_PAGE = 256  # agent ids listed per trip to a thread


class ThreadedStateStore(AsyncStateStore):
    """The async view of a sync store: the same records and leases.

    Args:
        store: does the work; `aclose` closes it.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.namespace = store.namespace

    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return await asyncio.to_thread(self._store.load, agent_id)

    async def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`."""
        return await asyncio.to_thread(self._store.commit, agent_id, data, expected=expected, token=token, fence=fence)

    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return await asyncio.to_thread(self._store.delete, agent_id)

    async def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""
        async for agent_id in _in_pages(await asyncio.to_thread(self._store.list_agents, prefix)):
            yield agent_id

    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return await asyncio.to_thread(self._store.acquire_lease, agent_id, owner, ttl_seconds=ttl_seconds)

    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        await asyncio.to_thread(self._store.release_lease, agent_id, owner)

    async def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return await asyncio.to_thread(self._store.snapshots, agent_id)

    async def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return await asyncio.to_thread(self._store.load_snapshot, agent_id, version)

    async def strays(self) -> AsyncIterator[str]:
        """See `StateStore.strays`."""
        async for stray in _in_pages(await asyncio.to_thread(self._store.strays)):
            yield stray

    async def aclose(self) -> None:
        """See `StateStore.close`."""
        await asyncio.to_thread(self._store.close)


async def _in_pages(texts: Iterator[str]) -> AsyncIterator[str]:
    while page := await asyncio.to_thread(lambda: list(islice(texts, _PAGE))):
        for text in page:
            yield text
