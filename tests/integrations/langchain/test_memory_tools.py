"""`memory_tools` in an agent whose calls are forced."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from dmem_agents import AgentIdError
from langchain_dmem import DeltaMemLLM, DeltaMemMiddleware, memory_tools


@pytest.fixture
def tool_user(tool_user: DeltaMemLLM) -> DeltaMemLLM:
    """With tokens enough, of a byte each, for the longest fact."""
    return tool_user.model_copy(update={"max_tokens": 1200})


def test_what_an_agent_remembers_of_its_own_is_absorbed_with_its_turn(tool_user: DeltaMemLLM) -> None:
    remember, _ = memory_tools(tool_user)
    graph = create_agent(tool_user, [remember])
    config: Any = {"configurable": {"agent_id": "alice"}}
    messages = graph.invoke({"messages": [HumanMessage("I sail.")]}, config)["messages"]
    kept = next(message for message in messages if isinstance(message, ToolMessage))
    assert kept.content.startswith("Remembered: ")
    info = tool_user.for_agent("alice").memory.info()
    assert info is not None
    assert (info.version, info.absorbed_messages) == (2, 4)


def test_what_is_remembered_for_others_goes_into_their_memory(tool_user: DeltaMemLLM) -> None:
    remember, _ = memory_tools(tool_user.for_agent("team"))
    graph = create_agent(tool_user, [remember])
    graph.invoke({"messages": [HumanMessage("I sail.")]}, {"configurable": {"agent_id": "alice"}})
    team = tool_user.for_agent("team").memory.info()
    assert team is not None
    assert (team.version, team.absorbed_messages) == (1, 1)


def test_forgetting_leaves_only_the_turn_that_did_it(tool_user: DeltaMemLLM) -> None:
    _, forget = memory_tools(tool_user)
    saver, config = InMemorySaver(), {"configurable": {"thread_id": "t"}}
    create_agent(tool_user, middleware=[DeltaMemMiddleware("alice")], checkpointer=saver).invoke(
        {"messages": [HumanMessage("I sail.")]},
        config,  # type: ignore[arg-type]
    )
    graph: Any = create_agent(tool_user, [forget], middleware=[DeltaMemMiddleware("alice")], checkpointer=saver)
    messages = graph.invoke({"messages": [HumanMessage("Forget it.")]}, config)["messages"]
    assert messages[-2].content == "Everything is forgotten."
    info = tool_user.for_agent("alice").memory.info()
    assert info is not None
    assert info.absorbed_messages == 4


def test_a_tool_about_nobody_says_how_to_name_somebody(tool_user: DeltaMemLLM) -> None:
    remember, _ = memory_tools(tool_user)
    with pytest.raises(AgentIdError, match="memory_tools"):
        create_agent(tool_user, [remember]).invoke({"messages": [HumanMessage("I sail.")]})
