"""What docs/benchmarks.md says is what was measured."""

from __future__ import annotations

import json

from benchmarks.registry import Row
from benchmarks.report import PAGE, RESULTS, table


def test_the_page_holds_the_table_of_the_results() -> None:
    speed, soak = (json.loads((RESULTS / name).read_text()) for name in ("speed.json", "soak.json"))
    assert table(speed, soak) in PAGE.read_text()


def test_the_verdicts_in_the_results_follow_from_values_and_targets() -> None:
    speed = json.loads((RESULTS / "speed.json").read_text())
    for case in speed.values():
        for found in case["rows"]:
            assert Row(**{name: value for name, value in found.items() if name != "holds"}).holds == found["holds"]
