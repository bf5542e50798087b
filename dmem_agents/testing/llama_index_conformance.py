"""What every LLM for LlamaIndex has to do, ours and yours: methods x sync, async, streams x tools, objects.

LlamaIndex has no such suite of its own. Inherit, say how to make the model, and let pytest (with pytest-asyncio in
its auto mode) collect the class; nothing here imports pytest::

    class TestMyLLM(LLMConformance, FunctionCallingConformance):
        def make_llm(self, **arguments):
            return MyLLM(temperature=0, **arguments)

`LLMConformance` alone is for models that only talk. Answers have to be the same each time for the same messages.
"""
# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, Field

QUESTION = "What is the weather in Oslo?"
MESSAGES = (ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=QUESTION))


class Report(BaseModel):
    """A weather report."""

    city: Literal["Oslo", "Zürich"]
    days: Literal[1, 2, 3]


def weather(city: Literal["Oslo", "Zürich"], days: Literal[1, 2, 3]) -> str:
    """Tell the weather."""
    return f"Rain in {city} for {days} days"


class LLMConformance:
    """What every LLM has to do. `make_llm` is the one method to write."""

    def make_llm(self, **arguments: Any) -> LLM:
        """The model under test, with further arguments of LlamaIndex's own, such as `callback_manager`."""
        raise NotImplementedError

    def test_it_says_what_it_is_in_json(self) -> None:
        llm = self.make_llm()
        described = json.loads(json.dumps(llm.to_dict(), default=str))
        assert described["class_name"] == llm.class_name() != "base_component"
        assert llm.metadata.context_window > 0

    async def test_all_chat_methods_give_one_answer(self) -> None:
        llm = self.make_llm()
        answers = [llm.chat(MESSAGES), await llm.achat(MESSAGES), _checked(llm.stream_chat(MESSAGES))]
        answers.append(_checked(await _all(await llm.astream_chat(MESSAGES))))
        assert {answer.message.role for answer in answers} == {MessageRole.ASSISTANT}
        assert len({answer.message.content for answer in answers}) == 1

    async def test_all_completion_methods_give_one_answer(self) -> None:
        llm = self.make_llm()
        answers = [llm.complete(QUESTION), await llm.acomplete(QUESTION), _completed(llm.stream_complete(QUESTION))]
        answers.append(_completed(await _all(await llm.astream_complete(QUESTION))))
        assert len({answer.text for answer in answers}) == 1

    async def test_prompts_are_predicted(self) -> None:
        llm = self.make_llm(system_prompt="Be brief.")
        prompt, word = PromptTemplate("Say {word}."), {"word": "yes"}
        said = [llm.predict(prompt, **word), await llm.apredict(prompt, **word), "".join(llm.stream(prompt, **word))]
        said.append("".join(await _all(await llm.astream(prompt, **word))))
        assert len(set(said)) == 1

    async def test_callbacks_see_every_call_begin_and_end(self) -> None:
        seen = LlamaDebugHandler(print_trace_on_end=False)
        llm = self.make_llm(callback_manager=CallbackManager([seen]))
        llm.chat(MESSAGES)
        await llm.achat(MESSAGES)
        _checked(llm.stream_chat(MESSAGES))
        await _all(await llm.astream_chat(MESSAGES))
        llm.complete(QUESTION)
        await llm.acomplete(QUESTION)
        list(llm.stream_complete(QUESTION))
        await _all(await llm.astream_complete(QUESTION))
        pairs = seen.get_event_pairs(CBEventType.LLM)
        assert len(pairs) >= 8
        assert all(len(pair) == 2 for pair in pairs)

    async def test_instrumentation_sees_a_chat_begin_and_end(self) -> None:
        handler = _Events()
        root = get_dispatcher()
        root.add_event_handler(handler)
        try:
            self.make_llm().chat(MESSAGES)
            await _all(await self.make_llm().astream_chat(MESSAGES))
        finally:
            root.event_handlers.remove(handler)
        kinds = [type(event) for event in handler.events]
        assert kinds.count(LLMChatStartEvent) == kinds.count(LLMChatEndEvent) >= 1

    async def test_a_chat_engine_speaks_through_it(self) -> None:
        engine = SimpleChatEngine.from_defaults(llm=self.make_llm(), memory=ChatMemoryBuffer.from_defaults())
        said = [str(engine.chat(QUESTION)), "".join(engine.stream_chat(QUESTION).response_gen)]
        said.append(str(await engine.achat(QUESTION)))
        response = await engine.astream_chat(QUESTION)
        said.append("".join([delta async for delta in response.async_response_gen()]))
        kept = [str(m.content).strip() for m in engine.chat_history if m.role == MessageRole.ASSISTANT]
        assert kept == [text.strip() for text in said]


class FunctionCallingConformance:
    """What every LLM that calls tools has to do as well. `make_llm` is the one method to write."""

    def make_llm(self, **arguments: Any) -> FunctionCallingLLM:
        """The model under test, whose answers have room for a call."""
        raise NotImplementedError

    @property
    def tools(self) -> list[FunctionTool]:
        """One tool, whose arguments are few."""
        return [FunctionTool.from_defaults(weather)]

    def test_it_says_that_it_calls_tools(self) -> None:
        assert self.make_llm().metadata.is_function_calling_model

    async def test_a_call_that_is_required_comes_from_every_method(self) -> None:
        llm, tools = self.make_llm(), self.tools
        asked: dict[str, Any] = {"user_msg": QUESTION, "tool_required": True}
        answers = [llm.chat_with_tools(tools, **asked), await llm.achat_with_tools(tools, **asked)]
        answers.append(_parsed(llm, llm.stream_chat_with_tools(tools, **asked)))
        answers.append(_parsed(llm, await _all(await llm.astream_chat_with_tools(tools, **asked))))
        for answer in answers:
            (call,) = llm.get_tool_calls_from_response(answer)
            assert call.tool_name == "weather"
            assert call.tool_id
            assert Report.model_validate(call.tool_kwargs)

    def test_a_call_and_its_result_go_on(self) -> None:
        llm, tools = self.make_llm(), self.tools
        called = llm.chat_with_tools(tools, user_msg=QUESTION, tool_required=True)
        (call,) = llm.get_tool_calls_from_response(called)
        result = ChatMessage(role="tool", content="Rain", additional_kwargs={"tool_call_id": call.tool_id})
        history = [ChatMessage(role="user", content=QUESTION), called.message, result]
        assert llm.chat_with_tools(tools, chat_history=history).message.role == MessageRole.ASSISTANT

    def test_an_answer_without_a_call_is_refused_or_empty(self) -> None:
        llm = self.make_llm()
        answer = llm.chat(MESSAGES)
        assert llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False) == []
        try:
            llm.get_tool_calls_from_response(answer, error_on_no_tool_call=True)
        except ValueError:
            return
        raise AssertionError("Expected a ValueError for an answer without a call.")

    async def test_tools_are_predicted_and_called(self) -> None:
        llm, tools = self.make_llm(), self.tools
        outcomes = [llm.predict_and_call(tools, QUESTION), await llm.apredict_and_call(tools, QUESTION)]
        assert all(str(outcome).startswith("Rain in ") for outcome in outcomes)
        assert all(outcome.sources[0].tool_name == "weather" for outcome in outcomes)

    async def test_objects_come_from_every_method(self) -> None:
        llm, prompt = self.make_llm(), PromptTemplate("Report on {city}.")
        found: list[Any] = [llm.structured_predict(Report, prompt, city="Oslo")]
        found.append(await llm.astructured_predict(Report, prompt, city="Oslo"))
        found.append(list(llm.stream_structured_predict(Report, prompt, city="Oslo"))[-1])
        found.append((await _all(await llm.astream_structured_predict(Report, prompt, city="Oslo")))[-1])
        assert [type(report) for report in found] == [Report] * 4

    async def test_a_structured_llm_answers_in_objects(self) -> None:
        llm = self.make_llm().as_structured_llm(Report)
        answers = [llm.chat(MESSAGES), await llm.achat(MESSAGES), list(llm.stream_chat(MESSAGES))[-1]]
        answers.append((await _all(await llm.astream_chat(MESSAGES)))[-1])
        assert [type(answer.raw) for answer in answers] == [Report] * 4
        assert Report.model_validate_json(str(answers[0].message.content))
        assert isinstance(llm.complete(QUESTION).raw, Report)

    async def test_a_function_agent_runs_its_tool(self) -> None:
        tool = FunctionTool.from_defaults(weather, return_direct=True)
        for streaming in (True, False):
            agent = FunctionAgent(
                tools=[tool],
                llm=self.make_llm(),
                streaming=streaming,
                initial_tool_choice="weather",
                allow_parallel_tool_calls=False,
            )
            outcome = await agent.run(user_msg=QUESTION, memory=ChatMemoryBuffer.from_defaults())
            assert str(outcome).startswith("Rain in ")


class _Events(BaseEventHandler):
    """Keeps what it is shown."""

    events: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "_Events"

    def handle(self, event: Any, **kwargs: Any) -> None:
        self.events.append(event)


async def _all(stream: AsyncIterator[Any]) -> list[Any]:
    return [step async for step in stream]


def _checked(steps: Iterable[ChatResponse]) -> ChatResponse:
    """The last step of a stream, which has the whole answer; the steps' deltas add up to it."""
    said, last = "", None
    for last in steps:
        said += last.delta or ""
    assert last is not None, "the stream has no step"
    assert said == last.message.content
    return last


def _completed(steps: Iterable[CompletionResponse]) -> CompletionResponse:
    said, last = "", None
    for last in steps:
        said += last.delta or ""
    assert last is not None, "the stream has no step"
    assert said == last.text
    return last


def _parsed(llm: FunctionCallingLLM, steps: Iterable[ChatResponse]) -> ChatResponse:
    """The last step, after each one was looked through for calls, as agents do."""
    last = None
    for last in steps:
        llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)
    assert last is not None, "the stream has no step"
    return last
