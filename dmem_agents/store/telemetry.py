"""Spans and counters of a store's work through OpenTelemetry (extra `telemetry`); nothing without it.

| instrument | kind, unit | attributes |
|---|---|---|
| span `dmem.store.<operation>` | load, commit, delete, acquire_lease, load_snapshot | agent, version, bytes, outcome |
| `dmem.store.operations` | counter | operation, outcome (`ok`, `conflict`, `refused`, or the error's name) |
| `dmem.store.bytes` | counter, By | operation |
| `dmem.store.lease.wait` | histogram, s | – |

Agents appear as the first 16 hex digits of a hash of their id, unless ids are allowed. No record is ever shown.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Generator
from typing import Any, Final, TypeVar, overload

from dmem_agents.errors import ConfigError, StateConflictError
from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.procedures import Procedure, Step
from dmem_agents.store.wrapped import AsyncWrappedStateStore, StorePlans, WrappedStateStore

T = TypeVar("T")
_MOST_WAITING: Final = 10_000


@overload
def observed(store: StateStore, *, show_agent_ids: bool = False) -> StateStore: ...
@overload
def observed(store: AsyncStateStore, *, show_agent_ids: bool = False) -> AsyncStateStore: ...
def observed(store: StateStore | AsyncStateStore, *, show_agent_ids: bool = False) -> StateStore | AsyncStateStore:
    """The store with spans and counters around its work, through the process's OpenTelemetry providers.

    Args:
        store: does the work.
        show_agent_ids: put agent ids themselves into spans rather than their hashes.

    Raises:
        ConfigError: `opentelemetry-api` is not installed.
    """
    plans = _ObservingPlans(show_agent_ids)
    return WrappedStateStore(store, plans) if isinstance(store, StateStore) else AsyncWrappedStateStore(store, plans)


class _ObservingPlans(StorePlans):
    def __init__(self, show_agent_ids: bool) -> None:
        try:
            from opentelemetry import metrics, trace
        except ModuleNotFoundError as error:
            raise ConfigError(
                "Telemetry needs opentelemetry-api, which is not installed: pip install 'dmem-agents[telemetry]'."
            ) from error
        self._show_agent_ids = show_agent_ids
        self._tracer = trace.get_tracer("dmem_agents")
        meter = metrics.get_meter("dmem_agents")
        self._operations = meter.create_counter("dmem.store.operations")
        self._bytes = meter.create_counter("dmem.store.bytes", unit="By")
        self._lease_wait = meter.create_histogram("dmem.store.lease.wait", unit="s")
        self._waiting: OrderedDict[tuple[str, str], float] = OrderedDict()  # since when, by agent and owner

    def load(self, agent_id: str) -> Procedure[StoredRecord | None]:
        return (yield from self._observed("load", agent_id, super().load(agent_id)))

    def commit(
        self, agent_id: str, data: bytes, expected: StoredRecord | None, token: str | None, fence: int | None
    ) -> Procedure[StoredRecord]:
        work = super().commit(agent_id, data, expected, token, fence)
        return (yield from self._observed("commit", agent_id, work))

    def delete(self, agent_id: str) -> Procedure[bool]:
        return (yield from self._observed("delete", agent_id, super().delete(agent_id)))

    def load_snapshot(self, agent_id: str, version: int) -> Procedure[StoredRecord | None]:
        return (yield from self._observed("load_snapshot", agent_id, super().load_snapshot(agent_id, version)))

    def acquire_lease(self, agent_id: str, owner: str, ttl_seconds: float) -> Procedure[int | None]:
        work = super().acquire_lease(agent_id, owner, ttl_seconds)
        since = self._waiting.pop((agent_id, owner), time.monotonic())
        fence = yield from self._observed("acquire_lease", agent_id, work)
        if fence is None:
            self._waiting[agent_id, owner] = since
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
        else:
            self._lease_wait.record(time.monotonic() - since)
        return fence

    def release_lease(self, agent_id: str, owner: str) -> Procedure[None]:
        self._waiting.pop((agent_id, owner), None)
        yield from super().release_lease(agent_id, owner)

    def _observed(self, operation: str, agent_id: str, work: Procedure[T]) -> Generator[Step, Any, T]:
        span = self._tracer.start_span(f"dmem.store.{operation}", attributes={"dmem.agent": self._shown(agent_id)})
        outcome = "ok"
        try:
            result = yield from work
            if operation == "acquire_lease" and result is None:
                outcome = "refused"
            if isinstance(result, StoredRecord):
                span.set_attributes({"dmem.version": result.version, "dmem.bytes": len(result.data)})
                self._bytes.add(len(result.data), {"operation": operation})
            return result
        except BaseException as error:
            outcome = "conflict" if isinstance(error, StateConflictError) else type(error).__name__
            raise
        finally:
            span.set_attribute("dmem.outcome", outcome)
            span.end()
            self._operations.add(1, {"operation": operation, "outcome": outcome})

    def _shown(self, agent_id: str) -> str:
        if self._show_agent_ids:
            return agent_id
        return hashlib.sha256(str(agent_id).encode("utf-8", "surrogatepass")).hexdigest()[:16]
