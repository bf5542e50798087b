from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from dmem_agents import Message, MessageError, ToolCall
from llama_index.llms.dmem.conversion import to_messages


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (MessageRole.SYSTEM, "system"),
        (MessageRole.DEVELOPER, "system"),
        (MessageRole.USER, "user"),
        (MessageRole.ASSISTANT, "assistant"),
        (MessageRole.CHATBOT, "assistant"),
        (MessageRole.MODEL, "assistant"),
        (MessageRole.TOOL, "tool"),
        (MessageRole.FUNCTION, "tool"),
    ],
)
def test_each_role_becomes_ours(role: MessageRole, expected: str) -> None:
    assert [(m.role, m.content) for m in to_messages([ChatMessage(role=role, content="x")])] == [(expected, "x")]


def test_every_role_of_llama_index_has_a_place() -> None:
    assert len(to_messages([ChatMessage(role=role, content="x") for role in MessageRole])) == len(MessageRole)


def test_text_blocks_are_joined_as_llama_index_joins_them() -> None:
    message = ChatMessage(role="user", blocks=[TextBlock(text="one"), TextBlock(text="two")])
    assert to_messages([message])[0].content == message.content == "one\ntwo"


def test_an_empty_message_stays_empty() -> None:
    assert to_messages([ChatMessage(role="user", blocks=[])]) == [Message(role="user")]


@pytest.mark.parametrize("arguments", [{"where": "here"}, '{"where": "here"}'])
def test_tool_calls_and_their_results_keep_their_ids(arguments: Any) -> None:
    call = ToolCallBlock(tool_call_id="7", tool_name="look", tool_kwargs=arguments)
    messages = [
        ChatMessage(role="assistant", blocks=[TextBlock(text="Looking."), call]),
        ChatMessage(role="tool", content="a cat", additional_kwargs={"tool_call_id": "7", "name": "look"}),
    ]
    ours = ToolCall(id="7", name="look", arguments={"where": "here"})
    assert to_messages(messages) == [
        Message(role="assistant", content="Looking.", tool_calls=(ours,)),
        Message(role="tool", content="a cat", tool_call_id="7", name="look"),
    ]


def test_earlier_thoughts_and_cache_points_are_left_out() -> None:
    cache = CachePoint(cache_control=CacheControl(type="ephemeral"))
    blocks = [ThinkingBlock(content="hm"), TextBlock(text="a"), cache]
    assert to_messages([ChatMessage(role="assistant", blocks=blocks)])[0].content == "a"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            ChatMessage(role="user", blocks=[TextBlock(text="look"), ImageBlock(url="http://x/y.png")]),
            "only text in a user message; part 1 is 'ImageBlock'",
        ),
        (ChatMessage(role="user", blocks=[ToolCallBlock(tool_name="f")]), "part 0 is 'ToolCallBlock'"),
        (
            ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="f", tool_kwargs="{no json")]),
            "call of tool 'f' as a JSON object",
        ),
        (
            ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="f", tool_kwargs="[1]")]),
            "call of tool 'f' as a JSON object",
        ),
    ],
)
def test_what_the_model_cannot_read_is_refused_with_advice(message: ChatMessage, text: str) -> None:
    with pytest.raises(MessageError) as caught:
        to_messages([message])
    assert text in str(caught.value)
