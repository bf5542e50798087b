"""Rows that join and leave while others run: alone or together, warm or cold, the results are the same."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch

from dmem_agents.engine import (
    Engine,
    EngineStats,
    Generation,
    GenerationRequest,
    GenerationResult,
    Prompt,
    SamplingParams,
    scheduler,
)
from dmem_agents.engine.queue import RequestQueue
from dmem_agents.errors import ConfigError, EngineBusyError, EngineError
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state.memory_state import MemoryState

MakePrompt = Callable[..., Prompt]
MakeModel = Callable[..., DeltaMemModel]
RandomState = Callable[[DeltaMemModel, int], MemoryState]
Request = Callable[..., GenerationRequest]


@pytest.fixture
def request_for(model: DeltaMemModel, make_prompt: MakePrompt, random_state: RandomState) -> Request:
    def make(first: int = 10, tokens: int = 8, max_new_tokens: int = 6, **fields: object) -> GenerationRequest:
        ids = [3 + (first + 7 * at) % 250 for at in range(tokens)]
        given: dict[str, object] = {
            "prompt": make_prompt(ids),
            "state": random_state(model, first),
            "sampling": SamplingParams(max_new_tokens=max_new_tokens),
        }
        return GenerationRequest(**(given | fields))  # type: ignore[arg-type]  # fields of the request

    return make


def assert_same(result: GenerationResult, other: GenerationResult) -> None:
    assert (result.token_ids, result.finish_reason) == (other.token_ids, other.finish_reason)
    assert (result.state is None) == (other.state is None)
    if result.state is not None and other.state is not None:
        torch.testing.assert_close(result.state.values, other.state.values, atol=1e-5, rtol=0)


def closing_with(*rest: int, prompt: Prompt) -> Callable[[list[int]], Prompt]:
    """A turn that is closed by these tokens."""

    def closed(answer: list[int]) -> Prompt:
        ids = (*prompt.input_ids, *answer, *rest)
        return Prompt(
            input_ids=ids,
            write_mask=(*prompt.write_mask, *(True,) * (len(answer) + len(rest))),
            message_ids=(0,) * len(ids),
            sentence_ids=(0,) * len(ids),
        )

    return closed


def test_a_request_joins_and_leaves_while_a_long_one_runs(model: DeltaMemModel, request_for: Request) -> None:
    with Engine(model) as engine:
        alone = [engine.submit(request_for(first=30, tokens=n)).result(60) for n in (5, 40)]
        started, seen = threading.Event(), []

        def on_token(token: int) -> bool:
            started.set()
            seen.append(token)
            time.sleep(0.002)
            return False

        long = engine.submit(request_for(max_new_tokens=400, on_token=on_token))
        assert started.wait(30)
        for n, expected in zip((5, 40), alone, strict=True):  # shorter and longer than what the long one has
            before = len(seen)
            assert_same(engine.submit(request_for(first=30, tokens=n)).result(60), expected)
            assert before < len(seen) < 400
            assert not long.future.done()
        together = long.result(60)
        assert_same(together, engine.submit(request_for(max_new_tokens=400)).result(60))


def test_a_long_prompt_comes_in_by_chunks_between_the_steps_of_a_running_row(
    model: DeltaMemModel, request_for: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "CHUNK_TOKENS", 16)
    order: list[int] = []
    model.register_forward_pre_hook(lambda _, arguments: order.append(arguments[0].shape[1]))
    with Engine(model) as engine:
        alone = engine.submit(request_for(first=50, tokens=100)).result(60)
        started = threading.Event()

        def on_token(_: int) -> bool:
            started.set()
            time.sleep(0.002)
            return False

        running = engine.submit(request_for(max_new_tokens=200, on_token=on_token))
        assert started.wait(30)
        order.clear()
        assert_same(engine.submit(request_for(first=50, tokens=100)).result(60), alone)
        running.cancel()
    chunks = [at for at, width in enumerate(order) if width > 1]
    assert [order[at] for at in chunks] == [16] * 6 + [4]
    assert all(later - earlier == 2 for earlier, later in pairwise(chunks))  # a step between two


@pytest.mark.parametrize("chunk", [1, 20])
def test_chunks_change_nothing_for_prompts_of_unequal_length(
    chunk: int,
    model: DeltaMemModel,
    request_for: Request,
    monkeypatch: pytest.MonkeyPatch,
    together: Callable[[Engine, Sequence[GenerationRequest]], list[Generation]],
) -> None:
    requests = [request_for(first=20 + n, tokens=n, write=n != 33) for n in (3, 90, 33, 17)]
    with Engine(model) as engine:
        whole = [engine.submit(r).result(60) for r in requests]
    monkeypatch.setattr(scheduler, "ALONE_TOKENS", chunk)
    with Engine(model) as engine:
        for generation, expected in zip(together(engine, requests), whole, strict=True):
            assert_same(generation.result(60), expected)


def test_the_next_step_of_a_turn_goes_on_from_the_last_and_equals_a_cold_start(
    model: DeltaMemModel, request_for: Request, make_prompt: MakePrompt
) -> None:
    first = request_for(tokens=60, keep_prefix=True)
    first = request_for(tokens=60, keep_prefix=True, closed_turn=closing_with(2, 41, prompt=first.prompt))
    fed: list[int] = []
    model.register_forward_pre_hook(lambda _, arguments: fed.append(arguments[0].shape[1]))
    with Engine(model) as engine:
        answer = engine.submit(first).result(60)
        assert first.closed_turn is not None
        closed = first.closed_turn(list(answer.token_ids))
        following = make_prompt([*closed.input_ids, 50, 51, 52])
        fed.clear()
        warm = engine.submit(request_for(prompt=following, keep_prefix=True)).result(60)
        assert fed[0] == 3
        assert settled(engine).prefix_hits == 1
        assert engine.stats().prefix_bytes > 0
        for other in (
            request_for(prompt=following, keep_prefix=True, state=model.empty_state()),
            request_for(prompt=make_prompt([*following.input_ids[:5], 9, *following.input_ids[6:]]), keep_prefix=True),
            request_for(
                prompt=make_prompt(following.input_ids, write=[at != 7 for at in range(len(following))]),
                keep_prefix=True,
            ),
        ):
            engine.submit(other).result(60)
        assert settled(engine).prefix_hits == 1  # another state, other tokens, other writes: none goes on from it
    with Engine(model, prefix_cache_bytes=0) as engine:
        assert_same(warm, engine.submit(request_for(prompt=following, keep_prefix=True)).result(60))
        assert settled(engine).prefix_bytes == settled(engine).prefix_hits == 0


def settled(engine: Engine) -> EngineStats:
    """Its figures once nothing runs: a result comes before the end of its step."""
    deadline = time.monotonic() + 10
    while engine.stats().running and time.monotonic() < deadline:
        time.sleep(0.002)
    return engine.stats()


def test_kept_prefixes_stay_within_their_bound(model: DeltaMemModel, request_for: Request) -> None:
    with Engine(model, prefix_cache_bytes=50_000) as engine:
        sizes = []
        for n in range(8):
            request = request_for(first=n, tokens=50)
            closed = closing_with(2, prompt=request.prompt)
            engine.submit(request_for(first=n, tokens=50, keep_prefix=True, closed_turn=closed)).result(60)
            sizes.append(settled(engine).prefix_bytes)
    assert 0 < sizes[0] < sizes[-1] <= 50_000
    assert sizes[-1] == sizes[-2] == sizes[0] * (50_000 // sizes[0])  # full: one came, one went


def test_owners_take_turns(request_for: Request) -> None:
    queue = RequestQueue(max_waiting=10)
    for owner, first in (("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)):
        queue.put(Generation(request_for(first=first, owner=owner), None))
    taken = [queue.take(2, block=True) for _ in range(3)]
    assert [[g.request.owner for g in part or ()] for part in taken] == [["a", "b"], ["c", "a"], ["b", "a"]]
    assert queue.take(5, block=False) == []


def test_a_full_queue_refuses_more_and_loses_nothing(model: DeltaMemModel, request_for: Request) -> None:
    held, free = threading.Event(), threading.Event()

    def hold(_: int) -> bool:
        held.set()
        return free.wait(30)

    with Engine(model, max_batch_size=1, max_waiting=2) as engine:
        generations = [engine.submit(request_for(on_token=hold))]
        assert held.wait(30)
        generations += [engine.submit(request_for(first=30)), engine.submit(request_for(first=31))]
        with pytest.raises(EngineBusyError, match="at most 2 requests"):
            engine.submit(request_for(first=32))
        assert engine.stats().waiting == 2
        free.set()
        assert all(g.result(60).finish_reason for g in generations)


@pytest.mark.parametrize("settings", [{"max_batch_size": 0}, {"max_waiting": 0}, {"prefix_cache_bytes": -1}])
def test_settings_out_of_range_are_refused(settings: dict[str, int], model: DeltaMemModel) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Engine(model, **settings)


def test_many_agents_over_few_slots_each_get_their_own_result_and_nothing_is_left(
    model: DeltaMemModel, request_for: Request
) -> None:
    """Random arrivals, lengths, seeds, stop tokens, cancellations and errors."""
    rng = random.Random(5)

    def broken(_: int) -> bool:
        raise ZeroDivisionError

    requests = []
    for n in range(40):
        sampling = SamplingParams(max_new_tokens=rng.randint(1, 40), temperature=rng.choice([0.0, 1.5]), seed=n)
        fields: dict[str, object] = {"sampling": sampling, "owner": str(n % 7), "write": rng.random() < 0.8}
        request = request_for(first=n, tokens=rng.randint(1, 80), **fields)
        if rng.random() < 0.5:
            fields["closed_turn"] = closing_with(*range(rng.randint(1, 4)), prompt=request.prompt)
        if rng.random() < 0.1:
            fields["on_token"] = broken
        requests.append(request_for(first=n, prompt=request.prompt, **fields))
    with Engine(model, max_batch_size=3) as engine:
        alone = [engine.submit(request) for request in requests]
        for generation in alone:
            generation.future.exception(60)
        generations = []
        for request in requests:
            generations.append(engine.submit(request))
            time.sleep(rng.random() * 0.01)
            if rng.random() < 0.15:
                rng.choice(generations).cancel()
        for generation, solo in zip(generations, alone, strict=True):
            error = generation.future.exception(60)
            if error is not None:
                assert isinstance(error, EngineError)
                assert solo.future.exception() is not None
            elif generation.future.result().finish_reason != "cancelled":
                assert_same(generation.future.result(), solo.result())
        stats = settled(engine)
    assert (stats.waiting, stats.running, stats.kv_bytes) == (0, 0, 0)
