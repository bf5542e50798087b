"""What holds whatever happens around a turn: batches, concurrent runs, errors, wrappers, traces and logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError

from dmem_agents import LeaseLostError, StateDeletedError, agent
from dmem_agents.store import InMemoryStateStore
from dmem_agents.store.base import StoredRecord
from langchain_dmem import DeltaMemLLM, DeltaMemMiddleware


@tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    return f"Rain in {city}"


@tool
def broken(city: Literal["Oslo", "Rome"]) -> str:
    """Tells the weather."""
    raise OSError("the weather service is down")


@pytest.fixture
def llm(tiny: dict[str, Any]) -> DeltaMemLLM:
    return DeltaMemLLM(**tiny)


def stored(llm: DeltaMemLLM, agent_id: str = "alice") -> tuple[int, Any]:
    """Version and head; (0, None) when there is nothing."""
    info = llm._memory_session().info(agent_id)
    return (0, None) if info is None else (info.version, info.head)


def for_alice(**more: Any) -> Any:
    return {"configurable": {"agent_id": "alice", "thread_id": "t"}, **more}


class ForgottenDuringCommit(InMemoryStateStore):
    """Somebody has the agent forgotten just before a turn commits."""

    armed = False

    def commit(self, agent_id: str, data: bytes, **more: Any) -> StoredRecord:
        if self.armed:
            self.armed = False
            self.delete(agent_id)
        return super().commit(agent_id, data, **more)


@pytest.mark.parametrize("first_turn", [True, False])
def test_an_agent_forgotten_during_its_turn_is_not_brought_back_by_repeating_it(
    tiny: dict[str, Any], first_turn: bool
) -> None:
    llm = DeltaMemLLM(**{**tiny, "store": (store := ForgottenDuringCommit()), "max_retries": 2})
    if not first_turn:
        llm.invoke("Hello.", agent_id="alice")
    store.armed = True
    with pytest.raises(LeaseLostError if first_turn else StateDeletedError):
        llm.invoke("My secret is blue.", agent_id="alice")
    assert not store.armed
    assert stored(llm) == (0, None)


# Batches and concurrent runs


def test_a_batch_of_sixteen_agents_says_and_stores_what_single_calls_do(llm: DeltaMemLLM) -> None:
    texts = [f"My number is {number}, and I live {'far ' * (number % 5)}away." for number in range(16)]
    for number, text in enumerate(texts):
        llm.remember(text, agent_id=f"single {number}")
        llm.remember(text, agent_id=f"batch {number}")
    single = [llm.invoke("Which?", agent_id=f"single {number}").content for number in range(16)]
    configs = [{"configurable": {"agent_id": f"batch {number}"}} for number in range(16)]
    together = [answer.content for answer in llm.batch(["Which?"] * 16, configs)]  # type: ignore[arg-type]
    assert together == single
    assert len(set(single)) > 1


def test_two_runs_of_one_agent_at_once_come_one_after_the_other(llm: DeltaMemLLM) -> None:
    llm.invoke("Hi", agent_id="alice")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: llm.invoke(f"Fact {n}", agent_id="alice"), range(4)))
    versions = sorted(answer.response_metadata["dmem_version"] for answer in answers)
    assert versions == [2, 3, 4, 5]
    info = llm._memory_session().info("alice")
    assert info is not None
    assert (info.version, info.absorbed_messages) == (5, 10)


async def test_two_async_runs_of_one_agent_at_once_come_one_after_the_other(llm: DeltaMemLLM) -> None:
    answers = await asyncio.gather(*(llm.ainvoke(f"Fact {n}", agent_id="alice") for n in range(4)))
    assert sorted(answer.response_metadata["dmem_version"] for answer in answers) == [1, 2, 3, 4]


# Errors around a turn


@pytest.mark.parametrize("middleware", [(), (DeltaMemMiddleware("alice"),)], ids=["model alone", "middleware"])
def test_a_tool_that_raises_leaves_the_memory_of_the_last_committed_step(
    tool_user: DeltaMemLLM, middleware: Any
) -> None:
    graph = create_agent(tool_user, [broken], middleware=middleware, checkpointer=InMemorySaver())
    with pytest.raises(OSError, match="down"):
        graph.invoke({"messages": [HumanMessage("How is it?")]}, for_alice())
    version, head = stored(tool_user)
    assert version == 1
    straight = tool_user.bind_tools([broken]).invoke("How is it?", agent_id="straight")
    assert straight.tool_calls
    assert head == stored(tool_user, "straight")[1]


def test_a_recursion_limit_leaves_the_memory_of_the_last_committed_step(tool_user: DeltaMemLLM) -> None:
    graph = create_agent(tool_user, [weather])
    with pytest.raises(GraphRecursionError):
        graph.invoke({"messages": [HumanMessage("How is it?")]}, for_alice(recursion_limit=2))
    assert stored(tool_user)[0] == 1
    assert graph.invoke({"messages": [HumanMessage("And now?")]}, for_alice())["messages"][-1].content is not None
    assert stored(tool_user)[0] == 3


async def test_a_cancelled_graph_stream_stores_no_half_turn(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 2000})
    await llm.ainvoke("Hi", agent_id="alice", max_tokens=2)
    before = stored(llm)
    graph = create_agent(llm)
    started = asyncio.Event()

    async def read() -> None:
        async for _ in graph.astream({"messages": [HumanMessage("Tell me all.")]}, for_alice(), stream_mode="messages"):
            started.set()

    reading = asyncio.create_task(read())
    await started.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert stored(llm) == before
    await llm.ainvoke("Hi again", agent_id="alice", max_tokens=2)
    assert stored(llm)[0] == before[0] + 1


def test_an_answer_that_a_parser_refuses_is_a_committed_turn_like_any_other(llm: DeltaMemLLM) -> None:
    def refuse(_: Any) -> Any:
        raise OutputParserException("no")

    chain = llm | RunnableLambda(refuse)
    with pytest.raises(OutputParserException):
        chain.invoke("Hi", for_alice())
    llm.invoke("Hi", agent_id="straight")
    assert stored(llm) == stored(llm, "straight")


# Wrappers


class Flaky(DeltaMemLLM):
    """Its first turn fails before it is run."""

    failures: list[int]

    def _generate(self, *arguments: Any, **kwargs: Any) -> Any:
        if self.failures:
            self.failures.pop()
            raise ConnectionError("not yet")
        return super()._generate(*arguments, **kwargs)


def test_a_retried_turn_is_absorbed_once(tiny: dict[str, Any], llm: DeltaMemLLM) -> None:
    flaky = Flaky(**tiny, failures=[1, 1])
    flaky.with_retry(stop_after_attempt=3, wait_exponential_jitter=False).invoke("Hi", for_alice())
    llm.invoke("Hi", agent_id="straight")
    assert stored(llm) == stored(llm, "straight")


def test_a_fallback_answers_for_the_same_agent_and_the_failed_model_leaves_nothing(
    tiny: dict[str, Any], llm: DeltaMemLLM
) -> None:
    Flaky(**tiny, failures=[1]).with_fallbacks([llm]).invoke("Hi", for_alice())
    assert stored(llm)[0] == 1
    graph = create_agent(Flaky(**tiny, failures=[1]), middleware=[ModelFallbackMiddleware(llm)])
    graph.invoke({"messages": [HumanMessage("Hi")]}, {"configurable": {"agent_id": "bob"}})
    assert stored(llm, "bob")[0] == 1


def test_bound_arguments_configured_fields_and_chains_reach_the_turn(llm: DeltaMemLLM) -> None:
    fields = llm.configurable_fields(max_tokens=ConfigurableField(id="length"), agent_id=ConfigurableField(id="whose"))
    short = fields.invoke("Hi", {"configurable": {"length": 1, "whose": "carol"}})
    assert (short.usage_metadata["output_tokens"], stored(llm, "carol")[0]) == (1, 1)
    chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{said}")]) | llm | StrOutputParser()
    assert isinstance(chain.invoke({"said": "Hi"}, for_alice()), str)
    assert llm.bind(max_tokens=2).invoke("Hi", for_alice()).usage_metadata["output_tokens"] <= 2
    with agent("dora"):
        RunnableLambda(lambda text: llm.invoke(text)).invoke("Hi")
    assert [stored(llm, name)[0] for name in ("alice", "dora")] == [2, 1]


async def test_events_of_a_graph_show_the_models_run_and_commit_one_turn(llm: DeltaMemLLM) -> None:
    graph = create_agent(llm)
    events = [
        event async for event in graph.astream_events({"messages": [HumanMessage("Hi")]}, for_alice(), version="v2")
    ]
    ends = [event for event in events if event["event"] == "on_chat_model_end"]
    assert len(ends) == 1
    streamed = "".join(
        str(event["data"]["chunk"].content) for event in events if event["event"] == "on_chat_model_stream"
    )
    assert streamed == ends[0]["data"]["output"].content
    assert ends[0]["metadata"]["ls_provider"] == "dmem"
    assert stored(llm)[0] == 1


# Traces and logs


class Tracer(BaseCallbackHandler):
    """Keeps what a tracer like LangSmith's is told."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.metadata.append(kwargs["metadata"])


def test_a_graphs_trace_names_model_provider_and_agent_of_each_call(tool_user: DeltaMemLLM) -> None:
    tracer = Tracer()
    create_agent(tool_user, [weather], middleware=[DeltaMemMiddleware("alice")]).invoke(
        {"messages": [HumanMessage("How is it?")]}, {"callbacks": [tracer]}
    )
    assert len(tracer.metadata) == 2
    for metadata in tracer.metadata:
        assert (metadata["ls_provider"], metadata["ls_model_type"], metadata["ls_agent_id"]) == (
            "dmem",
            "chat",
            "alice",
        )
        assert metadata["ls_model_name"] == tool_user._model_name()


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, logger="dmem_agents"), caplog.at_level(logging.DEBUG, logger="langchain_dmem"):
        yield caplog


def test_our_logs_hold_no_text_of_messages(tool_user: DeltaMemLLM, everything_logged: pytest.LogCaptureFixture) -> None:
    secret = "the vault opens with 4711"
    answer = create_agent(tool_user, [weather]).invoke({"messages": [HumanMessage(secret)]}, for_alice())
    tool_user.remember(secret, agent_id="alice")
    said = [message.content for message in answer["messages"] if isinstance(message, AIMessage) and message.content]
    ours = "\n".join(
        record.getMessage()
        for record in everything_logged.records
        if record.name.startswith(("dmem_agents", "langchain_dmem"))
    )
    assert all(text not in ours for text in (secret, "Rain in", *map(str, said)))
