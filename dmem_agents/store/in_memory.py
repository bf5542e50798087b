"""The store contract as code: records in a dict, gone with the process. For tests and short-lived agents."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from dmem_agents.agents import check_agent_id
from dmem_agents.store.base import (
    StateStore,
    StoredRecord,
    check_data,
    check_lease,
    closed,
    conflict,
    following,
)


class InMemoryStateStore(StateStore):
    """Keeps records in this process. Each instance has its own."""

    def __init__(self) -> None:
        self._records: dict[str, StoredRecord] = {}
        self._leases: dict[str, tuple[str, float]] = {}  # owner, end in seconds of the monotonic clock
        self._mutex = threading.Lock()
        self._closed = False

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        self._check(agent_id)
        return self._records.get(agent_id)

    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`."""
        self._check(agent_id)
        check_data(agent_id, data)
        with self._mutex:
            stored = self._records.get(agent_id)
            if _identity(stored) != _identity(expected):
                raise conflict(agent_id, expected, stored.version if stored else None)
            self._records[agent_id] = following(data, expected)
            return self._records[agent_id]

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        self._check(agent_id)
        with self._mutex:
            self._leases.pop(agent_id, None)
            return self._records.pop(agent_id, None) is not None

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`."""
        if self._closed:
            raise closed("The in-memory store")
        with self._mutex:
            agent_ids = list(self._records)
        return (agent_id for agent_id in agent_ids if agent_id.startswith(prefix))

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""
        self._check(agent_id)
        check_lease(owner, ttl_seconds)
        with self._mutex:
            now = time.monotonic()
            holder, end = self._leases.get(agent_id, (owner, now))
            if holder != owner and end > now:
                return False
            self._leases[agent_id] = (owner, now + ttl_seconds)
            return True

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        self._check(agent_id)
        with self._mutex:
            if self._leases.get(agent_id, ("", 0.0))[0] == owner:
                del self._leases[agent_id]

    def close(self) -> None:
        """See `StateStore.close`. The records are gone."""
        with self._mutex:
            self._closed = True
            self._records.clear()
            self._leases.clear()

    def _check(self, agent_id: str) -> None:
        check_agent_id(agent_id)
        if self._closed:
            raise closed("The in-memory store")


def _identity(record: StoredRecord | None) -> tuple[int, str] | None:
    return None if record is None else (record.version, record.incarnation)
