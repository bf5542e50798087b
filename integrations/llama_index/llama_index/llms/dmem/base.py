"""`DeltaMemLLM` for LlamaIndex: an LLM over one memory session.

Converts messages, finds out whose memory a call is about, and leaves the rest to the session. Knows nothing
of tokens, states or stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.llm import LLM
from pydantic import ConfigDict

from dmem_agents import ChatModelSettings, Message
from llama_index.llms.dmem.conversion import (
    prompt_message,
    to_chat_astream,
    to_chat_response,
    to_chat_stream,
    to_completion,
    to_completion_response,
    to_messages,
)

if TYPE_CHECKING:  # importing these would load torch
    from dmem_agents import TurnOptions


class DeltaMemLLM(ChatModelSettings, LLM):
    """A local LLM that remembers each agent in a small learned state instead of in the prompt.

    Takes the arguments of `ChatModelSettings` and those of every LlamaIndex LLM. The constructor loads
    nothing; the first call does. Each call is one turn of one agent, committed wholly or not at all; a
    completion is a turn with one user message. Keyword arguments of a call override the model's.

    Whose memory a call is about, first match: the call's `agent_id=`, this model's `agent_id`,
    `with agent("alice"):`. Nobody: an empty memory that is not kept. Streams settle it when they are opened,
    so engines may read them in other threads.

    Example:
        llm = DeltaMemLLM()
        engine = SimpleChatEngine.from_defaults(llm=llm.for_agent("alice"))
        engine.chat("My cat is called Tom.")

    Raises:
        ConfigError: an argument that is unknown, of the wrong type or out of its range.
        AgentIdError: `agent_id` can't name an agent.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True, extra="forbid")

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls this class in its serialised forms."""
        return "DeltaMemLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """Name and sizes. Loads nothing for the embedded model, else the model on the first call."""
        return LLMMetadata(
            context_window=self._context_window(),
            num_output=self.max_tokens,
            is_chat_model=True,
            is_function_calling_model=False,
            model_name=self._model_name(),
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One turn."""
        agent_id, options = self._turn(kwargs)
        reply = self._memory_session().reply(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_response(reply, self._model_name())

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """`chat` for asyncio."""
        agent_id, options = self._turn(kwargs)
        reply = await self._memory_session().areply(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_response(reply, self._model_name())

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """One turn, piece by piece; a stream left before its end stores nothing."""
        return self._stream(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """`stream_chat` for asyncio: await it, then iterate."""
        return self._astream(messages, kwargs)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """One turn with the prompt as the user's message, whether `formatted` or not."""
        agent_id, options = self._turn(kwargs)
        messages = to_messages(prompt_message(prompt))
        reply = self._memory_session().reply(messages, agent_id=agent_id, options=options)
        return to_completion_response(reply, self._model_name())

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """`complete` for asyncio."""
        agent_id, options = self._turn(kwargs)
        messages = to_messages(prompt_message(prompt))
        reply = await self._memory_session().areply(messages, agent_id=agent_id, options=options)
        return to_completion_response(reply, self._model_name())

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """`complete`, piece by piece; a stream left before its end stores nothing."""
        steps = self._stream(prompt_message(prompt), kwargs)
        return (to_completion(step) for step in steps)

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """`stream_complete` for asyncio: await it, then iterate."""
        steps = self._astream(prompt_message(prompt), kwargs)
        return (to_completion(step) async for step in steps)

    # Both are no generators themselves: the agent is settled in the caller's context.
    def _stream(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponseGen:
        agent_id, options = self._turn(kwargs)
        chunks = self._memory_session().stream(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_stream(chunks, self._model_name())

    def _astream(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponseAsyncGen:
        agent_id, options = self._turn(kwargs)
        chunks = self._memory_session().astream(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_astream(chunks, self._model_name())

    def _as_messages(self, messages: Sequence[Any]) -> list[Message]:
        return to_messages(messages)

    def _turn(self, kwargs: dict[str, Any]) -> tuple[str | None, TurnOptions]:
        call = dict(kwargs)
        return self._resolve_agent(call.pop("agent_id", None)), self._turn_options(call)
