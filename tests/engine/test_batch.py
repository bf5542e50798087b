"""Rows that share forwards come out as if alone, and as a loop of plain forward calls would have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from dmem_agents.engine import (
    Engine,
    Generation,
    GenerationRequest,
    GenerationResult,
    Prompt,
    SamplingParams,
)
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state.memory_state import MemoryState, stack

TOLERANCE = 1e-5  # absolute, of states whose entries are of order 1

MakePrompt = Callable[..., Prompt]
MakeModel = Callable[..., DeltaMemModel]
RandomState = Callable[[DeltaMemModel, int], MemoryState]
Together = Callable[[Engine, Sequence[GenerationRequest]], list[Generation]]


def by_hand(model: DeltaMemModel, request: GenerationRequest) -> tuple[list[int], MemoryState]:
    """Greedy tokens and the state after the last token fed: the whole row again at each step, without a cache."""
    assert request.sampling is not None
    ids, mask = list(request.prompt.input_ids), list(request.prompt.write_mask)
    answer: list[int] = []
    while True:
        with torch.no_grad():
            output = model(
                torch.tensor([ids]),
                state=stack([request.state]),
                write=request.write,
                write_mask=torch.tensor([mask]) if request.write else None,
            )
        answer.append(int(output.logits[0, -1].argmax()))
        if len(answer) == request.sampling.max_new_tokens:
            return answer, MemoryState(layout=model.layout, values=output.state[:, 0])
        ids.append(answer[-1])
        mask.append(request.write_generated)


def mixed_requests(model: DeltaMemModel, make_prompt: MakePrompt, random_state: RandomState) -> list[GenerationRequest]:
    """Different lengths, states, masks and ends; some rows only read."""
    lengths = (3, 17, 1, 30, 9, 12)
    return [
        GenerationRequest(
            prompt=make_prompt(
                [3 + (7 * row + 5 * at) % 250 for at in range(length)],
                write=[(at + row) % 3 > 0 for at in range(length)] if row % 2 else True,
            ),
            state=random_state(model, row),
            write=row != 4,
            write_generated=row != 3,
            sampling=SamplingParams(max_new_tokens=3 + 2 * row),
        )
        for row, length in enumerate(lengths)
    ]


def assert_same(result: GenerationResult, other: GenerationResult) -> None:
    assert result.token_ids == other.token_ids
    assert result.finish_reason == other.finish_reason
    if result.state is None or other.state is None:
        assert result.state is other.state is None
    else:
        torch.testing.assert_close(result.state.values, other.state.values, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "qwen3", "smollm3", "phi3"])
def test_a_row_in_a_batch_equals_the_row_alone_and_a_loop_of_forwards(
    family: str,
    attn_implementation: str,
    make_model: MakeModel,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    model = make_model(family, attn_implementation=attn_implementation)
    requests = mixed_requests(model, make_prompt, random_state)
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, arguments: sizes.append(arguments[0].shape[0]))
    with Engine(model) as engine:
        batched = [g.result(60) for g in together(engine, requests)]
        assert max(sizes) == len(requests)
        for request, result in zip(requests, batched, strict=True):
            assert_same(result, engine.submit(request).result(60))
    for request, result in zip(requests, batched, strict=True):
        tokens, state = by_hand(model, request)
        assert list(result.token_ids) == tokens
        if result.state is not None:
            torch.testing.assert_close(result.state.values, state.values, atol=TOLERANCE, rtol=0)


def test_the_order_of_rows_makes_no_difference(
    model: DeltaMemModel,
    engine: Engine,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    requests = mixed_requests(model, make_prompt, random_state)
    forwards = [g.result(60) for g in together(engine, requests)]
    backwards = [g.result(60) for g in together(engine, requests[::-1])]
    for result, other in zip(forwards, backwards[::-1], strict=True):
        assert_same(result, other)


def test_memory_changes_what_is_generated(
    model: DeltaMemModel, engine: Engine, make_prompt: MakePrompt, random_state: RandomState
) -> None:
    prompt, few = make_prompt(range(10, 30)), SamplingParams(max_new_tokens=8)
    requests = [GenerationRequest(prompt=prompt, state=random_state(model, n), sampling=few) for n in range(3)]
    assert len({engine.submit(request).result(60).token_ids for request in requests}) == 3


def test_a_read_only_row_has_no_state_and_unwritten_tokens_leave_none(
    model: DeltaMemModel, engine: Engine, make_prompt: MakePrompt, random_state: RandomState
) -> None:
    start = random_state(model, 1)
    prompt = make_prompt(range(10, 30), write=False)
    few = SamplingParams(max_new_tokens=4)
    read = engine.submit(GenerationRequest(prompt=prompt, state=start, write=False, sampling=few)).result(60)
    unwritten = engine.submit(
        GenerationRequest(prompt=prompt, state=start, write_generated=False, sampling=few)
    ).result(60)
    assert read.state is None
    assert unwritten.state == start
    assert read.token_ids == unwritten.token_ids


def canonical_of(request: GenerationRequest, closing: tuple[int, ...]) -> Callable[[list[int]], Prompt]:
    def closed(answer: list[int]) -> Prompt:
        ids = (*request.prompt.input_ids, *answer, *closing)
        mask = (*request.prompt.write_mask, *(request.write_generated,) * (len(answer) + len(closing)))
        segments = tuple(at // 10 for at in range(len(ids)))
        return Prompt(input_ids=ids, write_mask=mask, message_ids=segments, sentence_ids=segments)

    return closed


def with_closing(request: GenerationRequest, closed_turn: Callable[[list[int]], Prompt]) -> GenerationRequest:
    return GenerationRequest(
        prompt=request.prompt,
        state=request.state,
        write=request.write,
        write_generated=request.write_generated,
        sampling=request.sampling,
        closed_turn=closed_turn,
    )


def test_the_closing_tokens_of_each_row_are_written_as_if_the_turn_had_been_run_cold(
    model: DeltaMemModel,
    engine: Engine,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    plain = mixed_requests(model, make_prompt, random_state)
    requests = [with_closing(r, canonical_of(r, (2, 40 + row))) for row, r in enumerate(plain)]
    for request, generation in zip(requests, together(engine, requests), strict=True):
        result = generation.result(60)
        if not request.write:
            assert result.state is None
            continue
        assert request.closed_turn is not None
        assert result.state is not None
        canonical = request.closed_turn(list(result.token_ids))
        cold = engine.submit(GenerationRequest(prompt=canonical, state=request.state, sampling=None)).result(60)
        assert cold.state is not None
        torch.testing.assert_close(result.state.values, cold.state.values, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("what", ["ids", "mask", "shorter"])
def test_a_turn_that_reads_differently_once_closed_is_run_again_from_its_start(
    what: str, model: DeltaMemModel, engine: Engine, make_prompt: MakePrompt, random_state: RandomState
) -> None:
    def closed(answer: list[int]) -> Prompt:
        ids = [*range(10, 30), *answer, 2]
        mask = [True] * len(ids)
        if what == "ids":
            ids[12] = 99
        elif what == "mask":
            mask[12] = False
        else:
            ids, mask = ids[:15], mask[:15]
        return make_prompt(ids, write=mask)

    start = random_state(model, 1)
    request = GenerationRequest(
        prompt=make_prompt(range(10, 30)),
        state=start,
        sampling=SamplingParams(max_new_tokens=4),
        closed_turn=closed,
    )
    result = engine.submit(request).result(60)
    canonical = closed(list(result.token_ids))
    cold = engine.submit(GenerationRequest(prompt=canonical, state=start, sampling=None)).result(60)
    assert result.state == cold.state


def test_prompts_to_be_written_and_requests_that_generate_wait_side_by_side(
    model: DeltaMemModel,
    engine: Engine,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    prompt, few = make_prompt(range(10, 30)), SamplingParams(max_new_tokens=3)
    kinds = (None, few, None, few)
    requests = [
        GenerationRequest(prompt=prompt, state=random_state(model, row), sampling=kind)
        for row, kind in enumerate(kinds)
    ]
    results = [g.result(60) for g in together(engine, requests)]
    assert [len(result.token_ids) for result in results] == [0, 3, 0, 3]
    for request, result in zip(requests, results, strict=True):
        assert_same(result, engine.submit(request).result(60))


@pytest.mark.parametrize("granularity", ["message_mean", "sentence_mean"])
def test_segments_are_written_in_one_pass_over_the_canonical_turn_and_read_by_none_of_it(
    granularity: str,
    make_model: MakeModel,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    """Unlike the research session, where each fed token is a segment of its own (delta-mem.md §9.6)."""
    model = make_model(granularity=granularity)
    plain = mixed_requests(model, make_prompt, random_state)
    requests = [with_closing(r, canonical_of(r, (2, 41))) for r in plain]
    with Engine(model) as engine:
        results = [g.result(60) for g in together(engine, requests)]
        alone = [engine.submit(request).result(60) for request in requests]
    for request, result, solo in zip(requests, results, alone, strict=True):
        assert_same(result, solo)
        only_read = GenerationRequest(
            prompt=request.prompt, state=request.state, write=False, sampling=request.sampling
        )
        assert list(result.token_ids) == by_hand(model, only_read)[0]
        if not request.write or request.closed_turn is None:
            continue
        canonical = request.closed_turn(list(result.token_ids))
        with torch.no_grad():
            once = model(
                torch.tensor([canonical.input_ids]),
                state=stack([request.state]),
                write_mask=torch.tensor([canonical.write_mask]),
                message_ids=torch.tensor([canonical.message_ids]),
                sentence_ids=torch.tensor([canonical.sentence_ids]),
            )
        assert result.state is not None
        torch.testing.assert_close(result.state.values, once.state[:, 0], atol=TOLERANCE, rtol=0)


def test_prompts_of_different_lengths_are_written_in_one_batch_without_mixing(
    model: DeltaMemModel,
    engine: Engine,
    make_prompt: MakePrompt,
    random_state: RandomState,
    together: Together,
) -> None:
    requests = [
        GenerationRequest(prompt=make_prompt(range(10, 10 + n)), state=random_state(model, n), sampling=None)
        for n in (1, 23, 8)
    ]
    for request, generation in zip(requests, together(engine, requests), strict=True):
        result = generation.result(60)
        assert result.token_ids == ()
        with torch.no_grad():
            expected = model(torch.tensor([request.prompt.input_ids]), state=stack([request.state])).state[:, 0]
        assert result.state is not None
        torch.testing.assert_close(result.state.values, expected, atol=TOLERANCE, rtol=0)
