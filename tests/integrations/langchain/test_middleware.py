"""`DeltaMemMiddleware`: what the model is sent, time travel, and interrupts, with a tiny real model."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from dmem_agents import AgentIdError, HistoryDivergedWarning
from dmem_agents.store import InMemoryStateStore, Retention
from langchain_dmem import DeltaMemLLM, DeltaMemMiddleware
from langchain_dmem.middleware import unabsorbed


@tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    return f"Rain in {city}"


@tool
def approved(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather when somebody agrees."""
    return f"Rain in {city}, says {interrupt('May I?')}"


def graph_of(llm: DeltaMemLLM, saver: Any = None, *, agent_id: str | None = "alice", tools: Any = (weather,)) -> Any:
    return create_agent(llm, list(tools), middleware=[DeltaMemMiddleware(agent_id)], checkpointer=saver)


def say(graph: Any, text: str, config: Any) -> list[AnyMessage]:
    messages: list[AnyMessage] = graph.invoke({"messages": [HumanMessage(text)]}, config)["messages"]
    return messages


def info(llm: DeltaMemLLM, agent_id: str) -> Any:
    return llm._memory_session().info(agent_id)


def told_straight(llm: DeltaMemLLM, agent_id: str, *texts: str) -> Any:
    """The memory of an agent that was told just this."""
    graph = graph_of(llm, InMemorySaver(), agent_id=agent_id)
    for text in texts:
        say(graph, text, {"configurable": {"thread_id": "straight"}})
    return info(llm, agent_id).head


def after_turn(graph: Any, config: Any, turns: int) -> Any:
    """The checkpoint that ends so many turns."""
    for snapshot in graph.get_state_history(config):
        humans = sum(isinstance(m, HumanMessage) for m in snapshot.values.get("messages", []))
        if humans == turns and not snapshot.next:
            return snapshot.config
    raise AssertionError(f"no checkpoint after {turns} turns")


def before_all(graph: Any, config: Any) -> Any:
    return list(graph.get_state_history(config))[-1].config


def test_a_fork_from_an_earlier_checkpoint_has_the_memory_of_that_checkpoint(
    traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver())
    for text in ("I sail.", "I ski.", "I fly."):
        say(graph, text, of_thread("t"))
    say(graph, "I swim.", after_turn(graph, of_thread("t"), 1))
    assert info(traveller, "alice").head == told_straight(traveller, "straight", "I sail.", "I swim.")


def test_the_snapshots_of_a_real_store_serve_time_travel(tiny_folders: Any, of_thread: Any, tool_user: Any) -> None:
    store = InMemoryStateStore(retention=Retention(snapshots=20))
    llm = type(tool_user)(**tiny_folders, store=store, dtype="float32", max_tokens=100)
    graph = graph_of(llm, InMemorySaver())
    for text in ("I sail.", "I ski.", "I fly."):
        say(graph, text, of_thread("t"))
    say(graph, "I swim.", after_turn(graph, of_thread("t"), 1))
    assert info(llm, "alice").head == told_straight(llm, "straight", "I sail.", "I swim.")
    llm._memory_session().close()


def test_after_a_fork_the_thread_goes_on_from_it_and_the_other_branch_can_be_gone_back_to(
    traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver())
    for text in ("I sail.", "I ski."):
        say(graph, text, of_thread("t"))
    old_branch = after_turn(graph, of_thread("t"), 2)
    say(graph, "I swim.", after_turn(graph, of_thread("t"), 1))
    say(graph, "I run.", of_thread("t"))
    assert info(traveller, "alice").head == told_straight(traveller, "one", "I sail.", "I swim.", "I run.")
    say(graph, "I fly.", old_branch)
    assert info(traveller, "alice").head == told_straight(traveller, "two", "I sail.", "I ski.", "I fly.")


def test_before_its_first_turn_an_agent_has_an_empty_memory_again(traveller: DeltaMemLLM, of_thread: Any) -> None:
    graph = graph_of(traveller, InMemorySaver())
    say(graph, "I sail.", of_thread("t"))
    start = before_all(graph, of_thread("t"))
    say(graph, "I ski.", start)
    assert info(traveller, "alice").head == told_straight(traveller, "straight", "I ski.")


async def test_time_travel_works_for_asyncio_too(traveller: DeltaMemLLM, of_thread: Any) -> None:
    graph = graph_of(traveller, InMemorySaver())
    for text in ("I sail.", "I ski.", "I fly."):
        await graph.ainvoke({"messages": [HumanMessage(text)]}, of_thread("t"))
    await graph.ainvoke({"messages": [HumanMessage("I swim.")]}, after_turn(graph, of_thread("t"), 1))
    assert info(traveller, "alice").head == told_straight(traveller, "straight", "I sail.", "I swim.")


@pytest.mark.filterwarnings("ignore:The chat of agent 'alice'")
def test_a_version_that_is_not_kept_any_more_is_said_so(traveller: DeltaMemLLM, keeping: Any, of_thread: Any) -> None:
    graph = graph_of(traveller, InMemorySaver())
    for text in ("I sail.", "I ski.", "I fly."):
        say(graph, text, of_thread("t"))
    earlier = after_turn(graph, of_thread("t"), 1)
    keeping.drop_versions()
    with pytest.warns(HistoryDivergedWarning, match="does not keep"):
        say(graph, "I swim.", earlier)


def test_two_threads_of_one_agent_share_its_memory_and_never_set_it_back(
    traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver())
    for thread, text in (("a", "I sail."), ("b", "I ski."), ("a", "I fly."), ("b", "I swim.")):
        say(graph, text, of_thread(thread))
    assert info(traveller, "alice").absorbed_messages == 16
    assert info(traveller, "alice").head == told_straight(
        traveller, "straight", "I sail.", "I ski.", "I fly.", "I swim."
    )


@pytest.mark.parametrize("turns", [1, 2])
def test_after_forgetting_a_thread_goes_on_without_what_was_forgotten(
    turns: int, traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver(), tools=())  # so that a turn is one version
    session = traveller._memory_session()
    for text in ("I sail.", "I ski.", "I fly."):
        say(graph, text, of_thread("t"))
    session.forget("alice")
    texts = ["I swim.", "I run."][:turns]
    for text in texts:
        say(graph, text, of_thread("t"))
    say(graph, "I row.", of_thread("other"))  # the memory is ahead of the thread
    say(graph, "I dive.", of_thread("t"))
    straight = graph_of(traveller, InMemorySaver(), agent_id="straight", tools=())
    for text in (*texts, "I row.", "I dive."):
        say(straight, text, of_thread("straight"))
    assert info(traveller, "alice").head == info(traveller, "straight").head


@pytest.mark.parametrize("thread", ["t", "other"])
@pytest.mark.parametrize("waits", [False, True])
async def test_a_checkpoint_of_a_forgotten_memory_takes_the_new_one_as_it_is(
    thread: str, waits: bool, traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver(), tools=())

    async def tell(text: str, config: Any) -> None:
        turn = {"messages": [HumanMessage(text)]}
        _ = await graph.ainvoke(turn, config) if waits else graph.invoke(turn, config)

    await tell("I sail.", of_thread("t"))
    assert traveller._memory_session().forget("alice")
    for text in ("I swim.", "I run."):
        await tell(text, of_thread(thread))
    await tell("I dive.", after_turn(graph, of_thread("t"), 1))
    straight = graph_of(traveller, InMemorySaver(), agent_id="straight", tools=())
    for text in ("I swim.", "I run.", "I dive."):
        say(straight, text, of_thread("straight"))
    assert info(traveller, "alice").head == info(traveller, "straight").head


def test_an_interrupted_turn_goes_on_as_if_it_had_not_been(traveller: DeltaMemLLM, of_thread: Any) -> None:
    graph = graph_of(traveller, InMemorySaver(), tools=[approved])
    waiting = graph.invoke({"messages": [HumanMessage("Is it raining?")]}, of_thread("t"))
    assert waiting["__interrupt__"]
    version = info(traveller, "alice").version
    messages = graph.invoke(Command(resume="Bob"), of_thread("t"))["messages"]
    assert [type(message) for message in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert messages[2].content.endswith("says Bob")
    assert (info(traveller, "alice").version, info(traveller, "alice").absorbed_messages) == (version + 1, 4)


def test_a_turn_that_waited_for_approval_takes_nothing_of_another_threads_back(
    traveller: DeltaMemLLM, of_thread: Any
) -> None:
    graph = graph_of(traveller, InMemorySaver(), tools=[approved])
    waiting = graph.invoke({"messages": [HumanMessage("Is it raining?")]}, of_thread("t"))
    assert waiting["__interrupt__"]
    traveller.invoke("I sail.", agent_id="alice", tool_choice="none", tools=[], max_tokens=4)
    before = info(traveller, "alice")
    with warnings.catch_warnings():
        warnings.simplefilter("error", HistoryDivergedWarning)
        messages = graph.invoke(Command(resume="Bob"), of_thread("t"))["messages"]
    assert [type(message) for message in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    after = info(traveller, "alice")
    assert (after.absorbed_messages, after.base) == (before.absorbed_messages + 2, before.head)


def test_the_graphs_state_says_which_version_goes_with_its_messages(traveller: DeltaMemLLM, of_thread: Any) -> None:
    graph = graph_of(traveller, InMemorySaver())
    say(graph, "I sail.", of_thread("t"))
    assert graph.get_state(of_thread("t")).values["dmem_version"] == {"alice": info(traveller, "alice").version}


def test_what_the_memory_holds_is_not_sent_again(traveller: DeltaMemLLM, of_thread: Any, monkeypatch: Any) -> None:
    sent: list[list[AnyMessage]] = []
    real = type(traveller)._generate
    monkeypatch.setattr(
        type(traveller),
        "_generate",
        lambda self, messages, *a, **k: sent.append(messages) or real(self, messages, *a, **k),
    )
    graph = graph_of(traveller, InMemorySaver())
    for text in ("I sail.", "I ski."):
        say(graph, text, of_thread("t"))
    assert [[type(m) for m in messages] for messages in sent[2:]] == [
        [HumanMessage],
        [HumanMessage, AIMessage, ToolMessage],
    ]


def test_a_named_agent_wins_over_the_configs_and_a_bad_name_is_refused(traveller: DeltaMemLLM, of_thread: Any) -> None:
    say(graph_of(traveller), "Hi", of_thread("t", agent_id="bob"))
    say(graph_of(traveller, agent_id=None), "Hi", of_thread("t", agent_id="carol"))
    assert sorted(traveller._memory_session().list_agents()) == ["alice", "carol"]
    with pytest.raises(AgentIdError):
        DeltaMemMiddleware("")


def test_another_model_in_the_graph_is_left_alone() -> None:
    other = GenericFakeChatModel(messages=iter([AIMessage("Hello")]))
    graph = create_agent(other, middleware=[DeltaMemMiddleware("alice")])
    assert graph.invoke({"messages": [HumanMessage("Hi")]})["messages"][-1].content == "Hello"


def test_the_current_turn_stays_whole_and_system_messages_stay() -> None:
    first = [HumanMessage("a", id="1"), AIMessage("b", id="2")]
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "x"}], id="4")
    turn = [HumanMessage("c", id="3"), call, ToolMessage("r", tool_call_id="x", id="5")]
    system = SystemMessage("S", id="0")
    assert unabsorbed([system, *first, *turn], "2") == [system, *turn]
    assert unabsorbed([*first, *turn], "4") == turn
    assert unabsorbed([*first, *turn], "unknown") == [*first, *turn]
    new = [*first, *turn, HumanMessage("d", id="6")]
    assert unabsorbed(new, "2") == [*turn, new[-1]]
