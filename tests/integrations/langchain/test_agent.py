"""`create_agent` over many turns with tools: flat prompts, each message absorbed once, nothing torn by errors."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import pytest
import torch
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_dmem import DeltaMemLLM, DeltaMemMiddleware
from langchain_dmem.conversion import to_messages

SYSTEM = "Look it up, then answer."
TURNS = 40


@tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    return f"Rain in {city}"


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


@pytest.mark.parametrize(
    ("mode", "middleware"),
    [("checkpointer", True), ("checkpointer", False), ("history", False), ("newest", True)],
)
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
    offered = tool_user._turn_options({"tools": [convert_to_openai_tool(weather)]})
    session.absorb(to_messages([SystemMessage(SYSTEM), *messages]), agent_id="in one pass", options=offered)
    copy = session.info("in one pass")
    assert copy is not None
    assert copy.absorbed_messages == alice.absorbed_messages
    # The same numbers but for the order of floating-point sums: one token at a time against all at once.
    torch.testing.assert_close(copy.head.values, alice.head.values, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(copy.base.values, alice.base.values, rtol=1e-5, atol=1e-5)
