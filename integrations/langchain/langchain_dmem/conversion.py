"""LangChain messages → ours, our answers → LangChain's. Every shape LangChain allows is shown or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCallChunk,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import (
    invalid_tool_call as create_invalid_tool_call,
    tool_call as create_tool_call,
    tool_call_chunk as create_tool_call_chunk,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from dmem_agents import Message, MessageError, Role, ToolCall, unreadable_part

if TYPE_CHECKING:  # importing these would load torch
    from dmem_agents import Reply, ReplyChunk

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
}
# Parts of an assistant's content that say nothing to show: its calls stand in `tool_calls` as well, and chat
# templates leave earlier thoughts out.
_CALL_PARTS = frozenset({"tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "function_call"})
_SILENT_PARTS = _CALL_PARTS | {"reasoning", "thinking", "redacted_thinking"}


def to_messages(messages: Sequence[BaseMessage]) -> list[Message]:
    """LangChain messages as ours, one for one: several system messages and equal roles in a row stay.

    Raises:
        MessageError: a content part that is no text, or a message of a kind no model reads (`RemoveMessage`).
    """
    return [_to_message(message) for message in messages]


def to_chat_result(reply: Reply, *, model_name: str) -> ChatResult:
    """A whole answer."""
    metadata = _response_metadata(reply, model_name)
    message = AIMessage(
        content=reply.text,
        tool_calls=[create_tool_call(name=c.name, args=dict(c.arguments), id=c.id) for c in reply.tool_calls],
        invalid_tool_calls=_invalid_calls(reply),
        usage_metadata=_usage(reply),
        response_metadata=metadata,
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def to_chunks(chunk: ReplyChunk, *, model_name: str) -> Iterator[ChatGenerationChunk]:
    """A piece of an answer; the very last carries usage, metadata and `chunk_position="last"`, after the calls.

    LangChain's content blocks of a last chunk leave invalid calls out.
    """
    if chunk.text or chunk.reply is None:
        yield ChatGenerationChunk(message=AIMessageChunk(content=chunk.text))
    if chunk.reply is None:
        return
    if calls := _call_chunks(chunk.reply):
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=calls))
    end = AIMessageChunk(
        content="",
        usage_metadata=_usage(chunk.reply),
        response_metadata=_response_metadata(chunk.reply, model_name),
        chunk_position="last",
    )
    yield ChatGenerationChunk(message=end)


def _invalid_calls(reply: Reply) -> list[InvalidToolCall]:
    return [
        create_invalid_tool_call(name=call.name, args=call.text, id=call.id, error=call.error)
        for call in reply.invalid_tool_calls
    ]


def _call_chunks(reply: Reply) -> list[ToolCallChunk]:
    """Each call as one chunk; an invalid one behind its tag, or LangChain would complete its JSON and have it run."""
    calls = [(c.name, json.dumps(dict(c.arguments), ensure_ascii=False), c.id) for c in reply.tool_calls]
    invalid = [(c.name, f"<tool_call>{c.text}", c.id) for c in reply.invalid_tool_calls]
    return [
        create_tool_call_chunk(name=name, args=args, id=call_id, index=index)
        for index, (name, args, call_id) in enumerate([*calls, *invalid])
    ]


def _to_message(message: BaseMessage) -> Message:
    role = _role(message)
    return Message(
        role=role,
        content=_text(role, message.content),
        tool_calls=_tool_calls(message),
        tool_call_id=message.tool_call_id if isinstance(message, ToolMessage) else None,
        name=message.name,
    )


def _role(message: BaseMessage) -> Role:
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ToolMessage() | FunctionMessage():
            return "tool"
        case ChatMessage() if message.role in _ROLES:
            return _ROLES[message.role]
        case ChatMessage():
            raise MessageError(f"Expected the role of a ChatMessage out of {', '.join(_ROLES)}; got {message.role!r}.")
    raise MessageError(
        f"Expected system, human, AI, tool or chat messages; got a {type(message).__name__}. Leave it out of "
        "what the model is shown."
    )


def _text(role: Role, content: str | list[str | dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for position, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        text = part.get("text") if isinstance(part, dict) else part
        if kind == "text" and isinstance(text, str):
            texts.append(text)
        elif role != "assistant" or kind not in _SILENT_PARTS:
            raise unreadable_part(role, position, str(kind) if kind != "text" else type(text).__name__)
    return "".join(texts)


def _tool_calls(message: BaseMessage) -> tuple[ToolCall, ...]:
    if not isinstance(message, AIMessage):
        return ()
    return tuple(
        ToolCall(id=call["id"] or "", name=call["name"], arguments=call["args"]) for call in message.tool_calls
    )


def _usage(reply: Reply) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=reply.prompt_tokens,
        output_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
        input_token_details={"cache_read": reply.cached_tokens},
    )


def _response_metadata(reply: Reply, model_name: str) -> dict[str, Any]:
    return {
        "model_name": model_name,
        "model_provider": "dmem",
        "finish_reason": reply.finish_reason,
        "agent_id": reply.agent_id,
        "dmem_version": reply.version,
        "dmem_absorbed_messages": reply.absorbed_messages,
        "dmem_absorbed_tokens": reply.absorbed_tokens,
        "dmem_state_bytes": reply.state_bytes,
    }
