"""An async store as a sync one, on an event loop in its own thread: one conformance suite serves both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.retention import Snapshot

T = TypeVar("T")


class BlockingStore(StateStore):
    """Carries each call to the loop and waits for it; calls of several threads run there at the same time.

    Args:
        store: does the work; closed by `close`.
    """

    def __init__(self, store: AsyncStateStore) -> None:
        self._store = store
        self.namespace = store.namespace
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return self._wait(self._store.load(agent_id))

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
        return self._wait(self._store.commit(agent_id, data, expected=expected, token=token, fence=fence))

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return self._wait(self._store.delete(agent_id))

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`. One id after the other, so that other calls come between."""
        texts = self._store.list_agents(prefix)
        while (text := self._wait(_following(texts))) is not None:
            yield text

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return self._wait(self._store.acquire_lease(agent_id, owner, ttl_seconds=ttl_seconds))

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        self._wait(self._store.release_lease(agent_id, owner))

    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return self._wait(self._store.snapshots(agent_id))

    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return self._wait(self._store.load_snapshot(agent_id, version))

    def restore(self, agent_id: str, version: int) -> StoredRecord:
        """See `StateStore.restore`."""
        return self._wait(self._store.restore(agent_id, version))

    def fork(self, source_id: str, target_id: str) -> StoredRecord:
        """See `StateStore.fork`."""
        return self._wait(self._store.fork(source_id, target_id))

    def strays(self) -> Iterator[str]:
        """See `StateStore.strays`."""
        return iter(self._wait(_collected(self._store.strays())))

    def close(self) -> None:
        """See `StateStore.close`."""
        self._wait(self._store.aclose())
        if not self._loop.is_closed():
            self._wait(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            return asyncio.run(call)  # the closed store speaks for itself
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


async def _following(texts: AsyncIterator[str]) -> str | None:
    return await anext(texts, None)


async def _collected(texts: AsyncIterator[str]) -> list[str]:
    return [text async for text in texts]
