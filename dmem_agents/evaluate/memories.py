"""Pasts to states and questions to answers, in batches through the engine: serving's path without a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch

from dmem_agents.engine import Engine, GenerationRequest, Prompt, SamplingParams
from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.session.prompts import closed_prompt, open_prompt
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer


def turns_of(messages: Sequence[Message]) -> Iterator[tuple[Message, ...]]:
    """The turns of a past that was told message by message: each user message opens one."""
    turn: list[Message] = []
    for message in messages:
        if message.role == "user" and turn:
            yield tuple(turn)
            turn = []
        turn.append(message)
    if turn:
        yield tuple(turn)


def absorb_all(
    engine: Engine,
    chat: ChatTokenizer,
    pasts: Sequence[Sequence[Message]],
    systems: Sequence[Sequence[Message]] = (),
) -> list[MemoryState]:
    """The state of each past, from an empty one, turn by turn; equal to `MemorySession.absorb` of each turn.

    Args:
        engine: runs them together.
        chat: renders.
        pasts: what was told to each agent.
        systems: each agent's system messages, if any: shown before every turn and never written.
    """
    states = [MemoryState.zeros(engine.layout) for _ in pasts]
    for level in zip_longest(*(list(turns_of(past)) for past in pasts)):
        requests = [
            (
                row,
                GenerationRequest(
                    prompt=_told(chat, turn, systems[row] if systems else ()), state=states[row], sampling=None
                ),
            )
            for row, turn in enumerate(level)
            if turn
        ]
        running = [(row, engine.submit(request)) for row, request in requests]
        for row, generation in running:
            state = generation.result().state
            if state is not None:
                states[row] = state
    return states


def _told(chat: ChatTokenizer, turn: Sequence[Message], system: Sequence[Message]) -> Prompt:
    return closed_prompt(chat, (*system, *turn), range(len(system), len(system) + len(turn)))


def answer_all(
    engine: Engine,
    chat: ChatTokenizer,
    questions: Sequence[Sequence[Message]],
    states: Sequence[MemoryState],
    *,
    max_new_tokens: int = 24,
    online: bool = False,
) -> list[str]:
    """Greedy answers to fresh prompts, each read from its state.

    Args:
        engine: runs them together.
        chat: renders.
        questions: what each prompt shows.
        states: one per question.
        max_new_tokens: of each answer.
        online: True writes the question and the answer as they pass, as a live turn does; False freezes the state.
    """

    def written(shown: Sequence[Message]) -> list[int]:
        return [i for i, message in enumerate(shown) if online and message.role != "system"]

    running = [
        engine.submit(
            GenerationRequest(
                prompt=open_prompt(chat, shown, written(shown), write_answer=online),
                state=state,
                write=online,
                sampling=SamplingParams(max_new_tokens=max_new_tokens),
                stop_ids=chat.eos_ids,
            )
        )
        for shown, state in zip(questions, states, strict=True)
    ]
    return [chat.decode(generation.result().token_ids) for generation in running]


def strangers(pasts: Sequence[Sequence[Message]], values: Sequence[str] | None = None) -> list[int]:
    """For each past the index of another one, whose state is its stranger's: the next, round the end.

    Args:
        pasts: what was told to each agent.
        values: what each is asked for; a past that says it is passed over while there is another, since a hit out
            of it would look like a leak.

    Raises:
        ConfigError: a past for which there is no other, because all are equal or there is only one.
    """
    count = len(pasts)
    told = [" ".join(m.content for m in past).lower() for past in pasts]
    found = []
    for own in range(count):
        others = [j % count for j in range(own + 1, own + count) if told[j % count] != told[own]]
        if not others:
            raise ConfigError(
                f"Expected at least two different pasts, so that one can be another's stranger; got {count}, all equal."
            )
        value = values[own].lower() if values else ""
        found.append(next((j for j in others if not value or value not in told[j]), others[0]))
    return found


def corrupted(state: MemoryState) -> MemoryState:
    """The numbers in wrong places: rows rolled by one, columns reversed, heads rolled by one (`delta-mem.md` §6.2)."""
    values = torch.flip(state.values.roll(1, dims=2), dims=(3,)).roll(1, dims=1)
    return MemoryState(layout=state.layout, values=values)
