"""Tools and structured output in LangChain, with a tiny real model whose calls are forced."""

from __future__ import annotations

import json
from typing import Any, Literal, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from pydantic.v1 import BaseModel as BaseModelV1

from dmem_agents import ConfigError, Message
from langchain_dmem import DeltaMemLLM
from langchain_dmem.conversion import to_messages
from langchain_dmem.structured import tool_choice_name


@tool
def weather(city: Literal["Oslo", "Zürich"]) -> str:
    """Tells the weather."""
    return f"Rain in {city}"


@tool
def note(text: str) -> str:
    """Takes a note."""
    return text


class Mood(BaseModel):
    """How it went."""

    mood: Literal["good", "bad"]


class Noted(BaseModel):
    """What was noted."""

    text: str


class NotedDict(TypedDict):
    """What was noted."""

    text: str


class MoodV1(BaseModelV1):
    """How it went."""

    mood: Literal["good", "bad"]


class MoodDict(TypedDict):
    """How it went."""

    mood: Literal["good", "bad"]


MOOD_JSON = {
    "title": "Mood",
    "description": "How it went.",
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}},
    "required": ["mood"],
}


@pytest.fixture
def llm(tiny: dict[str, Any]) -> DeltaMemLLM:
    return DeltaMemLLM(**{**tiny, "max_tokens": 100})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "auto"),
        (False, "auto"),
        (True, "required"),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        ("weather", "weather"),
        ({"type": "function", "function": {"name": "weather"}}, "weather"),
    ],
)
def test_every_form_of_tool_choice_is_understood(given: Any, expected: str) -> None:
    assert tool_choice_name(given, ["weather"]) == expected


def test_a_choice_of_no_known_form_is_refused(llm: DeltaMemLLM) -> None:
    with pytest.raises(ConfigError, match="tool_choice"):
        llm.bind_tools([weather], tool_choice=3)  # type: ignore[arg-type]  # the error is the point
    with pytest.raises(ConfigError, match="tool_choice"):
        llm.bind_tools([weather], tool_choice="wether").invoke("Hi")


@pytest.mark.parametrize("choice", ["any", "weather"])
def test_a_forced_call_comes_out(llm: DeltaMemLLM, choice: str) -> None:
    answer = llm.bind_tools([weather], tool_choice=choice).invoke("Hi")
    assert (answer.content, answer.invalid_tool_calls) == ("", [])
    assert answer.tool_calls[0]["name"] == "weather"
    assert answer.tool_calls[0]["args"]["city"] in ("Oslo", "Zürich")


def test_a_stream_adds_up_to_the_same_call(llm: DeltaMemLLM) -> None:
    forced = llm.bind_tools([weather], tool_choice="any")
    whole = forced.invoke("Hi")
    total: AIMessageChunk = sum(list(forced.stream("Hi"))[1:], next(iter(forced.stream("Hi"))))  # type: ignore[arg-type]
    assert [(c["name"], c["args"]) for c in total.tool_calls] == [(c["name"], c["args"]) for c in whole.tool_calls]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_cut_off_is_invalid_and_never_run(llm: DeltaMemLLM, streamed: bool) -> None:
    forced = llm.bind_tools([note], tool_choice="note", max_tokens=30)
    answer: Any = None
    for part in forced.stream("Hi") if streamed else [forced.invoke("Hi")]:
        answer = part if answer is None else answer + part
    assert answer.tool_calls == []
    assert answer.invalid_tool_calls[0]["name"] == "note"
    assert answer.response_metadata["finish_reason"] == "length"


def test_the_event_stream_says_that_a_call_was_cut_off(llm: DeltaMemLLM) -> None:
    forced = llm.bind_tools([note], tool_choice="note", max_tokens=30)
    answer = forced.stream_events("Hi", version="v3").output
    assert (answer.tool_calls, answer.response_metadata["finish_reason"]) == ([], "length")
    assert answer.invalid_tool_calls[0]["name"] == "note"
    assert to_messages([answer])[0].role == "assistant"


def test_a_call_keeps_its_digest_on_the_way_through_a_message(llm: DeltaMemLLM) -> None:
    session = llm._memory_session()
    answer = llm.bind_tools([weather], tool_choice="any").invoke("Hi", agent_id="a")
    absorbed = session.info("a").absorbed_messages
    history = [HumanMessage("Hi"), answer, ToolMessage("Rain", tool_call_id=answer.tool_calls[0]["id"])]
    base = session.info("a").base.values
    llm.bind_tools([weather]).invoke(history, agent_id="a", max_tokens=4)
    assert session.info("a").absorbed_messages == absorbed + 2
    assert session.info("a").base.values.equal(base)
    assert isinstance(to_messages([answer])[0], Message)


def test_create_agent_runs_a_whole_loop(llm: DeltaMemLLM) -> None:
    class OnceForced(DeltaMemLLM):
        """Has the tool called first, and answers when its result is there."""

        def _generate(self, messages: Any, *arguments: Any, **kwargs: Any) -> Any:
            answered = isinstance(messages[-1], ToolMessage)
            more = {"tool_choice": "none", "max_tokens": 4} if answered else {"tool_choice": "weather"}
            return super()._generate(messages, *arguments, **{**kwargs, **more})

    model = OnceForced(session=llm._memory_session(), max_tokens=100)
    final = create_agent(model, [weather]).invoke(
        {"messages": [HumanMessage("Hi")]}, {"configurable": {"agent_id": "looper"}}
    )
    kinds = [type(message) for message in final["messages"]]
    assert kinds == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert final["messages"][2].content.startswith("Rain in ")
    assert llm._memory_session().info("looper").absorbed_messages == 4


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
@pytest.mark.parametrize("schema", [Mood, MoodV1, MoodDict, MOOD_JSON])
@pytest.mark.filterwarnings("ignore:.*[Pp]ydantic [Vv]1")
def test_structured_output_is_of_its_schema(llm: DeltaMemLLM, schema: Any, method: Any) -> None:
    parsed = llm.with_structured_output(schema, method=method).invoke("Hi")
    mood = parsed["mood"] if isinstance(parsed, dict) else parsed.mood
    assert mood in ("good", "bad")
    assert isinstance(parsed, dict) or isinstance(parsed, schema)


def test_structured_output_with_its_raw_message_reports_what_could_not_be_parsed(llm: DeltaMemLLM) -> None:
    fine = llm.with_structured_output(Mood, include_raw=True).invoke("Hi")
    assert fine["parsed"].mood in ("good", "bad")
    assert fine["parsing_error"] is None
    cut = llm.with_structured_output(Mood, include_raw=True, max_tokens=3).invoke("Hi")
    assert (cut["parsed"], cut["raw"].response_metadata["finish_reason"]) == (None, "length")
    assert cut["parsing_error"] is not None


@pytest.mark.parametrize("schema", [Noted, NotedDict])
def test_a_cut_answer_is_no_whole_object(llm: DeltaMemLLM, schema: Any) -> None:
    cut = llm.with_structured_output(schema, max_tokens=20)
    with pytest.raises(OutputParserException, match="max_tokens"):
        cut.invoke("Hi")
    pieces = [piece if isinstance(piece, dict) else piece.model_dump() for piece in cut.stream("Hi")]
    assert isinstance(pieces[-1]["text"], str)


def test_an_answer_keeps_to_a_response_format(llm: DeltaMemLLM) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "mood", "schema": MOOD_JSON}}
    assert json.loads(str(llm.invoke("Hi", response_format=schema).content))["mood"] in ("good", "bad")
    assert llm.bind(response_format={"type": "text"}).invoke("Hi").content == llm.invoke("Hi").content
    with pytest.raises(ConfigError, match="response_format"):
        llm.invoke("Hi", response_format={"type": "xml"})


def test_an_unknown_method_is_refused(llm: DeltaMemLLM) -> None:
    with pytest.raises(ConfigError, match="json_mode"):
        llm.with_structured_output(Mood, method="xml")  # type: ignore[arg-type]  # the error is the point
