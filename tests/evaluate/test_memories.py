"""Pasts become the states that a turn-by-turn forward makes of them, and nobody is their own stranger."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.memories import absorb_all, answer_all, corrupted, strangers, turns_of
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer


def past(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role="user", content=text) for text in texts)


def test_a_turn_begins_with_each_user_message() -> None:
    roles = ("assistant", "user", "assistant", "tool", "user", "user")
    messages = [Message(role=role, content=str(i)) for i, role in enumerate(roles)]  # type: ignore[arg-type]
    assert [[m.content for m in turn] for turn in turns_of(messages)] == [["0"], ["1", "2", "3"], ["4"], ["5"]]


def test_pasts_of_different_lengths_become_the_states_of_their_turns_fed_one_by_one(
    model: DeltaMemModel, chat: ChatTokenizer
) -> None:
    pasts = [past("My name is Ana.", "I live in Oslo."), past("Hi.")]
    with Engine(model) as engine:
        states = absorb_all(engine, chat, pasts)
    for told, state in zip(pasts, states, strict=True):
        fed = torch.zeros(2, 1, 2, 4, 4)
        for message in told:
            ids = torch.tensor([chat.render([message], add_generation_prompt=False).input_ids])
            with torch.no_grad():
                fed = model(ids, state=fed).state
        torch.testing.assert_close(state.values, fed[:, 0], atol=1e-5, rtol=1e-4)


def test_a_system_prompt_is_shown_before_every_turn_and_leaves_no_trace_of_its_own(
    model: DeltaMemModel, chat: ChatTokenizer
) -> None:
    system, told = Message(role="system", content="Be kind."), past("My name is Ana.", "I live in Oslo.")
    with Engine(model) as engine:
        (under,) = absorb_all(engine, chat, [told], [[system]])
        (plain,) = absorb_all(engine, chat, [told])
    fed = torch.zeros(2, 1, 2, 4, 4)
    for message in told:
        shown = chat.render([system, message], add_generation_prompt=False)
        written = torch.tensor([[i == 1 for i in shown.message_index]])
        with torch.no_grad():
            fed = model(torch.tensor([shown.input_ids]), state=fed, write_mask=written).state
    torch.testing.assert_close(under.values, fed[:, 0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(under.values, plain.values, atol=1e-4)


def test_a_frozen_answer_is_the_same_twice_and_depends_on_the_state(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    questions = [past("Who am I?")] * 3
    with Engine(model) as engine:
        (own,) = absorb_all(engine, chat, [past("My name is Ana. " * 4)])
        empty = MemoryState.zeros(engine.layout)
        first, again, without = answer_all(engine, chat, questions, [own, own, empty])
    assert first == again
    assert first != without


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8), st.booleans())
def test_a_stranger_never_has_the_own_past(texts: list[str], asked: bool) -> None:
    pasts = [past(text) for text in texts]
    if len(set(texts)) == 1:
        with pytest.raises(ConfigError, match="two different pasts"):
            strangers(pasts)
        return
    others = strangers(pasts, texts if asked else None)
    assert len(others) == len(texts)
    assert all(texts[other] != own for own, other in zip(texts, others, strict=True))


def test_a_stranger_who_says_the_asked_value_is_passed_over_while_there_is_another() -> None:
    pasts = [past("I like tea."), past("Tea for me."), past("I like rye.")]
    assert strangers(pasts, ["tea", "tea", "rye"]) == [2, 2, 0]
    assert strangers(pasts[:2], ["tea", "tea"]) == [1, 0]


def test_a_corrupted_state_has_the_same_numbers_in_other_places(model: DeltaMemModel) -> None:
    state = MemoryState(layout=model.layout, values=torch.randn(model.layout.shape))
    wrong = corrupted(state)
    assert wrong != state
    assert torch.equal(wrong.values.flatten().sort().values, state.values.flatten().sort().values)
