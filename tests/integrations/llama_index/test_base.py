"""`DeltaMemLLM` in LlamaIndex: what it asks of the session, and memory with a tiny real model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import LLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate

from dmem_agents import AgentIdError, ConfigError, MessageError, agent, load_model
from dmem_agents.chat_model import EMBEDDED_MODEL_NAME
from dmem_agents.store import InMemoryStateStore
from llama_index.llms.dmem import DeltaMemLLM

HI = [ChatMessage(role="user", content="Hi")]
DETAILS = {
    "model": "noting",
    "agent_id": "alice",
    "dmem_version": 7,
    "dmem_absorbed_messages": 2,
    "dmem_absorbed_tokens": 0,
    "dmem_state_bytes": 1024,
    "finish_reason": "stop",
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
}


async def collected(stream: AsyncIterator[Any]) -> list[Any]:
    return [step async for step in stream]


# What it asks of the session


async def test_the_eight_methods_give_one_answer_with_its_details(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting, agent_id="alice")
    chats = [llm.chat(HI), await llm.achat(HI), list(llm.stream_chat(HI))[-1]]
    chats.append((await collected(await llm.astream_chat(HI)))[-1])
    completions = [llm.complete("Hi"), await llm.acomplete("Hi"), list(llm.stream_complete("Hi"))[-1]]
    completions.append((await collected(await llm.astream_complete("Hi")))[-1])
    assert [response.message.content for response in chats] == ["Hello Tom"] * 4
    assert [response.message.role for response in chats] == ["assistant"] * 4
    assert [response.text for response in completions] == ["Hello Tom"] * 4
    for response in [*chats, *completions]:
        assert response.additional_kwargs == DETAILS
        assert response.raw["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert noting.agents == ["alice"] * 8
    assert [turn.messages for turn in noting.turns] == [noting.turns[0].messages] * 8


async def test_streams_grow_by_their_deltas(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    expected = [("Hello ", "Hello "), ("Hello Tom", "Tom"), ("Hello Tom", "")]
    assert [(s.message.content, s.delta) for s in llm.stream_chat(HI)] == expected
    assert [(s.text, s.delta) for s in llm.stream_complete("Hi")] == expected
    assert [(s.text, s.delta) for s in await collected(await llm.astream_complete("Hi"))] == expected


def test_the_call_then_the_field_then_the_context_name_the_agent(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    with agent("context"):
        llm.for_agent("field").chat(HI, agent_id="call")
        llm.for_agent("field").chat(HI)
        llm.complete("Hi")
    llm.chat(HI)
    assert noting.agents == ["call", "field", "context", None]


async def test_streams_belong_to_the_agent_of_the_context_they_were_opened_in(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    with agent("alice"):
        stream, astream = llm.stream_chat(HI), await llm.astream_chat(HI)
    assert len(list(stream)) == len(await collected(astream)) == 3
    assert noting.agents == ["alice", "alice"]


def test_a_calls_arguments_override_the_models_and_unknown_ones_are_refused(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting, temperature=0.2, stop="A")
    llm.chat(HI, stop="B", max_new_tokens=4, read_only=True)
    options = noting.last.options
    assert (options.stop, options.read_only, options.sampling.max_new_tokens) == (("B",), True, 4)
    with pytest.raises(ConfigError, match="Did you mean `temperature`"):
        llm.chat(HI, temprature=1)
    with pytest.raises(ConfigError, match=r"`modl` of DeltaMemLLM. Did you mean `model`\?"):
        DeltaMemLLM(modl="x")  # type: ignore[call-arg]


def test_a_block_that_is_no_text_is_refused_before_anything_runs(noting: Any) -> None:
    with pytest.raises(MessageError, match="ImageBlock"):
        DeltaMemLLM(session=noting).chat([ChatMessage(role="user", blocks=[ImageBlock(url="http://x/y.png")])])
    assert noting.turns == []


def test_metadata_names_the_model_and_its_sizes(noting: Any) -> None:
    embedded = DeltaMemLLM().metadata
    assert (embedded.model_name, embedded.context_window) == (EMBEDDED_MODEL_NAME, 8192)
    given = DeltaMemLLM(session=noting, max_tokens=9).metadata
    assert (given.model_name, given.context_window, given.num_output) == ("noting", 1234, 9)
    assert given.is_chat_model
    assert given.is_function_calling_model


def test_it_is_an_llm_that_survives_its_own_dictionary_without_a_password() -> None:
    llm = DeltaMemLLM(store="redis://:secret@host", agent_id="alice", max_tokens=9)
    assert isinstance(llm, LLM)
    data = llm.to_dict()
    assert data["class_name"] == "DeltaMemLLM"
    assert "secret" not in str(data) + str(llm.to_payload()) + repr(llm)
    again = DeltaMemLLM.from_dict(data)
    assert (again.agent_id, again.max_tokens, again.store) == ("alice", 9, "redis://:***@host")
    named = DeltaMemLLM(store="redis://user@host?password=secret")
    assert "secret" not in f"{named.to_dict()} {named.to_payload()} {named!r} {named} {named.to_json()}"


def copied(llm: DeltaMemLLM) -> DeltaMemLLM:
    """As another process gets it."""
    again: DeltaMemLLM = ForkingPickler.loads(ForkingPickler.dumps(llm))
    return again


@pytest.mark.parametrize("given", ["store", "session", "loaded"])
def test_a_copy_elsewhere_never_takes_another_store_or_model(given: str, tiny: dict[str, Any]) -> None:
    store = InMemoryStateStore()
    named = DeltaMemLLM(**{**tiny, "store": store})
    arguments: dict[str, Any] = {
        "store": {**tiny, "store": store},
        "session": {"session": named._memory_session()},
        "loaded": {"session": load_model(tiny["model"], tiny["adapter"]), "store": "memory://"},
    }[given]
    llm = DeltaMemLLM(**arguments)
    with pytest.raises(ConfigError, match="URL"):
        copied(llm)
    llm.chat(HI, agent_id="alice", max_tokens=1)  # it is whole still
    again = DeltaMemLLM.from_dict(llm.to_dict())
    assert again.store == f"{type(llm.store or llm.session).__name__} object"
    with pytest.raises(ConfigError, match="store URL"):
        again.chat(HI, agent_id="alice", max_tokens=1)
    assert copied(DeltaMemLLM(store="memory://", max_tokens=9)).max_tokens == 9


def test_paths_are_dumped_as_text(tmp_path: Path) -> None:
    llm = DeltaMemLLM(model=tmp_path, adapter=tmp_path)
    assert (llm.to_dict()["model"], json.loads(llm.to_json())["adapter"]) == (str(tmp_path), str(tmp_path))


def test_completions_are_spans_of_the_model_they_are_asked_of(noting: Any) -> None:
    seen: list[Any] = []

    class Noting(SimpleSpanHandler):
        def new_span(self, id_: str, bound_args: Any, instance: Any = None, *args: Any, **kwargs: Any) -> Any:
            seen.append((id_.partition("-")[0], instance))
            return super().new_span(id_, bound_args, instance, *args, **kwargs)

    class Named(DeltaMemLLM):
        """A model of a name of its own."""

    dispatcher, handler, llm = get_dispatcher(), Noting(), Named(session=noting)
    dispatcher.add_span_handler(handler)
    try:
        llm.complete("Hi")
        llm.predict(PromptTemplate("Hi"))
    finally:
        dispatcher.span_handlers.remove(handler)
    assert [name for name, _ in seen] == ["Named.complete", "Named.predict", "Named.chat"]
    assert all(instance is llm for _, instance in seen)


def test_prompts_and_system_prompts_of_llama_index_reach_the_session(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting, system_prompt="Be brief.")
    assert llm.predict(PromptTemplate("Say {word}"), word="yes") == "Hello Tom"
    assert [(m.role, m.content) for m in noting.last.messages] == [("system", "Be brief."), ("user", "Say yes")]


# Chat engines


def chat_engine(llm: DeltaMemLLM, **more: Any) -> SimpleChatEngine:
    """An engine with a plain buffer: the default memory leaves an unclosed SQLite connection behind."""
    return SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(), **more)


def say(engine: SimpleChatEngine, text: str) -> str:
    return str(engine.chat(text))


def say_streaming(engine: SimpleChatEngine, text: str) -> str:
    return "".join(engine.stream_chat(text).response_gen)


async def asay(engine: SimpleChatEngine, text: str) -> str:
    return str(await engine.achat(text))


async def asay_streaming(engine: SimpleChatEngine, text: str) -> str:
    response = await engine.astream_chat(text)
    return "".join([delta async for delta in response.async_response_gen()])


@pytest.mark.parametrize("method", [say, say_streaming])
def test_a_chat_engine_speaks_as_the_agent_of_the_context(noting: Any, method: Callable[..., str]) -> None:
    engine = chat_engine(DeltaMemLLM(session=noting))
    with agent("alice"):
        assert method(engine, "Hi") == "Hello Tom"
    assert method(engine, "Hi again") == "Hello Tom"
    assert noting.agents == ["alice", None]
    assert len(noting.last.messages) == 3


@pytest.mark.parametrize("method", [asay, asay_streaming])
async def test_an_async_chat_engine_speaks_as_the_agent_of_the_context(noting: Any, method: Callable[..., Any]) -> None:
    engine = chat_engine(DeltaMemLLM(session=noting))
    with agent("alice"):
        assert await method(engine, "Hi") == "Hello Tom"
    assert await method(engine, "Hi again") == "Hello Tom"
    assert noting.agents == ["alice", None]


# With a tiny real model


def stored(llm: DeltaMemLLM, agent_id: str) -> tuple[int, int]:
    """Version and absorbed messages."""
    info = llm._memory_session().info(agent_id)
    return (0, 0) if info is None else (info.version, info.absorbed_messages)


def test_an_agent_keeps_its_memory_and_no_other_agent_sees_it(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    llm.complete("My cat is called Tom.", agent_id="alice")
    asked = [llm.complete("What is my cat called?", agent_id=name).text for name in ("alice", "bob")]
    fresh = llm.complete("What is my cat called?").text
    assert asked[0] != fresh
    assert asked[1] == fresh
    assert stored(llm, "alice")[0] == 2


async def test_all_methods_say_and_store_the_same(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny)
    texts = [
        llm.chat(HI, agent_id="a").message.content,
        (await llm.achat(HI, agent_id="b")).message.content,
        "".join(step.delta for step in llm.stream_chat(HI, agent_id="c")),
        "".join([step.delta async for step in await llm.astream_complete("Hi", agent_id="d")]),
    ]
    assert len(set(texts)) == 1
    heads = [llm._memory_session().info(name).head for name in "abcd"]  # type: ignore[union-attr]
    assert all(head == heads[0] for head in heads)


@pytest.mark.parametrize("method", [say, say_streaming])
def test_a_chat_engine_that_resends_its_buffer_has_each_message_absorbed_once(
    tiny: dict[str, Any], method: Callable[..., str]
) -> None:
    llm = DeltaMemLLM(**tiny)
    engine = chat_engine(llm.for_agent("alice"), system_prompt="Be brief.")
    for turn in range(4):
        method(engine, f"Fact {turn}")
    assert stored(llm, "alice") == (4, 8)


@pytest.mark.parametrize("method", [asay, asay_streaming])
async def test_an_async_chat_engine_has_each_message_absorbed_once(
    tiny: dict[str, Any], method: Callable[..., Any]
) -> None:
    llm = DeltaMemLLM(**tiny)
    engine = chat_engine(llm.for_agent("alice"))
    for turn in range(4):
        await method(engine, f"Fact {turn}")
    assert stored(llm, "alice") == (4, 8)


def test_an_abandoned_stream_stores_nothing_and_the_agent_goes_on(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 200}, agent_id="alice")
    stream: Iterator[Any] = llm.stream_chat(HI)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert stored(llm, "alice") == (0, 0)
    llm.chat(HI, max_tokens=2)
    assert stored(llm, "alice") == (1, 2)


async def test_an_abandoned_async_stream_stores_nothing_and_the_agent_goes_on(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny | {"max_tokens": 200}, agent_id="alice")
    stream = await llm.astream_complete("Tell me all.")
    await anext(stream)
    await stream.aclose()
    await llm.acomplete("Hi", max_tokens=2)
    assert stored(llm, "alice") == (1, 2)


def test_read_only_calls_leave_the_stored_version_as_it_is(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, agent_id="alice")
    llm.complete("My cat is called Tom.")
    assert llm.complete("What is my cat called?", read_only=True).additional_kwargs["dmem_version"] == 1
    assert stored(llm, "alice") == (1, 2)


def test_what_is_remembered_and_then_said_is_absorbed_as_the_two_events_it_is(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, agent_id="alice")
    llm.remember("My cat is called Tom.")
    llm.complete("My cat is called Tom.")
    assert stored(llm, "alice") == (2, 3)
    history = [ChatMessage(role="user", content="Hi"), ChatMessage(role="assistant", content="Hello")]
    llm.remember(history)
    llm.remember(history)
    assert stored(llm, "alice") == (3, 5)


def test_a_call_without_an_agent_can_be_forbidden(tiny: dict[str, Any]) -> None:
    with pytest.raises(AgentIdError, match="require_agent"):
        DeltaMemLLM(**tiny, require_agent=True).chat(HI)


def test_the_tokenizer_counts_as_the_backbone_does(tiny: dict[str, Any]) -> None:
    assert len(DeltaMemLLM(**tiny).tokenizer("größer")) == len("größer".encode())


def test_a_model_goes_over_to_langchain_and_back_with_engine_store_agent_and_settings(tiny: dict[str, Any]) -> None:
    here = DeltaMemLLM(**tiny, agent_id="alice", stop="END", temperature=0.5)
    there = here.to_langchain()
    again = there.to_llama_index()
    for llm in (there, again):
        assert llm._memory_session() is here._memory_session()
        assert (llm.agent_id, llm.stop, llm.temperature, llm.max_tokens) == ("alice", ("END",), 0.5, 8)
    assert isinstance(again, DeltaMemLLM)
    of_session = DeltaMemLLM(session=here._memory_session()).to_langchain().to_llama_index()
    assert of_session._memory_session() is here._memory_session()


def test_langchain_and_llama_index_share_one_memory(tiny: dict[str, Any]) -> None:
    langchain_dmem = pytest.importorskip("langchain_dmem")
    here, there = DeltaMemLLM(**tiny), langchain_dmem.DeltaMemLLM(**tiny)
    assert here._memory_session() is there._memory_session()
    here.complete("My cat is called Tom.", agent_id="mixed")
    there.invoke("What is my cat called?", agent_id="mixed")
    for text in ("My cat is called Tom.", "What is my cat called?"):
        there.invoke(text, agent_id="one")
    session = here._memory_session()
    assert session.info("mixed").head == session.info("one").head  # type: ignore[union-attr]
