"""What a loaded state costs elsewhere is measured against the same model without one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate import general
from dmem_agents.evaluate.general import (
    fixed_subset,
    lm_eval_checker,
    measure_ifeval,
    measure_plain_text,
    paragraphs,
)
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state import MemoryState
from dmem_agents.testing.tiny_model import tiny_model
from dmem_agents.tokenization import ChatTokenizer

TEXTS = [list(range(5, 25)), list(range(40, 47)), [9, 8, 7, 6]]


def random_state(model: DeltaMemModel) -> MemoryState:
    values = torch.randn(model.layout.shape, generator=torch.Generator().manual_seed(0))
    return MemoryState(layout=model.layout, values=values)


def test_the_frozen_nll_is_the_plain_backbones_over_all_tokens(model: DeltaMemModel) -> None:
    found = measure_plain_text(model, TEXTS, [random_state(model)])
    total = 0.0
    backbone = tiny_model()
    for text in TEXTS:
        with torch.no_grad():
            logits = backbone(torch.tensor([text])).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(text[1:]), reduction="sum"))
    assert found["tokens"] == 28
    assert found["nll"]["frozen"] == pytest.approx(total / 28, abs=1e-4)


def test_the_rise_is_relative_to_the_frozen_model(model: DeltaMemModel) -> None:
    found = measure_plain_text(model, TEXTS, [random_state(model)])
    rise = 100 * (found["nll"]["stranger"] / found["nll"]["frozen"] - 1)
    assert rise != 0
    assert found["rise_percent"]["value"] == pytest.approx(rise)


def test_an_empty_state_costs_nothing_at_all(model: DeltaMemModel) -> None:
    found = measure_plain_text(model, TEXTS, [model.empty_state()])
    assert found["rise_percent"] == {"value": 0.0, "bootstrap_95": [0.0, 0.0]}


def test_plain_text_without_a_state_is_refused(model: DeltaMemModel) -> None:
    with pytest.raises(ConfigError, match="at least one stranger's state"):
        measure_plain_text(model, TEXTS, [])


def test_ifeval_counts_prompts_whose_instructions_are_all_followed(
    model: DeltaMemModel, chat: ChatTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"key": i, "prompt": f"p{i}"} for i in range(3)]
    good = {"frozen": {"p0", "p1"}, "stranger": {"p0"}}

    def answers(_engine: object, _chat: object, shown: list[Any], states: list[MemoryState], **_: object) -> list[str]:
        who = ["stranger" if bool(s.values.any()) else "frozen" for s in states]
        return ["yes" if m[-1].content in good[w] else "no" for m, w in zip(shown, who, strict=True)]

    def check(record: Mapping[str, Any], response: str) -> list[bool]:
        return [True, response == "yes"]

    monkeypatch.setattr(general, "answer_all", answers)
    with Engine(model) as engine:
        found = measure_ifeval(engine, chat, records, [random_state(model)], check=check, rows=2)
    assert found["keys"] == [0, 1, 2]
    assert {who: share["hits"] for who, share in found["prompt_level"].items()} == {"frozen": 2, "stranger": 1}
    assert {who: share["hits"] for who, share in found["instruction_level"].items()} == {"frozen": 5, "stranger": 4}
    assert found["drop_points"]["value"] == pytest.approx(100 / 3)


def test_the_subset_is_spread_over_the_file_and_always_the_same() -> None:
    records = [{"key": i} for i in range(541)]
    chosen = fixed_subset(records, 150)
    assert chosen == fixed_subset(iter(records), 150)
    assert len({r["key"] for r in chosen}) == 150
    assert max(r["key"] for r in chosen) > 530
    assert fixed_subset(records, 600) == records


def test_a_paragraph_is_the_longest_of_its_record_and_never_short_or_twice() -> None:
    long, longer = "word " * 60, "word " * 70
    records = [{"context": [["A", [long]], ["B", [longer[:150], longer[150:]]]]}] * 2 + [{"context": [["C", ["few"]]]}]
    assert paragraphs(records, 9) == [longer.strip()]
    assert paragraphs(records, 0) == []


def test_missing_checkers_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langdetect", None)
    with pytest.raises(ConfigError, match=r"lm-eval\[ifeval\].*--prompts 0"):
        lm_eval_checker()


def test_verdicts_are_the_strict_ones_of_lm_eval_with_repeatable_language_detection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factory = SimpleNamespace(seed=None)
    _install(monkeypatch, "langdetect", DetectorFactory=factory)
    _install(monkeypatch, "lm_eval")
    _install(monkeypatch, "lm_eval.tasks")
    _install(monkeypatch, "lm_eval.tasks.ifeval")
    _install(
        monkeypatch,
        "lm_eval.tasks.ifeval.utils",
        process_results=lambda doc, results: {
            "inst_level_strict_acc": [results == ["fine"]],
            "inst_level_loose_acc": [True],
        },
    )
    check = lm_eval_checker()
    assert factory.seed == 0
    assert (check({}, "fine"), check({}, "poor")) == ([True], [False])


def _install(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    for key, value in content.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)
