from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dmem_agents.errors import StateConflictError
from dmem_agents.store import InMemoryStateStore, ThreadedStateStore
from dmem_agents.store.telemetry import observed
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory

ROOT = Path(__file__).parents[2]


class TestObservedStore(StoreConformance):
    def store_factory(self) -> StoreFactory:
        return lambda: observed(InMemoryStateStore())


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    yield spans, reader
    meters.shutdown()
    tracers.shutdown()


def points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: [
            (dict(p.attributes), getattr(p, "value", getattr(p, "count", 0))) for p in metric.data.data_points
        ]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_each_operation_is_a_span_and_counts_and_agents_are_hashed(telemetry: Any) -> None:
    spans, reader = telemetry
    with observed(InMemoryStateStore()) as store:
        store.commit("alice", b"secret", expected=None)
        store.load("alice")
        with pytest.raises(StateConflictError):
            store.commit("alice", b"secret", expected=None)
        store.acquire_lease("alice", "me", ttl_seconds=60)
        store.acquire_lease("alice", "you", ttl_seconds=60)
    named = [(span.name, span.attributes["dmem.outcome"]) for span in spans.get_finished_spans()]
    assert named == [
        ("dmem.store.commit", "ok"),
        ("dmem.store.load", "ok"),
        ("dmem.store.commit", "conflict"),
        ("dmem.store.acquire_lease", "ok"),
        ("dmem.store.acquire_lease", "refused"),
    ]
    text = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "alice" not in text
    assert "secret" not in text
    found = points(reader)
    assert ({"operation": "commit", "outcome": "conflict"}, 1) in found["dmem.store.operations"]
    assert ({"operation": "commit"}, 6) in found["dmem.store.bytes"]
    assert found["dmem.store.lease.wait"] == [({}, 1)]


async def test_ids_are_shown_when_allowed_and_the_async_twin_is_observed_too(telemetry: Any) -> None:
    spans, _ = telemetry
    async with observed(ThreadedStateStore(InMemoryStateStore()), show_agent_ids=True) as store:
        await store.commit("alice", b"1", expected=None)
    assert spans.get_finished_spans()[0].attributes["dmem.agent"] == "alice"


def test_without_opentelemetry_everything_else_works() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from dmem_agents.errors import ConfigError\n"
        "from dmem_agents.store import InMemoryStateStore\n"
        "from dmem_agents.store.telemetry import observed\n"
        "try: observed(InMemoryStateStore())\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'dmem-agents[telemetry]'" in done.stdout
