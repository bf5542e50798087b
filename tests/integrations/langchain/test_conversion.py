from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from dmem_agents import Message, MessageError, ToolCall
from langchain_dmem.conversion import to_messages

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SystemMessage("s"), Message(role="system", content="s")),
        (HumanMessage("h", name="Ann"), Message(role="user", content="h", name="Ann")),
        (AIMessage("a"), Message(role="assistant", content="a")),
        (AIMessageChunk("a"), Message(role="assistant", content="a")),
        (ToolMessage("t", tool_call_id="1"), Message(role="tool", content="t", tool_call_id="1")),
        (FunctionMessage(name="f", content="t"), Message(role="tool", content="t", name="f")),
        (ChatMessage(role="developer", content="s"), Message(role="system", content="s")),
        (ChatMessage(role="user", content="h"), Message(role="user", content="h")),
        (HumanMessage(""), Message(role="user", content="")),
    ],
)
def test_each_kind_of_message_becomes_ours(message: BaseMessage, expected: Message) -> None:
    assert to_messages([message]) == [expected]


def test_several_system_messages_and_equal_roles_in_a_row_stay_as_they_are() -> None:
    messages = [SystemMessage("1"), SystemMessage("2"), HumanMessage("3"), HumanMessage("4")]
    assert [(m.role, m.content) for m in to_messages(messages)] == [
        ("system", "1"),
        ("system", "2"),
        ("user", "3"),
        ("user", "4"),
    ]


def test_text_parts_are_joined_in_order() -> None:
    content: list[str | dict[str, Any]] = ["one ", {"type": "text", "text": "two "}, {"text": "three"}]
    assert to_messages([HumanMessage(content)])[0].content == "one two three"


def test_tool_calls_of_an_answer_are_kept_and_not_repeated_by_its_content_parts() -> None:
    message = AIMessage(
        content=[{"type": "text", "text": "Looking."}, {"type": "tool_use", "id": "7", "name": "look"}],
        tool_calls=[{"id": "7", "name": "look", "args": {"where": "here"}}],
    )
    call = ToolCall(id="7", name="look", arguments={"where": "here"})
    assert to_messages([message]) == [Message(role="assistant", content="Looking.", tool_calls=(call,))]


def test_earlier_thoughts_are_left_out() -> None:
    content: list[str | dict[str, Any]] = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "a"},
    ]
    assert to_messages([AIMessage(content)])[0].content == "a"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (HumanMessage(["look: ", IMAGE]), "only text in a user message; part 1 is 'image_url'"),
        (ToolMessage([IMAGE], tool_call_id="1"), "only text in a tool message; part 0 is 'image_url'"),
        (AIMessage([IMAGE]), "only text in a assistant message; part 0 is 'image_url'"),
        (HumanMessage([{"type": "text", "text": 5}]), "part 0 is 'int'"),
        (HumanMessage([{"type": "reasoning", "reasoning": "hm"}]), "part 0 is 'reasoning'"),
        (ChatMessage(role="narrator", content="x"), "got 'narrator'"),
        (RemoveMessage(id="1"), "got a RemoveMessage"),
    ],
)
def test_what_the_model_cannot_read_is_refused_with_advice(message: BaseMessage, text: str) -> None:
    with pytest.raises(MessageError) as caught:
        to_messages([message])
    assert text in str(caught.value)


def test_an_answer_sent_back_by_a_framework_is_recognised_as_the_one_given() -> None:
    said = Message(role="assistant", content=" Hello\n")
    assert to_messages([AIMessage(" Hello\n", name="agent", id="x")])[0].digest() == said.digest()
