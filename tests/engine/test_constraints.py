"""Rows kept to a form, each to its own, while they share a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from torch import Tensor

from dmem_agents.engine import Engine, Generation, GenerationRequest, Prompt, SamplingParams, TokenConstraint
from dmem_agents.errors import EngineError
from dmem_agents.state.memory_state import MemoryState

Together = Callable[[Engine, Sequence[GenerationRequest]], list[Generation]]


class Exactly:
    """Lets these tokens out, in this order; breaks before token number `breaks_at`."""

    def __init__(self, *tokens: int, breaks_at: int | None = None) -> None:
        self._left = list(tokens)
        self._breaks_in = breaks_at

    @property
    def stopped(self) -> bool:
        return not self._left

    def allowed(self, scores: Tensor) -> Tensor:
        if self._breaks_in == 0:
            raise RuntimeError("too complex")
        masked = scores.new_full(scores.shape, float("-inf"))
        masked[self._left[0]] = scores[self._left[0]]
        return masked

    def advance(self, token_id: int) -> None:
        assert token_id == self._left.pop(0)
        if self._breaks_in is not None:
            self._breaks_in -= 1


@pytest.fixture
def request_for(engine: Engine, make_prompt: Callable[..., Prompt]) -> Callable[..., GenerationRequest]:
    def make(constraint: TokenConstraint | None, **fields: Any) -> GenerationRequest:
        fields.setdefault("sampling", SamplingParams(max_new_tokens=6))
        state = MemoryState.zeros(engine.layout)
        return GenerationRequest(prompt=make_prompt([11, 12, 13]), state=state, constraint=constraint, **fields)

    return make


def test_each_row_follows_its_own_form_and_free_rows_stay_as_they_are(
    engine: Engine, together: Together, request_for: Callable[..., GenerationRequest]
) -> None:
    alone = engine.submit(request_for(None)).result(30)
    first, second, free = (
        generation.result(30)
        for generation in together(
            engine, [request_for(Exactly(7, 8, 9)), request_for(Exactly(9, 7)), request_for(None)]
        )
    )
    assert (first.token_ids, second.token_ids) == ((7, 8, 9), (9, 7))
    assert (first.finish_reason, second.finish_reason) == ("stop", "stop")
    assert free.token_ids == alone.token_ids


def test_an_error_in_one_rows_form_fails_that_row_only(
    engine: Engine, together: Together, request_for: Callable[..., GenerationRequest]
) -> None:
    broken, sound = together(engine, [request_for(Exactly(7, 8, 9, breaks_at=1)), request_for(Exactly(9, 7, 8))])
    with pytest.raises(EngineError, match="too complex"):
        broken.result(30)
    assert sound.result(30).token_ids == (9, 7, 8)


def test_a_stop_token_ends_a_form_and_is_no_part_of_the_answer(
    engine: Engine, request_for: Callable[..., GenerationRequest]
) -> None:
    result = engine.submit(request_for(Exactly(7, 2, 8), stop_ids=frozenset({2}))).result(30)
    assert (result.token_ids, result.finish_reason) == ((7,), "stop")


def test_a_form_that_is_longer_than_the_answer_may_be_is_cut(
    engine: Engine, request_for: Callable[..., GenerationRequest]
) -> None:
    result = engine.submit(request_for(Exactly(*range(10, 20)))).result(30)
    assert (result.token_ids, result.finish_reason) == (tuple(range(10, 16)), "length")


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_sampling_stays_within_the_form(
    engine: Engine, request_for: Callable[..., GenerationRequest], temperature: float
) -> None:
    sampling = SamplingParams(max_new_tokens=6, temperature=temperature, top_p=0.5, top_k=3, seed=4)
    assert engine.submit(request_for(Exactly(7, 8), sampling=sampling)).result(30).token_ids == (7, 8)
