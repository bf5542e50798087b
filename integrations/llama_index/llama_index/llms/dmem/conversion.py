"""LlamaIndex messages → ours, our answers → LlamaIndex's. Every block it allows is shown or refused."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypedDict

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ContentBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from dmem_agents import Message, MessageError, Role, ToolCall, unreadable_part
from llama_index.llms.dmem.internal import is_feedback, note_answer
from llama_index.llms.dmem.thoughts import as_written, split_thoughts

if TYPE_CHECKING:  # importing these would load torch
    from dmem_agents import Reply, ReplyChunk

_ROLES: dict[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


class Details(TypedDict):
    """What an answer came to beside its text: `raw` and `additional_kwargs` of a call's last response."""

    model: str
    agent_id: str | None
    dmem_version: int
    dmem_absorbed_messages: int
    dmem_absorbed_tokens: int
    dmem_state_bytes: int
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


def to_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    """LlamaIndex messages as ours, one for one, in order.

    Cache points and thoughts of other models are left out: chat templates show neither. Our own thoughts are put
    back into the answer as it was absorbed; templates leave them out of earlier answers. What a `ReActAgent` tells
    the model in the user's name is a tool's result: it belongs to the turn.

    Raises:
        MessageError: a block that is no text, or a tool call whose arguments are no JSON object.
    """
    return [
        _to_message(message, "tool" if is_feedback(message, before) else _ROLES[message.role])
        for before, message in pairwise([None, *messages])
        if message is not None
    ]


def prompt_message(prompt: str) -> list[ChatMessage]:
    """A completion prompt as the one user message it stands for."""
    return [ChatMessage(role=MessageRole.USER, content=prompt)]


def to_chat_response(reply: Reply, model_name: str) -> ChatResponse:
    """A whole answer as a chat response."""
    return ChatResponse(message=_answer(reply.text, reply), **_details(reply, model_name))


def to_completion_response(reply: Reply, model_name: str) -> CompletionResponse:
    """A whole answer as a completion; its thoughts are left out."""
    return CompletionResponse(text=split_thoughts(reply.text).said, **_details(reply, model_name))


def to_chat_stream(chunks: Generator[ReplyChunk], model_name: str) -> Generator[ChatResponse]:
    """Chat responses with the answer so far and what is new of it; closing it gives the turn up."""
    text = ""
    with closing(chunks):
        for chunk in chunks:
            yield note_answer(_chat_step(text, chunk, model_name))
            text += chunk.text


async def to_chat_astream(chunks: AsyncGenerator[ReplyChunk], model_name: str) -> AsyncGenerator[ChatResponse]:
    """`to_chat_stream` for asyncio."""
    text = ""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield note_answer(_chat_step(text, chunk, model_name))
            text += chunk.text


def to_completion(response: ChatResponse) -> CompletionResponse:
    """A chat response, whole or a step of a stream, as a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        additional_kwargs=response.additional_kwargs,
    )


def _to_message(message: ChatMessage, role: Role) -> Message:
    thoughts = ""
    texts: list[str] = []
    calls: list[ToolCall] = []
    for position, block in enumerate(message.blocks):
        match block:
            case TextBlock():
                texts.append(block.text)
            case ThinkingBlock() if role == "assistant":
                thoughts += as_written(block)
            case ToolCallBlock() if role == "assistant":
                calls.append(_tool_call(block))
            case ThinkingBlock() | CachePoint():
                pass
            case _:
                raise unreadable_part(role, position, type(block).__name__)
    extra = message.additional_kwargs
    return Message(
        role=role,
        content=thoughts + "\n".join(texts),
        tool_calls=tuple(calls),
        tool_call_id=extra.get("tool_call_id") if role == "tool" else None,
        name=extra.get("name"),
    )


def _tool_call(block: ToolCallBlock) -> ToolCall:
    arguments: Any = block.tool_kwargs
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except json.JSONDecodeError:
            arguments = None
    if not isinstance(arguments, dict):
        raise MessageError(
            f"Expected the arguments of the call of tool {block.tool_name!r} as a JSON object. Pass them as "
            "a dict, or leave the call out."
        )
    return ToolCall(id=block.tool_call_id or "", name=block.tool_name, arguments=arguments)


def _answer(text: str, reply: Reply | None) -> ChatMessage:
    """The answer so far, with its calls once `reply` is there."""
    answer = split_thoughts(text, whole=reply is not None)
    blocks: list[ContentBlock] = [block] if (block := answer.block()) else []
    calls = () if reply is None else reply.tool_calls
    if answer.said or not (blocks or calls):
        blocks.append(TextBlock(text=answer.said))
    blocks += [
        ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=dict(call.arguments)) for call in calls
    ]
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks)


def _chat_step(before: str, chunk: ReplyChunk, model_name: str) -> ChatResponse:
    """One step of a stream, whose text was `before` until now."""
    earlier, now = (
        split_thoughts(before, whole=False),
        split_thoughts(before + chunk.text, whole=chunk.reply is not None),
    )
    details: dict[str, Any] = {} if chunk.reply is None else _details(chunk.reply, model_name)
    if thought := now.thoughts.removeprefix(earlier.thoughts):
        details["additional_kwargs"] = {**details.get("additional_kwargs", {}), "thinking_delta": thought}
    return ChatResponse(
        message=_answer(before + chunk.text, chunk.reply), delta=now.said.removeprefix(earlier.said), **details
    )


def _details(reply: Reply, model_name: str) -> dict[str, Any]:
    details = Details(
        model=model_name,
        agent_id=reply.agent_id,
        dmem_version=reply.version,
        dmem_absorbed_messages=reply.absorbed_messages,
        dmem_absorbed_tokens=reply.absorbed_tokens,
        dmem_state_bytes=reply.state_bytes,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
    )
    extra: dict[str, Any] = {}
    if reply.invalid_tool_calls:
        extra["invalid_tool_calls"] = [asdict(call) for call in reply.invalid_tool_calls]
    usage = {key: details[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return {"raw": {**details, "usage": usage}, "additional_kwargs": {**details, **extra}}
