"""`create_agent` over many turns with tools: flat prompts, each message absorbed once, nothing torn by errors."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError

from langchain_dmem import DeltaMemLLM, DeltaMemMiddleware
from langchain_dmem.conversion import to_messages

SYSTEM = "Look it up, then answer."
TURNS = 40


@tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    return f"Rain in {city}"


@tool
def broken(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    raise OSError("the weather service is down")


def run_turns(llm: DeltaMemLLM, *, mode: str, middleware: bool) -> list[AnyMessage]:
    """The whole conversation. `mode`: a checkpointer, the caller's own history, or the newest message alone."""
    graph = create_agent(
        llm,
        [weather],
        system_prompt=SYSTEM,
        middleware=[DeltaMemMiddleware("alice")] if middleware else [],
        checkpointer=InMemorySaver() if mode == "checkpointer" else None,
    )
    config: Any = {"configurable": {"agent_id": "alice", "thread_id": "t"}}
    history: list[AnyMessage] = []
    for turn in range(TURNS):
        said = HumanMessage(f"Fact {turn:02}: how is it there?")
        sent = [*history, said] if mode == "history" else [said]
        messages = graph.invoke({"messages": sent}, config)["messages"]
        history = [*history, *messages] if mode == "newest" else messages
    return history


def prompt_tokens(messages: list[AnyMessage]) -> list[int]:
    """Of each turn: what its calls of the model were shown, together."""
    tokens: list[int] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            tokens.append(0)
        elif isinstance(message, AIMessage) and message.usage_metadata:
            tokens[-1] += message.usage_metadata["input_tokens"]
    return tokens


@pytest.mark.parametrize("middleware", [True, False], ids=["middleware", "model alone"])
@pytest.mark.parametrize("mode", ["checkpointer", "history", "newest"])
def test_forty_turns_with_tools_keep_the_prompt_flat_and_the_memory_exact(
    tool_user: DeltaMemLLM, mode: str, middleware: bool
) -> None:
    messages = run_turns(tool_user, mode=mode, middleware=middleware)
    assert Counter(type(message) for message in messages) == {
        HumanMessage: TURNS,
        AIMessage: 2 * TURNS,
        ToolMessage: TURNS,
    }
    tokens = prompt_tokens(messages)
    assert tokens[-1] <= 1.1 * tokens[1]
    assert max(tokens) <= 1.1 * tokens[1]

    session = tool_user._memory_session()
    alice = session.info("alice")
    assert alice is not None
    assert alice.absorbed_messages == len(messages)
    session.absorb(
        to_messages([SystemMessage(SYSTEM), *messages]),
        agent_id="in one pass",
        options=tool_user.bind_tools([weather]).bound._turn_options(  # type: ignore[attr-defined]
            {"tools": tool_user.bind_tools([weather]).kwargs["tools"]}  # type: ignore[attr-defined]
        ),
    )
    copy = session.info("in one pass")
    assert copy is not None
    assert copy.absorbed_messages == alice.absorbed_messages
    assert copy.head == alice.head
    assert copy.base == alice.base
