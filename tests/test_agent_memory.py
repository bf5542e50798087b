"""`remember`, `recall` and `memory`, with a tiny real model and no framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from dmem_agents import (
    AgentIdError,
    ChatModelSettings,
    DeltaMemConfig,
    LoadedModel,
    Message,
    StateCorruptError,
    StateMismatchError,
    agent,
    attach,
)
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer


def settings(seed: int = 7) -> ChatModelSettings:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = attach(tiny_model(), DeltaMemConfig(rank=4, output_init="random", online_gain=3.0)).eval()
    loaded = LoadedModel(model=model, tokenizer=tiny_tokenizer())
    return ChatModelSettings(session=loaded, store="memory://", max_tokens=6)


@pytest.fixture
def llm() -> Iterator[ChatModelSettings]:
    llm = settings()
    yield llm
    llm._memory_session().close()


def head(llm: ChatModelSettings, agent_id: str) -> Any:
    info = llm.for_agent(agent_id).memory.info()
    assert info is not None
    return info.head


def test_what_is_remembered_is_the_memory_that_absorbing_the_same_message_makes(llm: ChatModelSettings) -> None:
    reply = llm.remember("My cat is called Tom.", agent_id="told")
    assert (reply.text, reply.version, reply.absorbed_messages) == ("", 1, 1)
    llm._memory_session().absorb([Message(role="user", content="My cat is called Tom.")], agent_id="absorbed")
    assert head(llm, "told") == head(llm, "absorbed")


def test_messages_that_were_absorbed_before_are_not_remembered_again(llm: ChatModelSettings) -> None:
    alice = llm.for_agent("alice")
    talk = [Message(role="user", content="Hi"), Message(role="assistant", content="Hello.")]
    assert alice.remember(talk).absorbed_messages == 2
    more = [*talk, Message(role="user", content="I sail."), Message(role="assistant", content="Nice.")]
    assert alice.remember(more).absorbed_messages == 2
    before = head(llm, "alice")
    alice.remember(more)
    info = alice.memory.info()
    assert info is not None
    assert (info.absorbed_messages, info.head == before) == (4, True)


def test_recalling_answers_from_the_memory_and_writes_nothing(llm: ChatModelSettings) -> None:
    alice = llm.for_agent("alice")
    alice.remember("My cat is called Tom.")
    before = head(llm, "alice")
    answer = alice.recall("What is my cat called?")
    assert answer == alice.recall("What is my cat called?") != llm.recall("What is my cat called?", agent_id="bob")
    assert head(llm, "alice") == before
    assert len(alice.recall("What is my cat called?", max_tokens=1)) < len(answer)


async def test_the_async_twins_do_the_same(llm: ChatModelSettings) -> None:
    llm.remember("My cat is called Tom.", agent_id="sync")
    await llm.aremember("My cat is called Tom.", agent_id="async")
    assert head(llm, "sync") == head(llm, "async")
    assert await llm.arecall("And?", agent_id="async") == llm.recall("And?", agent_id="sync")


def test_a_model_that_only_reads_still_remembers_when_told_to(llm: ChatModelSettings) -> None:
    reader = llm.model_copy(update={"read_only": True, "agent_id": "alice"})
    assert reader.remember("I sail.").version == 1


def test_the_agent_may_come_from_the_context_and_must_come_from_somewhere(llm: ChatModelSettings) -> None:
    with agent("alice"):
        llm.remember("I sail.")
        assert llm.memory.agent_id == "alice"
    for attempt in (lambda: llm.remember("x"), lambda: llm.recall("x"), lambda: llm.memory):
        with pytest.raises(AgentIdError, match="for_agent"):
            attempt()


def test_forgetting_leaves_nothing_and_says_whether_there_was_something(llm: ChatModelSettings) -> None:
    alice = llm.for_agent("alice")
    assert not alice.memory.forget()
    alice.remember("I sail.")
    assert alice.memory.forget()
    assert alice.memory.info() is None
    assert list(llm._memory_session().list_agents()) == []


def test_a_snapshot_brings_the_memory_back_as_one_more_version(llm: ChatModelSettings) -> None:
    alice = llm.for_agent("alice")
    alice.remember("I sail.")
    before, snapshot = head(llm, "alice"), alice.memory.snapshot()
    alice.remember("I don't.")
    assert head(llm, "alice") != before
    assert alice.memory.restore(snapshot).version == 3
    assert head(llm, "alice") == before
    bob = llm.for_agent("bob").memory.restore(snapshot)
    assert (bob.version, bob.head == before) == (1, True)


def test_a_snapshot_repairs_a_damaged_memory(llm: ChatModelSettings) -> None:
    alice, store = llm.for_agent("alice"), llm._memory_session().store
    alice.remember("I sail.")
    before, snapshot = head(llm, "alice"), alice.memory.snapshot()
    store.commit("alice", b"damaged", expected=store.load("alice"))
    with pytest.raises(StateCorruptError):
        alice.memory.info()
    assert alice.memory.restore(snapshot).version == 3
    assert head(llm, "alice") == before


def test_a_snapshot_of_nobody_a_damaged_one_and_one_of_another_model_are_refused(llm: ChatModelSettings) -> None:
    alice = llm.for_agent("alice")
    with pytest.raises(AgentIdError, match="alice"):
        alice.memory.snapshot()
    alice.remember("I sail.")
    before = head(llm, "alice")
    with pytest.raises(StateCorruptError):
        alice.memory.restore(alice.memory.snapshot()[:-1])
    other = settings(seed=8).for_agent("alice")
    other.remember("I sail.")
    with pytest.raises(StateMismatchError):
        alice.memory.restore(other.memory.snapshot())
    assert head(llm, "alice") == before
    other._memory_session().close()
