"""Constraints: masks that follow one answer each."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import torch

from dmem_agents.errors import ConfigError, EngineError
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.testing.tiny_model import tiny_tokenizer

EOS = 2
GRAMMAR = 'start: "ab" | "cd"'


@pytest.fixture
def compiler() -> GrammarCompiler:
    return GrammarCompiler(tiny_tokenizer(), {EOS})


def ids(text: str) -> list[int]:
    return list(tiny_tokenizer().encode(text, add_special_tokens=False))


def test_only_tokens_that_fit_keep_their_scores(compiler: GrammarCompiler) -> None:
    scores = torch.randn(259)
    masked = compiler.constraint(GRAMMAR).allowed(scores)
    fitting = sorted(ids("ac"))
    assert torch.isfinite(masked).nonzero().flatten().tolist() == fitting
    assert torch.equal(masked[fitting], scores[fitting])


def test_scores_of_the_model_are_left_alone(compiler: GrammarCompiler) -> None:
    scores = torch.zeros(259)
    compiler.constraint(GRAMMAR).allowed(scores)
    assert torch.equal(scores, torch.zeros(259))


@pytest.mark.parametrize("size", [250, 300])
def test_a_vocabulary_of_another_size_than_the_scores_is_no_problem(compiler: GrammarCompiler, size: int) -> None:
    masked = compiler.constraint('start: "ab"').allowed(torch.zeros(size, dtype=torch.bfloat16))
    assert masked.shape == (size,)
    assert torch.isfinite(masked).nonzero().flatten().tolist() == ids("a")


def test_constraints_of_one_grammar_go_their_own_ways(compiler: GrammarCompiler) -> None:
    first, second = compiler.constraint(GRAMMAR), compiler.constraint(GRAMMAR)
    first.advance(ids("a")[0])
    second.advance(ids("c")[0])
    assert first.allowed(torch.zeros(259)).argmax() == ids("b")[0]
    assert second.allowed(torch.zeros(259)).argmax() == ids("d")[0]


def test_a_complete_answer_stops(compiler: GrammarCompiler) -> None:
    constraint = compiler.constraint(GRAMMAR)
    for token in ids("ab"):
        assert not constraint.stopped
        constraint.advance(token)
    assert constraint.stopped


def test_a_token_that_was_not_allowed_is_an_error_of_the_engine(compiler: GrammarCompiler) -> None:
    with pytest.raises(EngineError, match="grammar"):
        compiler.constraint(GRAMMAR).advance(ids("x")[0])


def test_a_grammar_that_does_not_compile_is_refused_without_its_text(compiler: GrammarCompiler) -> None:
    with pytest.raises(ConfigError, match="Unimplemented keys") as caught:
        compiler.constraint('start: j\nj: %json {"not": {"const": "secret"}}')
    assert "secret" not in str(caught.value)


def test_without_llguidance_the_error_says_how_to_install_it(
    compiler: GrammarCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("llguidance"):
            raise ImportError(name)
        return original(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="pip install"):
        compiler.constraint(GRAMMAR)
