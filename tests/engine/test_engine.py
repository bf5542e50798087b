"""The engine's thread: ends, cancels, errors, seeds and shutdown."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from dmem_agents.engine import Engine, Generation, GenerationRequest, Prompt, SamplingParams, scheduler
from dmem_agents.engine.prefill import Prefill
from dmem_agents.engine.rows import Row
from dmem_agents.errors import (
    ConfigError,
    EngineClosedError,
    EngineError,
    StateMismatchError,
    TemplateError,
)
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.model.kv_cache import SlotCache
from dmem_agents.state.memory_state import MemoryState, StateLayout
from dmem_agents.testing.tiny_model import tiny_model

MakePrompt = Callable[..., Prompt]
MakeModel = Callable[..., DeltaMemModel]
Together = Callable[[Engine, Sequence[GenerationRequest]], list[Generation]]
Request = Callable[..., GenerationRequest]


@pytest.fixture
def request_for(model: DeltaMemModel, make_prompt: MakePrompt) -> Request:
    """A request of `tokens` tokens from an empty state; keywords override."""

    def make(*, first: int = 10, tokens: int = 8, max_new_tokens: int = 6, **fields: object) -> GenerationRequest:
        given: dict[str, object] = {
            "prompt": make_prompt(range(first, first + tokens)),
            "state": model.empty_state(),
            "sampling": SamplingParams(max_new_tokens=max_new_tokens),
        }
        return GenerationRequest(**(given | fields))  # type: ignore[arg-type]  # fields of the request

    return make


def test_tokens_arrive_one_by_one_in_order_before_the_result(engine: Engine, request_for: Request) -> None:
    seen: list[int] = []
    generation: list[Generation] = []

    def on_token(token: int) -> bool:
        seen.append(token)
        return bool(generation) and generation[0].future.done()

    generation.append(engine.submit(request_for(on_token=on_token)))
    result = generation[0].result(60)
    assert tuple(seen) == result.token_ids
    assert result.finish_reason == "length"
    assert result.prompt_tokens == 8


def test_a_stop_token_ends_the_answer_and_is_no_part_of_it(engine: Engine, request_for: Request) -> None:
    full = engine.submit(request_for()).result(60).token_ids
    stop = full[3]
    result = engine.submit(request_for(stop_ids=frozenset({stop}))).result(60)
    assert result.token_ids == full[: full.index(stop)]
    assert result.finish_reason == "stop"


def test_a_callback_ends_the_answer_with_the_token_it_was_given(engine: Engine, request_for: Request) -> None:
    full = engine.submit(request_for()).result(60).token_ids
    seen: list[int] = []

    def on_token(token: int) -> bool:
        seen.append(token)
        return len(seen) == 2

    result = engine.submit(request_for(on_token=on_token)).result(60)
    assert result.token_ids == full[:2]
    assert result.finish_reason == "stop"


def test_a_cancelled_row_leaves_and_its_neighbours_stay_as_they_are(
    engine: Engine, request_for: Request, together: Together
) -> None:
    alone = engine.submit(request_for(first=40, max_new_tokens=12)).result(60)
    generations: list[Generation] = []
    seen: list[int] = []
    submitted = threading.Event()

    def cancel_third(token: int) -> bool:
        seen.append(token)
        if len(seen) == 3:
            assert submitted.wait(30)
            generations[0].cancel()
        return False

    generations += together(
        engine,
        [
            request_for(on_token=cancel_third, max_new_tokens=200),
            request_for(first=40, max_new_tokens=12),
        ],
    )
    submitted.set()
    cancelled, neighbour = (generation.result(60) for generation in generations)
    assert cancelled.finish_reason == "cancelled"
    assert cancelled.state is None
    assert len(seen) <= 4
    assert neighbour.token_ids == alone.token_ids
    assert neighbour.state is not None
    assert alone.state is not None
    torch.testing.assert_close(neighbour.state.values, alone.state.values, atol=1e-5, rtol=0)


def test_a_request_cancelled_while_it_waits_is_never_run(
    engine: Engine, request_for: Request, model: DeltaMemModel
) -> None:
    held, free = threading.Event(), threading.Event()

    def hold(_: int) -> bool:
        held.set()
        return free.wait(30)

    first = engine.submit(request_for(on_token=hold))
    assert held.wait(30)
    second = engine.submit(request_for())
    second.cancel()
    calls: list[int] = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    free.set()
    first.result(60)
    after_first = len(calls)
    assert second.result(60).finish_reason == "cancelled"
    assert len(calls) == after_first


def test_equal_seeds_give_equal_tokens_whoever_shares_the_batch(
    engine: Engine, request_for: Request, together: Together
) -> None:
    warm = SamplingParams(max_new_tokens=20, temperature=1.5, top_k=50, top_p=0.95, seed=11)
    alone = engine.submit(request_for(sampling=warm)).result(60)
    others = [
        request_for(first=30, sampling=SamplingParams(max_new_tokens=9, temperature=2.0, seed=5)),
        request_for(sampling=warm),
        request_for(first=60, tokens=20, max_new_tokens=30),
    ]
    assert together(engine, others)[1].result(60).token_ids == alone.token_ids
    other_seed = SamplingParams(max_new_tokens=20, temperature=1.5, top_k=50, top_p=0.95, seed=12)
    assert engine.submit(request_for(sampling=other_seed)).result(60).token_ids != alone.token_ids


def test_the_repetition_penalty_is_that_of_transformers(engine: Engine, make_prompt: MakePrompt) -> None:
    prompt = list(range(5, 17))
    request = GenerationRequest(
        prompt=make_prompt(prompt, write=False),
        state=MemoryState.zeros(engine.layout),
        sampling=SamplingParams(max_new_tokens=16, repetition_penalty=1.6),
        write=False,
    )
    expected = tiny_model("llama", attn_implementation="eager").generate(
        torch.tensor([prompt]), max_new_tokens=16, do_sample=False, repetition_penalty=1.6, eos_token_id=None
    )[0, len(prompt) :]
    assert engine.submit(request).result(60).token_ids == tuple(expected.tolist())


def test_without_a_seed_answers_vary(engine: Engine, request_for: Request) -> None:
    hot = SamplingParams(max_new_tokens=20, temperature=3.0)
    answers = {engine.submit(request_for(sampling=hot)).result(60).token_ids for _ in range(4)}
    assert len(answers) > 1


def test_sampling_leaves_the_global_random_state_alone(engine: Engine, request_for: Request) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    engine.submit(request_for(sampling=SamplingParams(temperature=1.0, max_new_tokens=4))).result(60)
    assert torch.equal(torch.rand(4), expected)


class Panic(BaseException):
    """Libraries written in Rust raise one that is no `Exception` either."""


@pytest.mark.parametrize("error", [ZeroDivisionError, Panic, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("callback", ["on_token", "closed_turn"])
def test_a_callback_that_raises_fails_only_its_own_request(
    callback: str, error: type[BaseException], engine: Engine, request_for: Request, together: Together
) -> None:
    def broken(_: object) -> bool:
        raise error("a bug in the caller's code")

    bad, good = together(engine, [request_for(**{callback: broken}), request_for(first=30)])
    with pytest.raises(EngineError, match=error.__name__) as caught:
        bad.result(60)
    assert isinstance(caught.value.__cause__, error)
    assert good.result(60).token_ids == engine.submit(request_for(first=30)).result(60).token_ids


def test_an_error_of_ours_in_a_callback_reaches_the_caller_as_it_is(engine: Engine, request_for: Request) -> None:
    def closed(_: list[int]) -> Prompt:
        raise TemplateError("the template refuses this answer")

    with pytest.raises(TemplateError):
        engine.submit(request_for(closed_turn=closed)).result(60)


def failing(
    when: Callable[[torch.Tensor], bool], error: type[BaseException] = MemoryError
) -> Callable[[object, tuple[torch.Tensor]], None]:
    """A hook for forwards whose ids `[B, T]` are such."""

    def hook(_: object, arguments: tuple[torch.Tensor]) -> None:
        if when(arguments[0]):
            raise error("no memory left on the device")

    return hook


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("at", ["prompt", "answer"])
def test_an_exception_in_a_forward_fails_the_request_it_belongs_to(
    at: str, error: type[BaseException], engine: Engine, model: DeltaMemModel, request_for: Request, together: Together
) -> None:
    alone = [engine.submit(request_for(first=first)).result(60) for first in (10, 30, 60)]
    bad = 33 if at == "prompt" else alone[1].token_ids[2]
    assert not any(bad in result.token_ids for result in (alone[0], alone[2]))
    hook = model.register_forward_pre_hook(failing(lambda ids: bool((ids == bad).any()), error))
    generations = together(engine, [request_for(first=first) for first in (10, 30, 60)])
    with pytest.raises(EngineError, match="no memory left") as caught:
        generations[1].result(60)
    assert isinstance(caught.value.__cause__, error)
    for index in (0, 2):
        assert generations[index].result(60).token_ids == alone[index].token_ids
    hook.remove()
    assert engine.submit(request_for(first=30)).result(60).token_ids == alone[1].token_ids


def test_when_many_rows_are_too_many_the_last_to_come_fail_and_the_others_go_on(
    engine: Engine, model: DeltaMemModel, request_for: Request, together: Together
) -> None:
    alone = [engine.submit(request_for(first=first)).result(60) for first in (10, 30, 60, 80)]
    model.register_forward_pre_hook(failing(lambda ids: ids.shape[0] > 2))
    generations = together(engine, [request_for(first=first) for first in (10, 30, 60, 80)])
    outcomes = [g.future.exception(60) for g in generations]
    assert [error is None for error in outcomes] == [True, True, False, False]
    for index in (0, 1):
        assert generations[index].result().token_ids == alone[index].token_ids


def test_when_a_failed_step_leaves_no_memory_to_look_for_its_cause_the_last_row_goes_first(
    engine: Engine, model: DeltaMemModel, request_for: Request, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [engine.submit(request_for(first=first)).result(60) for first in (10, 30, 60)]

    def full(*arguments: Any) -> None:
        raise MemoryError("no memory left on the device")

    monkeypatch.setattr(SlotCache, "copy_of", full)
    hook = model.register_forward_pre_hook(failing(lambda ids: ids.shape[0] > 2))
    generations = together(engine, [request_for(first=first) for first in (10, 30, 60)])
    with pytest.raises(EngineError, match="no memory left"):
        generations[2].result(60)
    for index in (0, 1):
        assert generations[index].result(60).token_ids == alone[index].token_ids
    hook.remove()
    assert engine.submit(request_for(first=60)).result(60).token_ids == alone[2].token_ids


@pytest.mark.parametrize("at", ["join", "reserve"])
def test_a_request_whose_keys_and_values_find_no_memory_fails_alone(
    at: str, engine: Engine, request_for: Request, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [request_for(first=10), request_for(first=30, tokens=50), request_for(first=60)]
    alone = [engine.submit(request).result(60) for request in requests]
    whole = getattr(SlotCache, at)

    def bounded(cache: SlotCache, *arguments: Any) -> None:
        lengths = arguments[1] if at == "join" else cache.lengths
        if max(lengths) > 52 - 3 * (at == "join"):
            raise MemoryError("no memory left on the device")
        whole(cache, *arguments)

    monkeypatch.setattr(SlotCache, at, bounded)
    generations = together(engine, requests)
    with pytest.raises(EngineError, match="no memory left"):
        generations[1].result(60)
    for index in (0, 2):
        assert generations[index].result(60).token_ids == alone[index].token_ids
    assert engine.submit(requests[0]).result(60).token_ids == alone[0].token_ids


def test_a_prompt_that_finds_no_memory_on_its_way_in_fails_alone(
    engine: Engine, request_for: Request, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [request_for(first=10), request_for(first=30, tokens=50)]
    alone = engine.submit(requests[0]).result(60)

    class Bounded(Prefill):
        def __init__(self, model: DeltaMemModel, rows: Sequence[Row], *prefix: Any) -> None:
            if max(len(row.request.prompt) for row in rows) > 40:
                raise MemoryError("no memory left on the device")
            super().__init__(model, rows, *prefix)

    monkeypatch.setattr(scheduler, "Prefill", Bounded)
    good, bad = together(engine, requests)
    with pytest.raises(EngineError, match="no memory left"):
        bad.result(60)
    assert good.result(60).token_ids == alone.token_ids


@pytest.fixture
def interruptible() -> Iterator[int]:
    """The main thread, with Python's own handler: a job that a shell puts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    assert main is not None
    yield main
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_waiting_ends_the_waiting_and_the_engine_goes_on(
    engine: Engine, request_for: Request, interruptible: int
) -> None:
    def interrupt(_: int) -> bool:
        signal.pthread_kill(interruptible, signal.SIGINT)
        return False

    running = engine.submit(request_for(on_token=interrupt, sampling=SamplingParams(max_new_tokens=1)))
    with pytest.raises(KeyboardInterrupt):
        running.result(60)
    assert engine.submit(request_for(first=30)).result(60).finish_reason == "length"
    assert running.result(60).finish_reason == "length"


def test_ctrl_c_while_the_model_runs_ends_the_waiting_and_the_engine_goes_on(
    engine: Engine, model: DeltaMemModel, request_for: Request, interruptible: int
) -> None:
    alone = engine.submit(request_for()).result(60).token_ids
    calls: list[int] = []

    def interrupt_third(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            signal.pthread_kill(interruptible, signal.SIGINT)
            time.sleep(0.5)  # so that it comes while this runs

    model.register_forward_pre_hook(interrupt_third)
    waiting = threading.Event()
    running = engine.submit(request_for(on_token=lambda _: not waiting.wait(30)))  # no forward more before we wait
    waiting.set()
    with pytest.raises(KeyboardInterrupt):
        running.result(60)
    assert running.result(60).token_ids == alone
    assert engine.submit(request_for()).result(60).token_ids == alone


def test_an_exception_that_does_not_come_again_fails_nobody(
    engine: Engine, model: DeltaMemModel, request_for: Request, together: Together
) -> None:
    alone = [engine.submit(request_for(first=first)).result(60) for first in (10, 30)]
    calls: list[int] = []

    def fourth(_: torch.Tensor) -> bool:
        calls.append(1)
        return len(calls) == 4  # the first belongs to the gate of `together`, the second to the prompts

    model.register_forward_pre_hook(failing(fourth))
    generations = together(engine, [request_for(first=first) for first in (10, 30)])
    assert [g.result(60).token_ids for g in generations] == [result.token_ids for result in alone]


def test_scores_that_are_not_numbers_fail_only_their_row(
    engine: Engine, model: DeltaMemModel, request_for: Request, together: Together
) -> None:
    broken = MemoryState(layout=model.layout, values=torch.full(model.layout.shape, float("nan")))
    bad, good = together(engine, [request_for(state=broken), request_for(first=30)])
    with pytest.raises(EngineError, match="NaN"):
        bad.result(60)
    assert good.result(60).finish_reason == "length"


def test_a_broken_state_leaves_nothing_in_its_slot_for_the_next_agent(
    engine: Engine, model: DeltaMemModel, request_for: Request
) -> None:
    alone = engine.submit(request_for(tokens=3)).result(60).token_ids
    started = threading.Event()

    def on_token(_: int) -> bool:
        started.set()
        return False

    long = engine.submit(request_for(first=5, tokens=40, on_token=on_token, max_new_tokens=3000))  # keeps the columns
    assert started.wait(30)
    broken = MemoryState(layout=model.layout, values=torch.full(model.layout.shape, float("nan")))
    with pytest.raises(EngineError, match="NaN"):
        engine.submit(request_for(first=60, tokens=30, state=broken)).result(60)
    assert engine.submit(request_for(tokens=3)).result(60).token_ids == alone
    assert not long.future.done()
    long.cancel()


def test_closing_fails_what_runs_and_what_waits(
    model: DeltaMemModel, request_for: Request, make_prompt: MakePrompt
) -> None:
    engine = Engine(model, max_batch_size=1)
    started = threading.Event()

    def on_token(_: int) -> bool:
        started.set()
        time.sleep(0.005)
        return False

    running = engine.submit(request_for(on_token=on_token, max_new_tokens=3000))
    assert started.wait(30)
    waiting = engine.submit(request_for())
    engine.close()
    for generation in (running, waiting):
        with pytest.raises(EngineClosedError):
            generation.result(60)
    with pytest.raises(EngineClosedError):
        engine.submit(request_for())
    engine.close()


def test_a_dropped_engine_ends_its_thread_and_lets_the_model_go(make_model: MakeModel, make_prompt: MakePrompt) -> None:
    model = make_model()
    engine = Engine(model)
    request = GenerationRequest(
        prompt=make_prompt([7, 8]), state=model.empty_state(), sampling=SamplingParams(max_new_tokens=2)
    )
    assert engine.submit(request).result(60).token_ids
    reference, thread = weakref.ref(model), engine._thread
    del engine, model, request
    deadline = time.monotonic() + 10
    while (thread.is_alive() or reference() is not None) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert not thread.is_alive()
    assert reference() is None


def test_more_requests_than_fit_one_batch_are_all_answered(model: DeltaMemModel, request_for: Request) -> None:
    with Engine(model, max_batch_size=2) as engine:
        generations = [engine.submit(request_for(first=10 + n, max_new_tokens=1 + n % 4)) for n in range(9)]
        for n, generation in enumerate(generations):
            assert len(generation.result(60).token_ids) == 1 + n % 4


async def test_an_event_loop_can_wait_for_a_generation(engine: Engine, request_for: Request) -> None:
    generations = [engine.submit(request_for(first=10 + n)) for n in range(3)]
    results = await asyncio.gather(*(asyncio.wrap_future(g.future) for g in generations))
    assert [r.finish_reason for r in results] == ["length"] * 3


def test_a_state_of_another_layout_is_refused(engine: Engine, request_for: Request) -> None:
    other = MemoryState.zeros(StateLayout(layers=("model.layers.0.self_attn",), heads=1, rank=2))
    with pytest.raises(StateMismatchError, match="layout"):
        engine.submit(request_for(state=other))


def test_states_from_the_engine_can_take_part_in_training(engine: Engine, request_for: Request) -> None:
    state = engine.submit(request_for()).result(60).state
    assert state is not None
    weight = torch.ones(state.layout.shape, requires_grad=True)
    (weight * state.values).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, state.values)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_new_tokens": 0},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": "0.9"},
        {"temperature": "0.7"},
        {"temperature": None},
        {"repetition_penalty": "1"},
        {"top_p": 1.1},
        {"top_k": -1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": float("inf")},
        {"seed": 1.5},
        {"seed": 2**63},
    ],
)
def test_sampling_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        SamplingParams(**fields)  # type: ignore[arg-type]  # wrong on purpose


def test_a_prompt_needs_tokens_and_as_many_of_everything() -> None:
    with pytest.raises(ConfigError, match="at least one token"):
        Prompt(input_ids=(), write_mask=(), message_ids=(), sentence_ids=())
    with pytest.raises(ConfigError, match="2, 1, 2, 2"):
        Prompt(input_ids=(1, 2), write_mask=(True,), message_ids=(0, 0), sentence_ids=(0, 0))
