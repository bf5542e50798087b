"""Cases of whole engines and sessions: many agents at once, the engine's own share, and turns over a long life."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from transformers import AutoTokenizer

from benchmarks.models import some_ids, with_memory
from benchmarks.registry import REPEATS, Result, Row, alternating, case
from dmem_agents import LoadedModel, MemorySession, Message, SessionConfig, TurnOptions
from dmem_agents.engine import Engine, GenerationRequest, Prompt, SamplingParams
from dmem_agents.engine.rows import Row as EngineRow
from dmem_agents.model.embedded import embedded_model_folder
from dmem_agents.model.kv_cache import SlotCache
from dmem_agents.session import turn as session_turn
from dmem_agents.state import MemoryState
from dmem_agents.store import open_store

_PROMPT_TOKENS = 64
_TURNS = 50
_ANSWER_TOKENS = 8
_MESSAGE = "Here is message number {number:02d}. What do you think of the weather in the city of {number:02d} bridges?"


@case("concurrency")
def concurrency_case(quick: bool) -> Result:
    """Tokens per second of several agents decoding together, and the engine's time over bare forward passes."""
    model = with_memory("shipped")
    new_tokens, repeats = (12, 3) if quick else (24, REPEATS)
    with Engine(model, max_batch_size=16) as engine:
        sides: dict[str, Callable[[], object]] = {
            str(agents): partial(_together, engine, agents, new_tokens) for agents in (1, 2, 4, 8, 16)
        }
        sides["1 token"], sides["8, 1 token"] = partial(_together, engine, 1, 1), partial(_together, engine, 8, 1)
        sides["bare"] = partial(_bare, model, 8, new_tokens)
        times = alternating(sides, repeats=repeats)

    def decoding(agents: str) -> float:
        """Seconds for the tokens after each agent's first, which comes with the prompt."""
        first = times["1 token" if agents == "1" else "8, 1 token"]
        return times[agents]["median"] - first["median"]

    series = [
        {"agents": agents, "tokens_per_second": agents * new_tokens / times[str(agents)]["median"]}
        for agents in (1, 2, 4, 8, 16)
    ]
    rows = [
        Row(
            what="8 agents decoding together: total tokens/s over one agent's",
            value=8 * decoding("1") / decoding("8"),
            target=4,
            at="least",
            details=times,
        ),
        Row(
            what=f"the same with their prompts of {_PROMPT_TOKENS} tokens",
            value=series[3]["tokens_per_second"] / series[0]["tokens_per_second"],
            at="least",
        ),
        Row(
            what="engine, 8 agents: time beyond that of the bare forward passes",
            value=100 * (times["8"]["median"] / times["bare"]["median"] - 1),
            target=5,
            unit="%",
            details={"engine": times["8"], "bare": times["bare"]},
        ),
    ]
    return Result(rows=rows, series={"concurrency": series})


def _together(engine: Engine, agents: int, new_tokens: int) -> None:
    ids = some_ids(_PROMPT_TOKENS, agents).tolist()
    requests = [
        GenerationRequest(
            prompt=Prompt(
                input_ids=tuple(row),
                write_mask=(True,) * len(row),
                message_ids=(0,) * len(row),
                sentence_ids=(0,) * len(row),
            ),
            state=MemoryState.zeros(engine.layout),
            sampling=SamplingParams(max_new_tokens=new_tokens),
            owner=str(number),
        )
        for number, row in enumerate(ids)
    ]
    with engine._queue._changed:  # so that the engine finds all of them at its next step
        generations = [engine.submit(request) for request in requests]
    for generation in generations:
        if len(generation.result().token_ids) != new_tokens:
            raise RuntimeError(f"Expected {new_tokens} tokens of each agent; the comparison would not be fair.")


@torch.inference_mode()
def _bare(model: Any, agents: int, new_tokens: int) -> None:
    """The same forward passes without an engine: tokens are given, nothing is chosen, nobody waits."""
    output = model(some_ids(_PROMPT_TOKENS, agents), use_cache=True, logits_to_keep=1)
    token = some_ids(1, agents)
    # With the engine's own kind of cache: the usual one, which grows by copying, would flatter the engine.
    cache = SlotCache(agents, model.backbone.config.num_hidden_layers)
    cache.join(output.cache, [_PROMPT_TOKENS] * agents)
    for position in range(_PROMPT_TOKENS, _PROMPT_TOKENS + new_tokens - 1):
        cache.reserve()
        positions = torch.full((agents, 1), position)
        output = model(token, state=output.state, cache=cache, position_ids=positions, logits_to_keep=1)
        cache.advance()


@case("turns")
def turns_case(quick: bool) -> Result:
    """Turn 50 against turn 2 of an agent, messages of one length; beside it the same with the full history shown."""
    turns, repeats = (12, 3) if quick else (_TURNS, REPEATS)
    with _session("memory://") as session, _answers_of_equal_length():
        history, records, series = [], {}, []
        session.reply([Message(role="user", content="Hello.")], agent_id="warm-up", options=_options())
        for number in range(1, turns + 1):
            if number in (2, turns):
                records[number] = session.store.load("agent").data
            history.append(Message(role="user", content=_MESSAGE.format(number=number)))
            started = time.perf_counter()
            reply = session.reply([history[-1]], agent_id="agent", options=_options())
            point = {"turn": number, "seconds": time.perf_counter() - started, "prompt_tokens": reply.prompt_tokens}
            if number in (1, 2) or number % 10 == 0:
                started = time.perf_counter()
                shown = session.reply(history, agent_id="agent", options=_options(context="full", read_only=True))
                point["full_seconds"] = time.perf_counter() - started
                point["full_prompt_tokens"] = shown.prompt_tokens
            history.append(Message(role="assistant", content=reply.text))
            series.append(point)
        answers: dict[int, Any] = {}
        counter = iter(range(10_000))

        def again(number: int) -> None:
            """That turn once more, from a copy of the agent as it then was."""
            agent = f"copy-{next(counter)}"
            session.store.commit(agent, records[number], expected=None)
            message = Message(role="user", content=_MESSAGE.format(number=number))
            answers[number] = session.reply([message], agent_id=agent, options=_options())

        times = alternating({str(number): partial(again, number) for number in records}, repeats=repeats)
    made = {number: answer.completion_tokens for number, answer in answers.items()}
    if set(made.values()) != {_ANSWER_TOKENS}:
        raise RuntimeError(
            f"Expected answers of {_ANSWER_TOKENS} tokens, got {made}; the comparison would not be fair."
        )
    shown = {number: answer.prompt_tokens for number, answer in answers.items()}
    return Result(
        rows=[
            Row(
                what=f"turn {turns} against turn 2, answers of {_ANSWER_TOKENS} tokens: time",
                value=times[str(turns)]["median"] / times["2"]["median"],
                target=1.05,
                details={"seconds": times, "answer_tokens": made},
            ),
            Row(
                what=f"turn {turns} against turn 2: prompt tokens",
                value=shown[turns] / shown[2],
                target=1.05,
                details={"prompt_tokens": shown},
            ),
        ],
        series={"turns": series},
    )


@case("parts")
def parts_case(quick: bool) -> Result:
    """What the parts of a turn cost, with the records in SQLite."""
    with tempfile.TemporaryDirectory() as folder, _session(f"sqlite:///{folder}/agents.db") as session:
        seconds: list[dict[str, float]] = []
        for number in range(1, 4 if quick else 10):
            message = Message(role="user", content=_MESSAGE.format(number=number))
            with _parts(session) as spent:
                started = time.perf_counter()
                session.reply([message], agent_id="agent", options=_options())
                total = time.perf_counter() - started
            seconds.append({**spent, "everything else": total - sum(spent.values())})
    names = list(seconds[-1])
    medians = {name: statistics.median(turn.get(name, 0.0) for turn in seconds[1:]) for name in names}
    share = 100 * (1 - (medians["prefill"] + medians["decoding"]) / sum(medians.values()))
    row = Row(what="share of a turn that is not the model's forward passes", value=share, unit="%", details=medians)
    return Result(rows=[row], series={"parts": medians})


@contextmanager
def _parts(session: MemorySession) -> Iterator[dict[str, float]]:
    """Seconds by part of what runs meanwhile; no two of the parts contain each other."""
    spent: dict[str, float] = defaultdict(float)
    runtime = session._runtime

    def timed(part: Callable[..., str] | str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                name = part if isinstance(part, str) else part(*args)
                spent[name] += time.perf_counter() - started

        return run

    with ExitStack() as patches:
        model = with_memory("shipped")
        by_width = lambda ids, *_: "decoding" if ids.shape[1] == 1 else "prefill"  # noqa: E731
        patches.enter_context(patch.object(model, "forward", timed(by_width, model.forward)))
        for name in ("load", "commit"):
            patches.enter_context(patch.object(session.store, name, timed("store", getattr(session.store, name))))
        for name in ("encode_record", "decode_record"):
            patches.enter_context(patch.object(session_turn, name, timed("codec", getattr(session_turn, name))))
        patches.enter_context(patch.object(EngineRow, "choose", timed("choosing tokens", EngineRow.choose)))
        if runtime is not None:
            chat = runtime.chat
            for name in ("render", "encode", "decode"):
                patches.enter_context(patch.object(chat, name, timed("template and tokens", getattr(chat, name))))
        yield spent


@contextmanager
def _answers_of_equal_length() -> Iterator[None]:
    """Let no answer end before its last token: a longer answer would pass for a slower turn."""
    choose = EngineRow.choose

    def choose_no_end(row: EngineRow, scores: torch.Tensor) -> None:
        scores = scores.clone()
        scores[list(row.request.stop_ids)] = -torch.inf
        choose(row, scores)

    with patch.object(EngineRow, "choose", choose_no_end):
        yield


def _options(**fields: Any) -> TurnOptions:
    return TurnOptions(sampling=SamplingParams(max_new_tokens=_ANSWER_TOKENS), **fields)


@contextmanager
def _session(store: str) -> Iterator[MemorySession]:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_folder())
    with open_store(store) as opened:
        session = MemorySession(
            SessionConfig(store=opened), loaded=LoadedModel(model=with_memory("shipped"), tokenizer=tokenizer)
        )
        try:
            yield session
        finally:
            session.close()
