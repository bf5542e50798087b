"""`DeltaMemLLM` for LlamaIndex: an LLM over one memory session.

Converts messages, finds out whose memory a call is about, and leaves the rest to the session. Knows nothing
of tokens, states or stores.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import replace
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
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.tools import BaseTool
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ConfigDict

from dmem_agents import ChatModelSettings, ConfigError, Message
from llama_index.llms.dmem.conversion import (
    prompt_message,
    to_chat_astream,
    to_chat_response,
    to_chat_stream,
    to_completion,
    to_completion_response,
    to_messages,
)
from llama_index.llms.dmem.internal import (
    note_answer,
    predicts_for_engines,
    reads_for_engines,
    refined,
    replaced_version,
    rewrites_conversation,
)
from llama_index.llms.dmem.structured import aobjects, objects
from llama_index.llms.dmem.tools import answer_format, choice_of, no_call, selections, to_openai

if TYPE_CHECKING:  # importing these would load torch, or another framework
    from llama_index.core.chat_engine.types import AgentChatResponse

    from dmem_agents import TurnOptions
    from langchain_dmem import DeltaMemLLM as LangChainDeltaMemLLM


_ABOUT_CALLS = ("tool_required", "tool_choice", "allow_parallel_tool_calls")
"""What callers may say of an object that is asked for as a tool call; a streamed one is none."""


class DeltaMemLLM(ChatModelSettings, FunctionCallingLLM):
    """A local LLM that remembers each agent in a small learned state instead of in the prompt.

    Takes the arguments of `ChatModelSettings` and those of every LlamaIndex LLM. The constructor loads
    nothing; the first call does. Each call is one turn of one agent, committed wholly or not at all; a
    completion is a turn with one user message. Keyword arguments of a call override the model's.

    Whose memory a call is about, first match: the call's `agent_id=`, this model's `agent_id`,
    `with agent("alice"):`. Nobody: an empty memory that is not kept. Streams settle it when they are opened,
    so engines may read them in other threads.

    Every backbone calls tools: answers are kept to their schemas by a grammar. Calls that LlamaIndex makes for its
    own ends, as far as they can be told, are read-only: completions that an engine or retriever asks for, and the
    conversation that an agent with `output_cls` has put into an object.

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

    def __getstate__(self) -> dict[Any, Any]:
        if self.session is not None or not isinstance(self.store, str | None):
            raise ConfigError(
                "Expected a model whose copy in another process finds the same memories; this one was given an open "
                "`session` or a store object. Give `store` as a URL and name `model` and `adapter`."
            )
        return super().__getstate__()

    @predicts_for_engines
    def predict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        """The answer to a prompt as one turn; what an engine asks for its own ends only reads the memory."""
        return super().predict(prompt, **prompt_args)

    @predicts_for_engines
    async def apredict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        """See `predict`."""
        return await super().apredict(prompt, **prompt_args)

    @property
    def metadata(self) -> LLMMetadata:
        """Name and sizes. Loads nothing for the embedded model, else the model on the first call."""
        return LLMMetadata(
            context_window=self._context_window(),
            num_output=self.max_tokens,
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self._model_name(),
        )

    @property
    def tokenizer(self) -> Callable[[str], list[int]]:
        """Counts as the backbone does: for `Settings.tokenizer` and the `tokenizer_fn` of memory buffers.

        Loads the model when it is first called.
        """
        return lambda text: self._memory_session().encode(text)

    def to_langchain(self) -> LangChainDeltaMemLLM:
        """The same model for LangChain: engine, store, agent and settings are shared, LlamaIndex's own stay behind.

        Raises:
            ConfigError: LangChain is not installed.
        """
        try:
            from langchain_dmem import DeltaMemLLM as LangChainDeltaMemLLM
        except ImportError as error:
            raise ConfigError("Expected LangChain. Install it: pip install 'dmem-agents[langchain]'") from error
        return LangChainDeltaMemLLM(**self._shared_arguments())

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One turn."""
        agent_id, options = self._turn(messages, kwargs)
        reply = self._memory_session().reply(to_messages(messages), agent_id=agent_id, options=options)
        return note_answer(to_chat_response(reply, self._model_name()))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """`chat` for asyncio."""
        agent_id, options = self._turn(messages, kwargs)
        reply = await self._memory_session().areply(to_messages(messages), agent_id=agent_id, options=options)
        return note_answer(to_chat_response(reply, self._model_name()))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """One turn, piece by piece; a stream left before its end stores nothing."""
        return self._stream(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """`stream_chat` for asyncio: await it, then iterate."""
        return self._astream(messages, kwargs)

    @reads_for_engines
    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """One turn with the prompt as the user's message, whether `formatted` or not."""
        asked = prompt_message(prompt)
        agent_id, options = self._turn(asked, kwargs)
        reply = self._memory_session().reply(to_messages(asked), agent_id=agent_id, options=options)
        return to_completion_response(reply, self._model_name())

    @reads_for_engines
    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """`complete` for asyncio."""
        asked = prompt_message(prompt)
        agent_id, options = self._turn(asked, kwargs)
        reply = await self._memory_session().areply(to_messages(asked), agent_id=agent_id, options=options)
        return to_completion_response(reply, self._model_name())

    @reads_for_engines
    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """`complete`, piece by piece; a stream left before its end stores nothing."""
        steps = self._stream(prompt_message(prompt), kwargs)
        return (to_completion(step) for step in steps)

    @reads_for_engines
    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """`stream_complete` for asyncio: await it, then iterate."""
        steps = self._astream(prompt_message(prompt), kwargs)
        return (to_completion(step) async for step in steps)

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls of an answer, or of a step of a stream.

        Raises:
            ToolCallError: there is none, and `error_on_no_tool_call`.
        """
        found = selections(response)
        if not found and error_on_no_tool_call:
            raise no_call(response)
        return found

    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """Have a tool called and run it. The call is forced unless `error_on_no_tool_call` or `tool_required` is off.

        Raises:
            ToolCallError: the call was cut off.
            ValueError: the tool failed, and `error_on_tool_error`.
        """
        return super().predict_and_call(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            error_on_no_tool_call=error_on_no_tool_call,
            error_on_tool_error=error_on_tool_error,
            **{"tool_required": error_on_no_tool_call, **kwargs},
        )

    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """`predict_and_call` for asyncio."""
        return await super().apredict_and_call(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            error_on_no_tool_call=error_on_no_tool_call,
            error_on_tool_error=error_on_tool_error,
            **{"tool_required": error_on_no_tool_call, **kwargs},
        )

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages += [user_msg] if isinstance(user_msg, ChatMessage) else prompt_message(user_msg)
        offered: dict[str, Any] = {}
        if tools or tool_required or tool_choice is not None:
            offered["tools"] = to_openai(tools)
            offered["tool_choice"] = choice_of(tool_choice, required=tool_required)
            offered["parallel_tool_calls"] = allow_parallel_tool_calls
        return {"messages": messages, **offered, **kwargs}

    # Objects are streamed as text kept to their schema: a call's text is held back until the call is whole.
    def _structured_stream_call(
        self,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any]:
        if self.pydantic_program_mode == PydanticProgramMode.LLM:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        return objects(self.stream_chat(**call), output_cls)

    async def _structured_astream_call(
        self,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any]:
        if self.pydantic_program_mode == PydanticProgramMode.LLM:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        return aobjects(await self.astream_chat(**call), output_cls)

    def _structured_call(
        self,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: dict[str, Any],
    ) -> dict[str, Any]:
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        form = {"response_format": answer_format(output_cls.model_json_schema())}
        more = {name: value for name, value in (llm_kwargs or {}).items() if name not in _ABOUT_CALLS}
        return {"messages": messages, **form, **more}

    # Both are no generators themselves: the agent is settled in the caller's context.
    def _stream(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponseGen:
        agent_id, options = self._turn(messages, kwargs)
        chunks = self._memory_session().stream(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_stream(chunks, self._model_name())

    def _astream(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponseAsyncGen:
        agent_id, options = self._turn(messages, kwargs)
        chunks = self._memory_session().astream(to_messages(messages), agent_id=agent_id, options=options)
        return to_chat_astream(chunks, self._model_name())

    def _as_messages(self, messages: Sequence[Any]) -> list[Message]:
        return to_messages(messages)

    def _turn(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> tuple[str | None, TurnOptions]:
        call = dict(kwargs)
        agent_id = self._resolve_agent(call.pop("agent_id", None))
        if call.get("tools"):
            call["tools"] = to_openai(call["tools"])
        if rewrites_conversation(messages):
            call["read_only"] = True
        return agent_id, replace(self._turn_options(call), replaces_version=replaced_version(messages, agent_id))

    def _get_messages(self, prompt: BasePromptTemplate, **prompt_args: Any) -> list[ChatMessage]:
        return refined(super()._get_messages(prompt, **prompt_args), prompt, prompt_args)
