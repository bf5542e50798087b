"""Stores around other stores, sync and async from one set of plans: what encryption and telemetry are built on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.procedures import Procedure, perform, perform_async
from dmem_agents.store.retention import Snapshot


class StorePlans:
    """What a wrapper does for each operation of the store that it wraps: here, nothing but pass it on."""

    def load(self, agent_id: str) -> Procedure[StoredRecord | None]:
        """See `StateStore.load`."""
        record: StoredRecord | None = yield lambda store: store.load(agent_id)
        return record

    def commit(
        self, agent_id: str, data: bytes, expected: StoredRecord | None, token: str | None, fence: int | None
    ) -> Procedure[StoredRecord]:
        """See `StateStore.commit`."""
        record: StoredRecord = yield lambda store: store.commit(
            agent_id, data, expected=expected, token=token, fence=fence
        )
        return record

    def delete(self, agent_id: str) -> Procedure[bool]:
        """See `StateStore.delete`."""
        existed: bool = yield lambda store: store.delete(agent_id)
        return existed

    def acquire_lease(self, agent_id: str, owner: str, ttl_seconds: float) -> Procedure[int | None]:
        """See `StateStore.acquire_lease`."""
        fence: int | None = yield lambda store: store.acquire_lease(agent_id, owner, ttl_seconds=ttl_seconds)
        return fence

    def release_lease(self, agent_id: str, owner: str) -> Procedure[None]:
        """See `StateStore.release_lease`."""
        yield lambda store: store.release_lease(agent_id, owner)

    def load_snapshot(self, agent_id: str, version: int) -> Procedure[StoredRecord | None]:
        """See `StateStore.load_snapshot`."""
        record: StoredRecord | None = yield lambda store: store.load_snapshot(agent_id, version)
        return record


class WrappedStateStore(StateStore):
    """A sync store with plans around it; closing it closes the store inside."""

    def __init__(self, store: StateStore, plans: StorePlans) -> None:
        self._store = store
        self._plans = plans
        self.namespace = store.namespace

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return perform(self._plans.load(agent_id), self._store)

    def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`."""
        return perform(self._plans.commit(agent_id, data, expected, token, fence), self._store)

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return perform(self._plans.delete(agent_id), self._store)

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`."""
        return self._store.list_agents(prefix)

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return perform(self._plans.acquire_lease(agent_id, owner, ttl_seconds), self._store)

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        perform(self._plans.release_lease(agent_id, owner), self._store)

    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return self._store.snapshots(agent_id)

    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return perform(self._plans.load_snapshot(agent_id, version), self._store)

    def strays(self) -> Iterator[str]:
        """See `StateStore.strays`."""
        return self._store.strays()

    def close(self) -> None:
        """See `StateStore.close`."""
        self._store.close()


class AsyncWrappedStateStore(AsyncStateStore):
    """`WrappedStateStore` for asyncio."""

    def __init__(self, store: AsyncStateStore, plans: StorePlans) -> None:
        self._store = store
        self._plans = plans
        self.namespace = store.namespace

    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return await perform_async(self._plans.load(agent_id), self._store)

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
        return await perform_async(self._plans.commit(agent_id, data, expected, token, fence), self._store)

    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return await perform_async(self._plans.delete(agent_id), self._store)

    def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""
        return self._store.list_agents(prefix)

    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return await perform_async(self._plans.acquire_lease(agent_id, owner, ttl_seconds), self._store)

    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        await perform_async(self._plans.release_lease(agent_id, owner), self._store)

    async def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return await self._store.snapshots(agent_id)

    async def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return await perform_async(self._plans.load_snapshot(agent_id, version), self._store)

    def strays(self) -> AsyncIterator[str]:
        """See `StateStore.strays`."""
        return self._store.strays()

    async def aclose(self) -> None:
        """See `StateStore.close`."""
        await self._store.aclose()
