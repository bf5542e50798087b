"""What the tables in docs/ say is what was measured."""

from __future__ import annotations

import json

from benchmarks.registry import Row
from benchmarks.report import PAGE, RESULTS, TRAINING, ablation_table, table


def test_the_page_holds_the_table_of_the_results() -> None:
    speed, soak = (json.loads((RESULTS / name).read_text()) for name in ("speed.json", "soak.json"))
    assert table(speed, soak) in PAGE.read_text()


def test_the_training_page_holds_the_ablation_of_the_results() -> None:
    assert ablation_table(json.loads((RESULTS / "ablation.json").read_text())) in TRAINING.read_text()


def test_the_verdicts_in_the_results_follow_from_values_and_targets() -> None:
    speed = json.loads((RESULTS / "speed.json").read_text())
    for case in speed.values():
        for found in case["rows"]:
            assert Row(**{name: value for name, value in found.items() if name != "holds"}).holds == found["holds"]
