"""Chat engines, agents and workflows of LlamaIndex over a tiny real model: whose memory, and what is absorbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import pytest
from llama_index.core import Settings, SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    CondenseQuestionChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from dmem_agents import agent
from llama_index.llms.dmem import DeltaMemLLM, DeltaMemMemory

# LlamaIndex uses what pydantic and its own workflows have deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]


def look(place: Literal["here", "there"]) -> str:
    """Look somewhere."""
    return f"A cat is {place}."


class Place(BaseModel):
    """A place."""

    place: Literal["here", "there"]


LOOK = FunctionTool.from_defaults(look, fn_schema=Place)


def absorbed(llm: DeltaMemLLM, agent_id: str) -> int:
    info = llm.for_agent(agent_id).memory.info()
    return 0 if info is None else info.absorbed_messages


def say(engine: Any, text: str) -> str:
    return str(engine.chat(text))


def say_streaming(engine: Any, text: str) -> str:
    return "".join(engine.stream_chat(text).response_gen)


async def asay(engine: Any, text: str) -> str:
    return str(await engine.achat(text))


async def asay_streaming(engine: Any, text: str) -> str:
    response = await engine.astream_chat(text)
    return "".join([delta async for delta in response.async_response_gen()])


def simple(llm: Any, memory: Any) -> Any:
    return SimpleChatEngine.from_defaults(llm=llm, memory=memory)


def with_context(kind: Any) -> Callable[[Any, Any], Any]:
    def build(llm: Any, memory: Any) -> Any:
        nodes = [TextNode(text="The fact sheet says that cats purr.")]
        retriever = SummaryIndex(nodes).as_retriever()
        return kind.from_defaults(retriever=retriever, llm=llm, memory=memory)

    return build


ENGINES = [simple, with_context(ContextChatEngine), with_context(CondensePlusContextChatEngine)]
NAMES = ["simple", "context", "condense"]


@pytest.mark.parametrize("own_memory", [False, True], ids=["buffer", "dmem-memory"])
@pytest.mark.parametrize("build", ENGINES, ids=NAMES)
def test_an_engine_has_each_message_absorbed_once(tiny: dict[str, Any], build: Any, own_memory: bool) -> None:
    llm = DeltaMemLLM(**tiny)
    memory = DeltaMemMemory(llm=llm) if own_memory else ChatMemoryBuffer.from_defaults()
    engine = build(llm, memory)
    with agent("alice"):
        for turn, method in enumerate([say, say_streaming, say]):
            method(engine, f"Fact {turn} about cats")
    assert (absorbed(llm, "alice"), absorbed(llm, "bob")) == (6, 0)


@pytest.mark.parametrize("own_memory", [False, True], ids=["buffer", "dmem-memory"])
@pytest.mark.parametrize("build", ENGINES, ids=NAMES)
async def test_an_async_engine_has_each_message_absorbed_once(
    tiny: dict[str, Any], build: Any, own_memory: bool
) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    memory = DeltaMemMemory(llm=llm) if own_memory else ChatMemoryBuffer.from_defaults()
    engine = build(llm, memory)
    for turn, method in enumerate([asay, asay_streaming, asay]):
        await method(engine, f"Fact {turn} about cats")
    assert absorbed(llm, "alice") == 6


def test_the_prompt_stays_flat_over_forty_turns(tiny: dict[str, Any]) -> None:
    seen = LlamaDebugHandler(print_trace_on_end=False)
    llm = DeltaMemLLM(**{**tiny, "max_tokens": 4}, callback_manager=CallbackManager([seen])).for_agent("alice")
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=100_000))
    for turn in range(40):
        engine.chat(f"Fact {turn:02d}")
    ends = [pair[1].payload[EventPayload.RESPONSE].raw for pair in seen.get_event_pairs(CBEventType.LLM)]
    sizes = [end["prompt_tokens"] for end in ends]
    assert len(engine.chat_history) == 80
    assert set(sizes[1:]) == {sizes[1]}
    assert absorbed(llm, "alice") == 80
    assert [end["dmem_absorbed_messages"] for end in ends] == [2] * 40


class OnceForced(DeltaMemLLM):
    """Has a tool called first, and answers in words when its result is there."""

    def _prepare_chat_with_tools(self, tools: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        call = super()._prepare_chat_with_tools(tools, *args, **kwargs)
        answered = call["messages"][-1].role == "tool"
        return call | ({"tool_choice": "none", "max_tokens": 4} if answered else {"tool_choice": "required"})


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("own_memory", [False, True], ids=["buffer", "dmem-memory"])
async def test_a_function_agent_has_its_call_and_result_absorbed_once(
    tiny: dict[str, Any], streaming: bool, own_memory: bool
) -> None:
    llm = OnceForced(**{**tiny, "max_tokens": 100})
    memory: Any = DeltaMemMemory(llm=llm) if own_memory else ChatMemoryBuffer.from_defaults()
    worker = FunctionAgent(tools=[LOOK], llm=llm, streaming=streaming, allow_parallel_tool_calls=False)
    with agent("alice"):
        for turn in range(2):
            await worker.run(user_msg=f"Where is the cat {turn}?", memory=memory)
    assert (absorbed(llm, "alice"), absorbed(llm, "bob")) == (8, 0)


async def test_agents_of_a_workflow_have_a_memory_each(tiny: dict[str, Any]) -> None:
    llm = OnceForced(**{**tiny, "max_tokens": 100})
    workers: Sequence[FunctionAgent] = [
        FunctionAgent(name=name, description=name, tools=[LOOK], llm=llm.for_agent(name), can_handoff_to=[])
        for name in ("alice", "bob")
    ]
    team = AgentWorkflow(agents=list(workers), root_agent="bob")
    await team.run(user_msg="Where is the cat?", memory=ChatMemoryBuffer.from_defaults())
    assert (absorbed(llm, "alice"), absorbed(llm, "bob")) == (0, 4)


async def test_an_object_made_of_the_conversation_leaves_no_trace(tiny: dict[str, Any]) -> None:
    llm = OnceForced(**{**tiny, "max_tokens": 100}).for_agent("alice")
    worker = FunctionAgent(tools=[LOOK], llm=llm, output_cls=Place, allow_parallel_tool_calls=False)
    outcome = await worker.run(user_msg="Where is the cat?", memory=ChatMemoryBuffer.from_defaults())
    assert outcome.structured_response["place"] in ("here", "there")
    assert absorbed(llm, "alice") == 4


@pytest.mark.parametrize("own_memory", [False, True], ids=["buffer", "dmem-memory"])
async def test_an_object_is_made_of_the_finished_conversation(tiny: dict[str, Any], own_memory: bool) -> None:
    seen: list[list[ChatMessage]] = []
    llm = OnceForced(**{**tiny, "max_tokens": 100}).for_agent("alice")
    memory: Any = DeltaMemMemory(llm=llm) if own_memory else ChatMemoryBuffer.from_defaults()
    worker = FunctionAgent(
        tools=[LOOK], llm=llm, structured_output_fn=lambda m: seen.append(m) or {}, allow_parallel_tool_calls=False
    )
    outcome = await worker.run(user_msg="Where is the cat?", memory=memory)
    (messages,) = seen
    assert [m.role for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert (messages[0].content, messages[-1].content) == ("Where is the cat?", outcome.response.content)


@pytest.mark.parametrize("waits", [False, True])
async def test_condensing_a_question_only_reads(tiny: dict[str, Any], waits: bool) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    queries = SummaryIndex([TextNode(text="Cats purr.")]).as_query_engine(llm=llm)
    engine = CondenseQuestionChatEngine.from_defaults(
        query_engine=queries, llm=llm, memory=ChatMemoryBuffer.from_defaults()
    )
    for turn in range(2):
        _ = await asay(engine, f"Do cats purr {turn}?") if waits else say(engine, f"Do cats purr {turn}?")
    assert absorbed(llm, "alice") == 4


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_question_that_an_agent_puts_its_state_into_is_absorbed_once(
    tiny: dict[str, Any], streaming: bool
) -> None:
    llm = OnceForced(**{**tiny, "max_tokens": 100}).for_agent("alice")
    memory: Any = DeltaMemMemory(llm=llm)
    worker = FunctionAgent(
        tools=[LOOK], llm=llm, streaming=streaming, allow_parallel_tool_calls=False, initial_state={"mood": "good"}
    )
    for turn in range(2):
        await worker.run(user_msg=f"Where is the cat {turn}?", memory=memory)
    assert absorbed(llm, "alice") == 8
    assert "mood" in str(memory.get_all()[0].content)


@pytest.fixture
def two_chunks(tiny: dict[str, Any]) -> Iterator[Callable[[Any, Any], Any]]:
    """A `ContextChatEngine` whose documents don't fit one prompt, counted as the model counts."""
    Settings.tokenizer = DeltaMemLLM(**tiny).tokenizer

    def build(llm: Any, memory: Any) -> Any:
        nodes = [TextNode(text=f"Sheet {number}: {'cats purr. ' * 220}") for number in range(2)]
        return ContextChatEngine.from_defaults(
            retriever=SummaryIndex(nodes).as_retriever(), llm=llm, memory=memory, context_template="{context_str}"
        )

    yield build
    Settings.tokenizer = None


@pytest.mark.parametrize("own_memory", [False, True], ids=["buffer", "dmem-memory"])
async def test_an_answer_that_is_refined_over_several_chunks_is_one_turn(
    tiny: dict[str, Any], two_chunks: Any, own_memory: bool
) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    engine = two_chunks(llm, DeltaMemMemory(llm=llm) if own_memory else ChatMemoryBuffer.from_defaults())
    for turn, method in enumerate([say, say_streaming]):
        method(engine, f"Fact {turn}")
        assert absorbed(llm, "alice") == 2 * (turn + 1)
    for turn, method in enumerate([asay, asay_streaming]):
        await method(engine, f"Fact {turn + 2}")
        assert absorbed(llm, "alice") == 2 * (turn + 3)
    assert llm.memory.info().version >= 8  # type: ignore[union-attr]  # two answers at least for each question


def test_an_answer_of_another_turn_is_not_replaced_by_one_that_is_refined(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    prompt = PromptTemplate("{query_str} {existing_answer}")
    earlier = str(llm.chat([ChatMessage(role="user", content="Hi")]).message.content)
    llm.predict(prompt, query_str="Refine", existing_answer="Somebody else's answer.")
    assert absorbed(llm, "alice") == 4
    llm.for_agent("bob").predict(prompt, query_str="Refine", existing_answer=earlier)
    assert (absorbed(llm, "alice"), absorbed(llm, "bob")) == (4, 2)


def test_a_text_that_is_put_twice_is_absorbed_twice(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    memory = DeltaMemMemory(llm=llm)
    for answer in ("Hello.", "Hello again."):
        memory.put(ChatMessage(role="user", content="Hi"))
        memory.put(ChatMessage(role="assistant", content=answer))
    assert absorbed(llm, "alice") == 4


def test_a_memory_put_by_itself_is_absorbed_at_once(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    memory = DeltaMemMemory(llm=llm)
    memory.put(ChatMessage(role="user", content="My cat is called Tom."))
    assert absorbed(llm, "alice") == 1
    assert [m.content for m in memory.get()] == ["My cat is called Tom."]
    memory.put(ChatMessage(role="assistant", content="Noted."))
    assert (absorbed(llm, "alice"), memory.get("And now?"), len(memory.get_all())) == (2, [], 2)
    assert memory.get() == memory.get_all()


async def test_a_memory_survives_its_own_dictionary_and_is_deleted_by_reset(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    memory = DeltaMemMemory(llm=llm)
    await memory.aput(ChatMessage(role="user", content="Hi"))
    described = memory.to_dict()
    described["llm"].pop("store")
    assert [m.content for m in DeltaMemMemory.from_dict(described).get()] == ["Hi"]
    await memory.areset()
    assert (absorbed(llm, "alice"), memory.get()) == (0, [])


def test_a_memory_of_several_turns_is_absorbed_whole(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny).for_agent("alice")
    history = [ChatMessage(role=role, content=f"{role} {n}") for n in range(3) for role in ("user", "assistant")]
    memory = DeltaMemMemory.from_defaults(llm=llm, chat_history=history)
    memory.set(history)
    assert absorbed(llm, "alice") == 6
