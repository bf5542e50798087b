"""The store contract as code: records in a dict, gone with the process. For tests and short-lived agents."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dmem_agents.agents import check_agent_id
from dmem_agents.store.base import (
    MARKS_KEPT,
    StateStore,
    StoredRecord,
    check_data,
    check_lease,
    closed,
    following,
    lease_lost,
    mark_of,
    refused,
)
from dmem_agents.store.retention import AS_IT_IS, Retention, Snapshot


@dataclass(kw_only=True)
class _Agent:
    """What is kept of one agent."""

    record: StoredRecord
    committed_at: float
    retention: Retention
    expires_at: float | None
    marks: tuple[bytes, ...]
    """Of the last commits, newest last."""
    snapshots: tuple[Snapshot, ...] = ()
    earlier: dict[int, StoredRecord] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Lease:
    owner: str
    ends_at: float
    fence: int


class InMemoryStateStore(StateStore):
    """Keeps records in this process. Each instance has its own.

    Args:
        retention: how long agents and snapshots are kept.
        clock: seconds since 1970.
    """

    def __init__(self, retention: Retention | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._retention = retention or AS_IT_IS
        self._clock = clock
        self._agents: dict[str, _Agent] = {}
        self._leases: dict[str, _Lease] = {}
        self._last_fence = 0
        self._mutex = threading.Lock()
        self._closed = False

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        self._check(agent_id)
        with self._mutex:
            agent = self._living(agent_id)
            if agent is not None and self._retention.refresh_on_read:
                agent.expires_at = agent.retention.expiry(self._clock())
            return agent.record if agent else None

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
        self._check(agent_id)
        check_data(agent_id, data)
        mark = mark_of(token)
        with self._mutex:
            now, agent = self._clock(), self._living(agent_id)
            if agent and mark in agent.marks:
                later = len(agent.marks) - 1 - agent.marks.index(mark)
                done = agent.record
                return StoredRecord(data=data, version=done.version - later, incarnation=done.incarnation)
            stored = agent.record if agent else None
            if _identity(stored) != _identity(expected):
                raise refused(agent_id, expected, stored.version if stored else None, repeated=token is not None)
            lease = self._held(agent_id)
            if fence is not None and (lease is None or lease.fence != fence):
                raise lease_lost(agent_id)
            self._agents[agent_id] = new = self._successor(agent, following(data, expected), mark, now)
            return new.record

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        self._check(agent_id)
        with self._mutex:
            existed = self._living(agent_id) is not None
            self._agents.pop(agent_id, None)
            self._leases.pop(agent_id, None)
            return existed

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`."""
        if self._closed:
            raise closed("The in-memory store")
        with self._mutex:
            agent_ids = [agent_id for agent_id in list(self._agents) if self._living(agent_id)]
        return (agent_id for agent_id in agent_ids if agent_id.startswith(prefix))

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        self._check(agent_id)
        check_lease(owner, ttl_seconds)
        with self._mutex:
            self._living(agent_id)  # an agent that has expired is not brought back by a lease
            held = self._held(agent_id)
            if held and held.owner != owner:
                return None
            if not held:
                self._last_fence += 1
            fence = held.fence if held else self._last_fence
            self._leases[agent_id] = _Lease(owner=owner, ends_at=self._clock() + ttl_seconds, fence=fence)
            return fence

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        self._check(agent_id)
        with self._mutex:
            self._living(agent_id)
            held = self._held(agent_id)
            if held and held.owner == owner:
                del self._leases[agent_id]

    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        self._check(agent_id)
        with self._mutex:
            agent = self._living(agent_id)
            return agent.snapshots if agent else ()

    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        self._check(agent_id)
        with self._mutex:
            agent = self._living(agent_id)
            return agent.earlier.get(version) if agent else None

    def close(self) -> None:
        """See `StateStore.close`. The records are gone."""
        with self._mutex:
            self._closed = True
            self._agents.clear()
            self._leases.clear()

    def _successor(self, agent: _Agent | None, record: StoredRecord, mark: bytes, now: float) -> _Agent:
        retention = self._retention.over(agent.retention if agent else AS_IT_IS)
        snapshots: tuple[Snapshot, ...] = ()
        earlier: dict[int, StoredRecord] = {}
        if agent:
            before = agent.record
            last = Snapshot(version=before.version, committed_at=agent.committed_at, size_bytes=len(before.data))
            snapshots = retention.kept((*agent.snapshots, last), now)
            known = {**agent.earlier, before.version: before}
            earlier = {snapshot.version: known[snapshot.version] for snapshot in snapshots}
        return _Agent(
            record=record,
            committed_at=now,
            retention=retention,
            expires_at=retention.expiry(now),
            marks=(*(agent.marks if agent else ()), mark)[-MARKS_KEPT:],
            snapshots=snapshots,
            earlier=earlier,
        )

    def _living(self, agent_id: str) -> _Agent | None:
        """The agent, unless its time is over and nobody holds its lease: then it is gone for good."""
        agent, now = self._agents.get(agent_id), self._clock()
        if agent and agent.expires_at is not None:
            lease = self._leases.get(agent_id)
            if max(agent.expires_at, lease.ends_at if lease else 0) <= now:
                self._agents.pop(agent_id)
                return None
        return agent

    def _held(self, agent_id: str) -> _Lease | None:
        lease = self._leases.get(agent_id)
        return lease if lease and lease.ends_at > self._clock() else None

    def _check(self, agent_id: str) -> None:
        check_agent_id(agent_id)
        if self._closed:
            raise closed("The in-memory store")


def _identity(record: StoredRecord | None) -> tuple[int, str] | None:
    return None if record is None else (record.version, record.incarnation)
