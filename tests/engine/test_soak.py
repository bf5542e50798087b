"""A short version of `benchmarks/soak.py`, whose five minutes are in benchmarks/results/soak.json."""

from __future__ import annotations

from benchmarks.soak import run


def test_agents_of_all_kinds_over_few_slots_get_their_solo_results_and_leave_nothing() -> None:
    found = run(4, agents_count=42, outstanding=24)
    assert found["differing"] == []
    ends = {name.split(": ")[1] for name in found["outcomes"]}
    assert {"stop", "length", "error"} <= ends
    assert found["agents_served"] > 0
    left = found["left"]
    assert (left["running"], left["waiting"], left["kv_bytes"], left["threads"]) == (0, 0, 0, 0)
    assert found["largest"]["running"] <= 8
