"""`DeltaMemLLM` in LangChain: what it asks of the session, and memory with a tiny real model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, trim_messages
from langchain_core.runnables import ConfigurableField, RunnableConfig, RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph

from dmem_agents import AgentIdError, ConfigError, MessageError, StateConflictError, TurnTimeoutError, agent
from langchain_dmem import ChatDeltaMem, DeltaMemLLM


class Context(TypedDict):
    agent_id: str


@dataclass
class ContextObject:
    agent_id: str


def configured(agent_id: str, **more: Any) -> RunnableConfig:
    return {"configurable": {"agent_id": agent_id, **more}}


# What it asks of the session


def test_an_answer_carries_its_usage_and_where_it_came_from(noting: Any) -> None:
    answer = DeltaMemLLM(session=noting).invoke("Hi", agent_id="alice")
    assert answer.content == "Hello Tom"
    assert answer.usage_metadata == {
        "input_tokens": 11,
        "output_tokens": 3,
        "total_tokens": 14,
        "input_token_details": {"cache_read": 5},
    }
    assert answer.response_metadata == {
        "model_name": "noting",
        "model_provider": "dmem",
        "finish_reason": "stop",
        "agent_id": "alice",
        "dmem_version": 7,
        "dmem_absorbed_messages": 2,
        "dmem_absorbed_tokens": 0,
        "dmem_state_bytes": 1024,
    }


def test_a_stream_adds_up_to_the_answer_and_only_its_last_chunk_carries_metadata(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    *pieces, last = llm.stream("Hi", agent_id="alice")
    assert [piece.content for piece in pieces] == ["Hello ", "Tom"]
    assert all(not piece.response_metadata and not piece.usage_metadata for piece in pieces)
    assert last.chunk_position == "last"
    whole = llm.invoke("Hi", agent_id="alice")
    total = pieces[0] + pieces[1] + last
    assert total.response_metadata == whole.response_metadata
    assert total.usage_metadata == whole.usage_metadata


async def test_the_async_methods_give_what_the_sync_ones_give(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    whole = await llm.ainvoke("Hi", agent_id="alice")
    assert whole.response_metadata == llm.invoke("Hi", agent_id="alice").response_metadata
    chunks = [chunk async for chunk in llm.astream("Hi", agent_id="alice")]
    assert [c.content for c in chunks] == [c.content for c in llm.stream("Hi", agent_id="alice")]
    assert chunks[-1].chunk_position == "last"
    assert noting.agents == ["alice"] * 4


def test_the_agent_is_resolved_in_the_documented_order(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    with agent("context"):
        llm.for_agent("field").invoke("Hi", configured("config"), agent_id="call")
        llm.for_agent("field").invoke("Hi", configured("config"))
        llm.invoke("Hi", configured("config"))
    llm.invoke("Hi", configured("config", thread_id="t"))
    llm.invoke("Hi", configured_thread := {"configurable": {"thread_id": "t"}})  # type: ignore[arg-type]
    DeltaMemLLM(session=noting, thread_id_as_agent=True).invoke("Hi", configured_thread)  # type: ignore[arg-type]
    llm.bind(agent_id="bound").invoke("Hi", configured("config"))
    llm.with_config(configured("with_config")).invoke("Hi")
    assert noting.agents == ["call", "field", "context", "config", None, "t", "bound", "with_config"]


async def test_every_way_of_calling_sees_the_configured_agent(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    llm.invoke("Hi", configured("a"))
    await llm.ainvoke("Hi", configured("b"))
    list(llm.stream("Hi", configured("c")))
    _ = [chunk async for chunk in llm.astream("Hi", configured("d"))]
    llm.batch(["Hi"], configured("e"))
    await llm.abatch(["Hi"], configured("f"))
    _ = [event async for event in llm.astream_events("Hi", configured("g"), version="v2")]
    (RunnableLambda(lambda text: text) | llm).invoke("Hi", configured("h"))
    assert noting.agents == list("abcdefgh")


def test_langchains_wrappers_pass_the_agent_on(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    warmer = llm.configurable_fields(temperature=ConfigurableField(id="warmth"))
    warmer.invoke("Hi", configured("a", warmth=0.7))
    assert noting.last.options.sampling.temperature == 0.7
    llm.with_retry().invoke("Hi", configured("b"))
    llm.with_fallbacks([llm]).invoke("Hi", configured("c"))
    assert noting.agents == ["a", "b", "c"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_the_newer_event_streams_see_the_configured_agent(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    list(llm.stream_events("Hi", configured("a"), version="v3"))
    _ = [event async for event in await llm.astream_events("Hi", configured("b"), version="v3")]
    assert noting.agents == ["a", "b"]


def test_a_stream_belongs_to_the_agent_of_the_context_it_was_opened_in(noting: Any) -> None:
    with agent("alice"):
        stream = DeltaMemLLM(session=noting).stream("Hi")
    assert len(list(stream)) == 3
    assert noting.agents == ["alice"]


def test_an_empty_agent_id_in_the_config_is_refused(noting: Any) -> None:
    with pytest.raises(AgentIdError, match="non-empty"):
        DeltaMemLLM(session=noting).invoke("Hi", configured(""))
    assert noting.turns == []


def test_calls_that_langchain_makes_for_its_own_ends_only_read(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting, agent_id="alice")
    llm.invoke("Summarise.", {"metadata": {"lc_source": "summarization"}})
    assert noting.last.options.read_only
    llm.invoke("Hi", {"metadata": {"user": "x"}})
    assert not noting.last.options.read_only


def test_a_calls_arguments_override_the_models(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting, temperature=0.2, max_tokens=9, stop=["A"], seed=1, context="full")
    llm.invoke("Hi")
    assert noting.last.options == llm._turn_options({})
    llm.invoke("Hi", stop=["B"], max_new_tokens=4, temperature=0.7, context=2)
    options = noting.last.options
    assert (options.stop, options.context) == (("B",), 2)
    assert (options.sampling.max_new_tokens, options.sampling.temperature, options.sampling.seed) == (
        4,
        0.7,
        1,
    )


def test_an_unknown_argument_of_a_call_is_refused_rather_than_dropped(noting: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean `temperature`"):
        DeltaMemLLM(session=noting).invoke("Hi", temprature=1)
    assert noting.turns == []


def test_langchains_own_arguments_are_taken_and_unknown_ones_refused() -> None:
    assert DeltaMemLLM(name="x", tags=["t"], metadata={"a": 1}, disable_streaming=True).name == "x"
    with pytest.raises(ConfigError, match=r"`modl` of DeltaMemLLM. Did you mean `model`\?"):
        DeltaMemLLM(modl="x")  # type: ignore[call-arg]


def test_a_part_that_is_no_text_is_refused_before_anything_runs(noting: Any) -> None:
    with pytest.raises(MessageError, match="part 0 is 'image"):
        DeltaMemLLM(session=noting).invoke([HumanMessage([{"type": "image", "url": "http://x/y.png"}])])
    assert noting.turns == []


def test_the_response_cache_is_off_unless_asked_for(noting: Any) -> None:
    from langchain_core.caches import InMemoryCache
    from langchain_core.globals import set_llm_cache

    set_llm_cache(InMemoryCache())
    try:
        llm = DeltaMemLLM(session=noting)
        llm.invoke("Hi", agent_id="alice")
        llm.invoke("Hi", agent_id="alice")
    finally:
        set_llm_cache(None)
    assert len(noting.turns) == 2


class TraceReader(BaseCallbackHandler):
    """Keeps what a tracer is told when a call starts."""

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.told = {"serialized": serialized, **kwargs}


def test_a_trace_names_the_agent_that_the_config_named(noting: Any) -> None:
    reader = TraceReader()
    DeltaMemLLM(session=noting).invoke("Hi", {"callbacks": [reader], **configured("carol")})
    assert reader.told["metadata"]["ls_agent_id"] == "carol"


def test_the_profile_says_what_the_model_takes_and_loads_nothing() -> None:
    profile = DeltaMemLLM().profile
    assert profile is not None
    assert (profile["max_input_tokens"], profile["tool_calling"], profile["structured_output"]) == (8192, True, True)
    assert not profile["image_inputs"]
    assert "max_input_tokens" not in (DeltaMemLLM(model="some/model").profile or {})


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [
        ("model_name", "model", "some/model"),
        ("max_new_tokens", "max_tokens", 9),
        ("stop_sequences", "stop", ("END",)),
        ("request_timeout", "timeout", 3.0),
    ],
)
def test_the_aliases_that_langchain_users_know_are_taken(alias: str, name: str, value: Any) -> None:
    assert getattr(DeltaMemLLM(**{alias: value}), name) == value
    assert ChatDeltaMem is DeltaMemLLM


def test_the_hubs_key_is_a_secret_everywhere() -> None:
    llm = DeltaMemLLM(api_key="hf_very_secret")  # type: ignore[call-arg]  # the alias
    assert llm.hub_token is not None
    assert llm.hub_token.get_secret_value() == "hf_very_secret"
    assert (
        "very_secret"
        not in f"{llm!r} {llm.model_dump()} {llm._serialized} {llm.asdict()} {llm._memory_session().config!r}"
    )


def test_tokens_are_counted_as_the_model_counts_them(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    session, text = llm._memory_session(), "My cat is called Tom."
    assert llm.get_token_ids(text) == session.encode(text)
    history = [HumanMessage(f"{text} {number}") for number in range(5)]
    kept = trim_messages(history, token_counter=llm, max_tokens=2 * len(session.encode(f"Human: {text} 4")))
    assert kept == history[-2:]
    assert DeltaMemLLM(**tiny, custom_get_token_ids=lambda _: [1, 2]).get_num_tokens(text) == 2


class ConflictingSession:
    """Comes too late so many times."""

    model_name = "conflicting"

    def __init__(self, noting: Any, conflicts: int) -> None:
        self._noting = noting
        self.left = conflicts

    def reply(self, *arguments: Any, **turn: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise StateConflictError("too late")
        return self._noting.reply(*arguments, **turn)

    async def areply(self, *arguments: Any, **turn: Any) -> Any:
        return self.reply(*arguments, **turn)


async def test_a_turn_that_came_too_late_is_repeated_as_often_as_allowed(noting: Any) -> None:
    llm = DeltaMemLLM(session=ConflictingSession(noting, 2), max_retries=2)
    assert llm.invoke("Hi").content == "Hello Tom"
    with pytest.raises(StateConflictError):
        DeltaMemLLM(session=ConflictingSession(noting, 2), max_retries=1).invoke("Hi")
    llm = DeltaMemLLM(session=ConflictingSession(noting, 1), max_retries=1)
    assert (await llm.ainvoke("Hi")).content == "Hello Tom"
    assert len(noting.turns) == 2


def test_another_model_for_one_call_is_refused_where_a_session_is_given(noting: Any) -> None:
    with pytest.raises(ConfigError, match="`model`"):
        DeltaMemLLM(session=noting).invoke("Hi", model="some/model")
    assert DeltaMemLLM(session=noting).invoke("Hi", model="noting").content == "Hello Tom"


def test_a_call_that_takes_too_long_is_given_up_and_stores_nothing(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 3000})
    llm.invoke("Hi", max_tokens=1)  # the model is loaded
    with pytest.raises(TimeoutError, match="timeout") as caught:
        llm.invoke("Tell me all.", agent_id="alice", timeout=0.05)
    assert isinstance(caught.value, TurnTimeoutError)
    assert version(llm, "alice") == 0


def test_traces_name_provider_model_and_agent_and_no_password(noting: Any) -> None:
    reader = TraceReader()
    llm = DeltaMemLLM(session=noting, temperature=0.5)
    llm.for_agent("alice").invoke("Hi", {"callbacks": [reader]})
    metadata, parameters = reader.told["metadata"], reader.told["invocation_params"]
    assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("dmem", "noting")
    assert metadata["ls_agent_id"] == "alice"
    assert (metadata["ls_temperature"], metadata["ls_max_tokens"]) == (0.5, 512)
    assert (parameters["agent_id"], parameters["_type"]) == ("alice", "dmem")
    llm.for_agent("bob").invoke("Hi", {"callbacks": [reader]})
    assert "alice" not in str(reader.told["serialized"])
    for url in ("redis://:secret@host", "redis://host?password=secret"):
        stored = DeltaMemLLM(store=url)
        assert "secret" not in f"{stored._serialized} {stored.asdict()} {stored!r} {dumps(stored)}"


# In graphs


def test_a_graph_without_tools_passes_its_configured_agent_on(noting: Any) -> None:
    graph = create_agent(DeltaMemLLM(session=noting))
    graph.invoke({"messages": [HumanMessage("Hi")]}, configured("alice"))
    assert noting.agents == ["alice"]


async def test_a_streamed_graph_run_is_one_turn_of_the_configured_agent(noting: Any) -> None:
    graph = create_agent(DeltaMemLLM(session=noting))
    texts = [
        chunk.content
        async for chunk, _ in graph.astream(
            {"messages": [HumanMessage("Hi")]}, configured("alice"), stream_mode="messages"
        )
    ]
    assert "".join(texts) == "Hello Tom"
    assert noting.agents == ["alice"]


def test_a_models_own_agent_wins_over_the_graphs(noting: Any) -> None:
    graph = create_agent(DeltaMemLLM(session=noting, agent_id="worker"))
    graph.invoke({"messages": [HumanMessage("Hi")]}, configured("alice"))
    assert noting.agents == ["worker"]


@pytest.mark.parametrize(
    ("schema", "context"), [(Context, {"agent_id": "alice"}), (ContextObject, ContextObject("alice"))]
)
def test_the_runtime_context_names_the_agent_when_nothing_else_does(noting: Any, schema: Any, context: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    graph = create_agent(llm, context_schema=schema)
    graph.invoke({"messages": [HumanMessage("Hi")]}, context=context)
    graph.invoke({"messages": [HumanMessage("Hi")]}, configured("config"), context=context)
    llm.invoke("Hi")
    assert noting.agents == ["alice", "config", None]


def test_a_node_of_ones_own_reaches_the_agent_with_and_without_passing_its_config(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)

    def silent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [llm.invoke(state["messages"])]}

    def passing(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [llm.invoke(state["messages"], config)]}

    builder = StateGraph(MessagesState)
    builder.add_node("silent", silent).add_node("passing", passing)
    builder.add_edge(START, "silent").add_edge("silent", "passing")
    builder.compile().invoke({"messages": [HumanMessage("Hi")]}, configured("alice"))
    assert noting.agents == ["alice", "alice"]


# With a tiny real model


def version(llm: DeltaMemLLM, agent_id: str) -> int:
    info = llm._memory_session().info(agent_id)
    return 0 if info is None else info.version


def absorbed(llm: DeltaMemLLM, agent_id: str) -> int:
    info = llm._memory_session().info(agent_id)
    return 0 if info is None else info.absorbed_messages


def test_an_agent_keeps_its_memory_and_no_other_agent_sees_it(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    llm.invoke("My cat is called Tom.", agent_id="alice")
    asked = [llm.invoke("What is my cat called?", agent_id=name).content for name in ("alice", "bob")]
    fresh = llm.invoke("What is my cat called?").content
    assert asked[0] != fresh
    assert asked[1] == fresh
    assert (version(llm, "alice"), version(llm, "bob")) == (2, 1)


def test_equal_seeds_give_equal_answers_and_others_others(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, temperature=1.5)
    said = [llm.invoke("Hi", seed=seed).content for seed in (1, 1, 2, 3)]
    assert said[0] == said[1]
    assert len(set(said)) > 1


def test_a_batch_of_agents_gives_what_single_calls_give(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    texts = [f"My number is {number}." for number in range(6)]
    alone = [llm.invoke(text, agent_id=f"alone-{i}").content for i, text in enumerate(texts)]
    together = llm.batch(texts, [configured(f"batch-{i}") for i in range(len(texts))])
    assert [answer.content for answer in together] == alone
    assert [answer.response_metadata["agent_id"] for answer in together] == [f"batch-{i}" for i in range(len(texts))]


async def test_an_async_batch_gives_what_single_calls_give(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    alone = [llm.invoke(text, agent_id=f"alone-{text}").content for text in "abc"]
    together = await llm.abatch(list("abc"), [configured(text) for text in "abc"])
    assert [answer.content for answer in together] == alone


def test_streamed_and_whole_answers_are_the_same_and_store_the_same(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    whole = llm.invoke("Hi there", agent_id="a")
    chunks = list(llm.stream("Hi there", agent_id="b"))
    assert "".join(str(chunk.content) for chunk in chunks) == whole.content
    session = llm._memory_session()
    assert session.info("a").head == session.info("b").head  # type: ignore[union-attr]


def test_a_caller_that_resends_its_history_has_each_message_absorbed_once(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, agent_id="alice")
    history: list[Any] = []
    for turn in range(3):
        history.append(HumanMessage(f"Fact {turn}"))
        history.append(llm.invoke(history))
    assert absorbed(llm, "alice") == len(history) == 6
    assert all(isinstance(message, AIMessage) for message in history[1::2])
    prompts = [message.usage_metadata["input_tokens"] for message in history[1::2]]
    assert len(set(prompts)) == 1


def test_read_only_calls_leave_the_stored_version_as_it_is(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    llm.invoke("My cat is called Tom.", agent_id="alice")
    answer = llm.invoke("What is my cat called?", agent_id="alice", read_only=True)
    assert answer.response_metadata["dmem_version"] == version(llm, "alice") == 1
    again = llm.invoke("What is my cat called?", agent_id="alice", read_only=True)
    assert again.content == answer.content != llm.invoke("What is my cat called?", read_only=True).content


def test_an_abandoned_stream_stores_nothing_and_the_agent_goes_on(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 200})
    stream = llm.stream("Tell me all.", agent_id="alice")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert version(llm, "alice") == 0
    llm.invoke("Hi", agent_id="alice", max_tokens=2)
    assert version(llm, "alice") == 1


async def test_an_abandoned_async_stream_stores_nothing_and_the_agent_goes_on(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 200})
    stream = llm.astream("Tell me all.", agent_id="alice")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await llm.ainvoke("Hi", agent_id="alice", max_tokens=2)
    assert version(llm, "alice") == 1


async def test_a_cancelled_call_stores_nothing(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 2000})
    await llm.ainvoke("Hi", max_tokens=1)  # the model is loaded
    call = asyncio.create_task(llm.ainvoke("Tell me all.", agent_id="alice"))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert version(llm, "alice") == 0


def test_what_is_remembered_and_then_said_is_absorbed_as_the_two_events_it_is(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, agent_id="alice")
    llm.remember("My cat is called Tom.")
    llm.invoke("My cat is called Tom.")
    assert (version(llm, "alice"), absorbed(llm, "alice")) == (2, 3)
    history = [HumanMessage("Hi"), AIMessage("Hello")]
    llm.remember(history)
    llm.remember(history)
    assert (version(llm, "alice"), absorbed(llm, "alice")) == (3, 5)


def test_a_call_without_an_agent_stores_nothing_and_can_be_forbidden(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    llm.invoke("Hi")
    assert list(llm._memory_session().list_agents()) == []
    with pytest.raises(AgentIdError, match="require_agent"):
        llm.invoke("Hi", require_agent=True)


def test_models_bound_to_agents_share_engine_and_store(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    alice, bob = llm.for_agent("alice"), llm.for_agent("bob")
    alice.invoke("Hi")
    bob.invoke("Hi")
    assert alice._memory_session() is bob._memory_session() is llm._memory_session()
    assert sorted(llm._memory_session().list_agents()) == ["alice", "bob"]


def test_an_agent_graph_over_several_turns_absorbs_each_message_once(tiny: dict[str, Any]) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    llm = DeltaMemLLM(**tiny)
    graph = create_agent(llm, system_prompt="Be brief.", checkpointer=InMemorySaver())
    for turn in range(3):
        state = graph.invoke({"messages": [HumanMessage(f"Fact {turn}")]}, configured("alice", thread_id="t"))
    assert absorbed(llm, "alice") == len(state["messages"]) == 6
    tokens = [m.usage_metadata["input_tokens"] for m in state["messages"] if isinstance(m, AIMessage)]
    assert tokens[2] == tokens[1] == tokens[0]
