"""Benchmark scores equal the reference's recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dmem_agents.evaluate import metrics

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "metrics.json").read_text("utf-8"))


@pytest.mark.parametrize("case", RECORDED["locomo_score"], ids=lambda c: f"{c['category']}-{c['prediction']}")
def test_locomo_scores_equal_the_recorded_ones(case: dict[str, Any]) -> None:
    score = metrics.locomo_score(case["prediction"], case["answer"], category=case["category"])
    assert score == pytest.approx(case["score"], abs=1e-12)


@pytest.mark.parametrize("case", RECORDED["locomo_canonical"], ids=lambda c: f"{c['category']}-{c['raw']}")
def test_locomo_predictions_are_read_as_recorded(case: dict[str, Any]) -> None:
    assert metrics.locomo_prediction(case["raw"], category=case["category"], options=case["options"]) == case["out"]


@pytest.mark.parametrize("case", RECORDED["hotpotqa"], ids=lambda c: f"{c['prediction']}-{c['gold']}")
def test_hotpotqa_scores_equal_the_recorded_ones(case: dict[str, Any]) -> None:
    assert metrics.exact_match(case["prediction"], case["gold"]) is case["em"]
    assert metrics.answer_f1(case["prediction"], case["gold"]) == pytest.approx(case["f1"], abs=1e-12)


@pytest.mark.parametrize("case", RECORDED["mab_correct"], ids=lambda c: f"{c['prediction']}-{c['aliases']}")
def test_memory_agent_bench_scores_equal_the_recorded_ones(case: dict[str, Any]) -> None:
    assert metrics.alias_match(case["prediction"], case["aliases"]) is case["correct"]
    assert metrics.best_alias_f1(case["prediction"], case["aliases"]) == pytest.approx(case["f1"], abs=1e-12)


@pytest.mark.parametrize("case", RECORDED["normalize_answer"], ids=lambda c: c["t"])
def test_texts_are_normalised_as_recorded(case: dict[str, Any]) -> None:
    assert metrics.normalise_locomo(case["t"]) == case["locomo"]
    assert metrics.normalise_answer(case["t"]) == case["qa"]


def test_an_output_of_blank_lines_is_an_empty_prediction() -> None:
    assert metrics.locomo_prediction(" \n\n", category=4) == ""


def test_a_gold_answer_of_category_3_ends_at_its_semicolon() -> None:
    assert metrics.locomo_score("likely yes", "Likely yes; because she said so", category=3) == 1.0
