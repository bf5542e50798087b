"""Tools of LlamaIndex: what is refused in the user's terms, thoughts, and five hundred schemas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import jsonschema
import pytest
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock
from llama_index.core.tools import BaseTool, FunctionTool, ToolMetadata, ToolOutput
from pydantic import BaseModel

from dmem_agents import (
    AgentIdError,
    ConfigError,
    ContextOverflowError,
    Message,
    Reply,
    ReplyChunk,
    ToolCallError,
    ToolSchema,
    TurnOptions,
)
from dmem_agents.tool_calling import grammar, parse_tool_calls
from llama_index.llms.dmem import DeltaMemLLM
from llama_index.llms.dmem.conversion import to_chat_response, to_chat_stream, to_messages
from llama_index.llms.dmem.tools import choice_of, to_schema
from tests.integrations.conftest import NotingSession
from tests.tool_calling.conftest import RandomWriter, tool_schemas


class Opaque:
    """No JSON value."""


def positional(first: str, second: int, /) -> str:
    return first * second


def keyword(first: str, second: Literal[1, 2] = 1) -> str:
    """Repeat."""
    return first * second


def of_opaque(thing: Callable[[], int]) -> str:
    return str(thing)


def test_a_plain_function_is_described_with_its_own_name() -> None:
    schema = to_schema(FunctionTool.from_defaults(keyword, name="wiederholen-ß"))
    assert schema.name == "wiederholen-ß"
    assert schema.parameters["required"] == ["first"]


def test_a_function_that_takes_no_arguments_by_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="by name as tool 'positional'"):
        to_schema(FunctionTool.from_defaults(positional))


def test_a_signature_that_json_cannot_describe_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"signature of tool 'of_opaque'.*fn_schema"):
        to_schema(FunctionTool.from_defaults(of_opaque))


@pytest.mark.parametrize(
    ("given", "required", "expected"),
    [
        (None, True, "required"),
        (None, False, "auto"),
        ("any", False, "required"),
        ("look", False, "look"),
        ({"type": "function", "function": {"name": "look"}}, False, "look"),
        (False, True, "none"),
    ],
)
def test_every_form_of_tool_choice_is_understood(given: Any, required: bool, expected: str) -> None:
    assert choice_of(given, required=required) == expected


def test_a_choice_of_no_known_form_is_refused() -> None:
    with pytest.raises(ConfigError, match="tool_choice"):
        choice_of(3, required=False)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # LlamaIndex calls `json`
def test_a_call_that_was_cut_off_says_what_to_do(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**{**tiny, "max_tokens": 30})
    tools = [FunctionTool.from_defaults(keyword)]
    with pytest.raises(ToolCallError, match=r"'keyword' can't be made.*raise max_tokens"):
        llm.predict_and_call(tools, "Hi")

    class Said(BaseModel):
        text: str

    with pytest.raises(ToolCallError, match="before it was whole"):
        list(llm.as_structured_llm(Said).stream_chat([ChatMessage(role="user", content="Hi")]))


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # LlamaIndex's structured LLM
@pytest.mark.parametrize(
    "about", [{"tool_choice": "required"}, {"tool_required": True}, {"allow_parallel_tool_calls": False}]
)
def test_what_a_caller_says_of_calls_does_no_harm_to_a_streamed_object(
    tiny: dict[str, Any], about: dict[str, Any]
) -> None:
    class Mood(BaseModel):
        """How it went."""

        mood: Literal["good", "bad"]

    llm = DeltaMemLLM(**{**tiny, "max_tokens": 60}).as_structured_llm(Mood)
    messages = [ChatMessage(role="user", content="Hi")]
    assert isinstance(llm.chat(messages, **about).raw, Mood)
    assert isinstance(list(llm.stream_chat(messages, **about))[-1].raw, Mood)


def test_an_answer_in_words_says_how_to_get_a_call(noting: Any) -> None:
    llm = DeltaMemLLM(session=noting)
    answer = llm.chat_with_tools([FunctionTool.from_defaults(keyword)], user_msg="Hi")
    with pytest.raises(ToolCallError, match="tool_required=True"):
        llm.get_tool_calls_from_response(answer)


def test_a_turn_longer_than_the_context_window_says_by_how_much_and_stores_nothing(tiny: dict[str, Any]) -> None:
    llm = DeltaMemLLM(**tiny, require_agent=True)
    with pytest.raises(ContextOverflowError, match=r"Expected at most 4096 tokens.*too many. Nothing was stored"):
        llm.chat([ChatMessage(role="user", content="x" * 5000)], agent_id="alice")
    assert llm.for_agent("alice").memory.info() is None
    with pytest.raises(AgentIdError, match=r"with dmem_agents.agent"):
        llm.complete("Hi")


def test_thoughts_are_a_block_of_their_own_and_come_back_as_they_were(noting: Any) -> None:
    reply = replace(noting._reply(None), text="<think>\nA cat.\n</think>\n\nIt purrs.")
    message = to_chat_response(reply, "m").message
    assert [type(block) for block in message.blocks] == [ThinkingBlock, TextBlock]
    assert (message.blocks[0].content, message.content) == ("A cat.", "It purrs.")
    assert to_messages([message])[0].content == reply.text
    pieces = [ReplyChunk(text=reply.text[at : at + 4]) for at in range(0, len(reply.text), 4)]
    steps = list(to_chat_stream((chunk for chunk in [*pieces, ReplyChunk(text="", reply=reply)]), "m"))
    assert "".join(step.delta or "" for step in steps) == "It purrs."
    assert "".join(step.additional_kwargs.get("thinking_delta", "") for step in steps).strip() == "A cat."
    assert steps[-1].message == message


class JsonTool(BaseTool):
    """A tool with a JSON schema of any shape."""

    def __init__(self, schema: ToolSchema) -> None:
        class Metadata(ToolMetadata):
            def get_parameters_dict(self) -> dict[str, Any]:
                return dict(schema.parameters)

        self._metadata = Metadata(description=schema.description, name=schema.name, fn_schema=None)

    @property
    def metadata(self) -> ToolMetadata:
        return self._metadata

    def __call__(self, input: Any) -> ToolOutput:
        raise NotImplementedError


class WritingSession(NotingSession):
    """Answers with whatever the grammar lets out, picked at random instead of by a model."""

    def __init__(self) -> None:
        super().__init__()
        self._writer = RandomWriter()

    def reply(self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions) -> Reply:
        text, calls, invalid = parse_tool_calls(self._writer.write(grammar(options.tools, options.tool_choice)))
        reply = super().reply(messages, agent_id=agent_id, options=options)
        return replace(reply, text=text, tool_calls=calls, invalid_tool_calls=invalid)


def test_every_forced_call_of_500_tools_comes_through_valid() -> None:
    llm = DeltaMemLLM(session=WritingSession())
    for schema in tool_schemas(500, seed=5):
        answer = llm.chat_with_tools([JsonTool(schema)], user_msg="Go on.", tool_required=True)
        (call,) = llm.get_tool_calls_from_response(answer)
        assert call.tool_name == schema.name
        jsonschema.Draft202012Validator(dict(schema.parameters)).validate(call.tool_kwargs)
