"""Every engine, agent and method of LlamaIndex on the embedded model with the adapter of the wheel."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool

from dmem_agents import agent
from dmem_agents.testing.llama_index_conformance import FunctionCallingConformance, LLMConformance, weather
from llama_index.llms.dmem import DeltaMemLLM, DeltaMemMemory

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]

SETTINGS: dict[str, Any] = {"store": "memory://", "dtype": "float32"}  # equal ones share one loaded model


def llm_of(agent_id: str, max_tokens: int = 6) -> DeltaMemLLM:
    llm = DeltaMemLLM(**SETTINGS, max_tokens=max_tokens).for_agent(agent_id)
    llm.memory.forget()
    return llm


def absorbed(llm: DeltaMemLLM) -> int:
    info = llm.memory.info()
    return 0 if info is None else info.absorbed_messages


class TestMethods(LLMConformance):
    """The eight methods, and `SimpleChatEngine` in its four."""

    def make_llm(self, **arguments: Any) -> DeltaMemLLM:
        return DeltaMemLLM(**SETTINGS, max_tokens=6, **arguments)


class TestTools(FunctionCallingConformance):
    """Calls, `predict_and_call`, `structured_predict`, `as_structured_llm`, `FunctionAgent`: sync, async, streamed."""

    def make_llm(self, **arguments: Any) -> FunctionCallingLLM:
        return DeltaMemLLM(**SETTINGS, max_tokens=40, **arguments)


def engine_of(kind: Any, llm: DeltaMemLLM) -> Any:
    memory = DeltaMemMemory(llm=llm) if kind is ContextChatEngine else ChatMemoryBuffer.from_defaults()
    if kind is SimpleChatEngine:
        return kind.from_defaults(llm=llm, memory=memory)
    retriever = SummaryIndex([TextNode(text="The fact sheet says that cats purr.")]).as_retriever()
    return kind.from_defaults(retriever=retriever, llm=llm, memory=memory)


@pytest.mark.parametrize("kind", [SimpleChatEngine, ContextChatEngine, CondensePlusContextChatEngine])
async def test_an_engine_answers_in_all_four_ways_and_has_each_message_absorbed_once(kind: Any) -> None:
    llm = llm_of(kind.__name__)
    engine = engine_of(kind, llm.model_copy(update={"agent_id": None}))
    with agent(kind.__name__):
        answers = [str(engine.chat("I keep a cat.")), "".join(engine.stream_chat("It purrs.").response_gen)]
        answers.append(str(await engine.achat("Is it old?")))
        streamed = await engine.astream_chat("Is it grey?")
        answers.append("".join([delta async for delta in streamed.async_response_gen()]))
    assert all(answers)
    assert absorbed(llm) == 8


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_function_agent_calls_its_tool_and_answers(streaming: bool) -> None:
    llm = llm_of(f"function agent, {streaming}", max_tokens=40)
    tools = [FunctionTool.from_defaults(weather)]
    worker = FunctionAgent(
        tools=tools, llm=llm, streaming=streaming, initial_tool_choice="weather", allow_parallel_tool_calls=False
    )
    outcome = await worker.run(user_msg="How is the weather?", memory=ChatMemoryBuffer.from_defaults())
    assert outcome.tool_calls[0].tool_output.content.startswith("Rain in ")
    assert outcome.response.content
    assert absorbed(llm) == 2 + 2 * len(outcome.tool_calls)


async def test_agents_of_a_workflow_keep_a_memory_each() -> None:
    one, two = llm_of("one", max_tokens=40), llm_of("two")
    tools: Any = [FunctionTool.from_defaults(weather)]
    first = FunctionAgent(
        name="first",
        description="Knows the weather.",
        llm=one,
        tools=tools,
        can_handoff_to=[],
        initial_tool_choice="weather",
        allow_parallel_tool_calls=False,
    )
    second = FunctionAgent(name="second", description="Talks.", llm=two, tools=[], can_handoff_to=[])
    for root in ("first", "second"):
        team = AgentWorkflow(agents=[first, second], root_agent=root)
        outcome = await team.run(user_msg="How is the weather?", memory=ChatMemoryBuffer.from_defaults())
        assert outcome.current_agent_name == root
    assert absorbed(one) >= 4
    assert absorbed(two) == 2
