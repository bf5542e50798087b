"""Rows of ordinary text: cut to length, of every kind, the same for the same seed."""

from __future__ import annotations

import random

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.testing.tiny_model import tiny_tokenizer
from dmem_agents.train.ordinary_text import OrdinaryText


def silent(prompts):
    """A model that has nothing to say."""
    return [()] * len(prompts)


def test_rows_are_cut_to_length_and_hold_paragraphs_and_conversations(folder):
    tokenizer = tiny_tokenizer()
    text = OrdinaryText(folder, tokenizer, tokens=12, answer=silent)
    rows = [text.sample(random.Random(seed)) for seed in range(40)]
    assert max(len(row.ids) for row in rows) == 12
    assert all(row.first < len(row.ids) for row in rows)
    long = OrdinaryText(folder, tokenizer, tokens=400, answer=silent)
    whole = [tokenizer.decode(long.sample(random.Random(seed)).ids) for seed in range(60)]
    assert any("has a song" in row for row in whole)
    assert any("The weather" in row or "weather over there" in row for row in whole)
    assert any("Who built tower" in row for row in whole)
    assert rows == [text.sample(random.Random(seed)) for seed in range(40)]


def test_rows_too_short_to_predict_anything_are_refused(folder):
    with pytest.raises(ConfigError, match="retention_tokens = 1"):
        OrdinaryText(folder, tiny_tokenizer(), tokens=1, answer=silent)


def test_questions_end_with_what_the_model_says_and_count_from_there(folder):
    tokenizer = tiny_tokenizer()
    asked: list[str] = []

    def answer(prompts):
        asked.extend(tokenizer.decode(prompt) for prompt in prompts)
        return [tuple(tokenizer(f"Indeed {n}.", add_special_tokens=False)["input_ids"]) for n in range(len(prompts))]

    text = OrdinaryText(folder, tokenizer, tokens=400, answer=answer)
    assert any("Who wrote the song" in prompt for prompt in asked)
    assert any("What is gravity" in prompt or "short poem" in prompt for prompt in asked)
    rows = [text.sample(random.Random(seed)) for seed in range(60)]
    answers = [tokenizer.decode(row.ids[row.first + 1 :]) for row in rows if row.first]
    assert len(answers) > 10
    assert all(said.startswith("Indeed") for said in answers)
