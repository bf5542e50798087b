from __future__ import annotations

import pytest
import torch

from dmem_agents.errors import EngineError
from dmem_agents.model.sampling import TokenSampler

SCORES = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def drawn(count: int = 400, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> list[int]:
    sampler = TokenSampler(temperature=temperature, top_k=top_k, top_p=top_p, seed=0)
    return [sampler(SCORES) for _ in range(count)]


def test_temperature_zero_takes_the_highest_score_and_the_lowest_id_among_equals() -> None:
    greedy = TokenSampler(temperature=0, top_k=0, top_p=1.0, seed=None)
    assert greedy(torch.tensor([0.0, 2.0, 1.0])) == 1
    assert greedy(torch.tensor([1.0, 7.0, 7.0, 7.0])) == 1


def test_unfiltered_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    tokens = drawn(4000)
    for token, probability in enumerate(SCORES.exp().tolist()):
        assert tokens.count(token) / 4000 == pytest.approx(probability, abs=0.03)


def test_top_k_keeps_so_many_tokens() -> None:
    assert set(drawn(top_k=2)) == {0, 1}


def test_top_p_keeps_the_smallest_set_with_that_probability() -> None:
    assert set(drawn(top_p=0.7)) == {0, 1}
    assert set(drawn(top_p=0.4)) == {0}


def test_top_p_counts_probability_after_the_temperature() -> None:
    assert set(drawn(temperature=0.1, top_p=0.9)) == {0}


def test_a_low_temperature_sharpens() -> None:
    assert drawn(temperature=0.5).count(0) > drawn(temperature=1.0).count(0) > drawn(temperature=3.0).count(0)


def test_a_repetition_penalty_lowers_what_was_seen_whatever_its_sign() -> None:
    greedy = TokenSampler(temperature=0, top_k=0, top_p=1.0, seed=None, repetition_penalty=2.0)
    assert greedy(torch.tensor([3.0, 2.0, 1.0])) == 0
    assert greedy(torch.tensor([3.0, 2.0, 1.0]), seen=[0]) == 1
    assert greedy(torch.tensor([-2.0, -1.5, -4.0]), seen=[1, 1]) == 0
    sampled = TokenSampler(temperature=1.0, top_k=1, top_p=1.0, seed=0, repetition_penalty=2.0)
    assert sampled(torch.tensor([3.0, 2.0, 1.0]), seen=[0]) == 1


def test_the_same_seed_draws_the_same_tokens_for_any_float_dtype() -> None:
    scores = torch.tensor([0.5, 1.0, 1.5, 2.0])  # exact in bfloat16
    draws = []
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        sampler = TokenSampler(temperature=1.0, top_k=0, top_p=1.0, seed=4)
        draws.append([sampler(scores.to(dtype)) for _ in range(30)])
    assert draws[0] == draws[1] == draws[2]


def test_nan_is_refused_whatever_the_temperature() -> None:
    for temperature in (0.0, 1.0):
        with pytest.raises(EngineError, match="NaN"):
            TokenSampler(temperature=temperature, top_k=0, top_p=1.0, seed=0)(torch.tensor([0.0, float("nan")]))
