"""A small version of `benchmarks/store_chaos.py`, whose figures are in docs/store.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.store_chaos import run, scene


@pytest.mark.parametrize("name", ["kill, appendfsync always", "cut connections"])
def test_writers_under_trouble_lose_no_acknowledged_commit_and_apply_none_twice(name: str, tmp_path: Path) -> None:
    with scene(name, tmp_path) as (url, trouble):
        found = run(url, trouble, writers=6, turns=25)
    assert found["acknowledged"] == 150
    clean = ("lost_acknowledged", "applied_twice", "torn_or_mixed", "agents_with_version_gaps")
    assert {key: found[key] for key in (*clean, "acknowledged_at_another_version", "gave_up")} == dict.fromkeys(
        (*clean, "acknowledged_at_another_version", "gave_up"), 0
    )
