"""`DeltaMemLLM` for LangChain and LangGraph: a chat model over one memory session.

Converts messages, finds out whose memory a call is about, and leaves the rest to the session. Knows nothing
of tokens, states or stores.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

from langchain_core.caches import BaseCache
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, NonNegativeInt

from dmem_agents import (
    ChatModelSettings,
    ConfigError,
    LeaseLostError,
    Message,
    StateConflictError,
    StateDeletedError,
)
from langchain_dmem.conversion import to_chat_result, to_chunks, to_messages
from langchain_dmem.structured import (
    calls_parser,
    json_schema_format,
    parsed_by,
    schema_function,
    text_parser,
    tool_choice_name,
)

if TYPE_CHECKING:  # importing these would load torch, or another framework
    from dmem_agents import TurnOptions
    from llama_index.llms.dmem import DeltaMemLLM as LlamaIndexDeltaMemLLM


class DeltaMemLLM(ChatModelSettings, BaseChatModel):
    """A local chat model that remembers each agent in a small learned state instead of in the prompt.

    Takes the arguments of `ChatModelSettings` and those of every LangChain chat model. The constructor loads
    nothing; the first call does. Each call is one turn of one agent, committed wholly or not at all.

    Whose memory a call is about, first match: the call's `agent_id=`, this model's `agent_id`,
    `with agent("alice"):`, `config["configurable"]["agent_id"]`, `agent_id` of LangGraph's runtime context,
    and the `thread_id` if `thread_id_as_agent`. Nobody: an empty memory that is not kept.

    Calls that LangChain makes for its own ends (summaries, tool selection: those with `lc_source` in their
    metadata) are read-only.

    Example:
        llm = DeltaMemLLM()
        llm.invoke("My cat is called Tom.", agent_id="alice")
        llm.invoke("What is my cat called?", agent_id="alice")

    Raises:
        ConfigError: an argument that is unknown, of the wrong type or out of its range.
        AgentIdError: `agent_id` can't name an agent.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True, extra="forbid")

    cache: BaseCache | bool | None = Field(default=False, exclude=True)
    """LangChain's response cache; off, because a cached answer would skip the memory."""
    thread_id_as_agent: bool = False
    """True lets `config["configurable"]["thread_id"]` name the agent when nothing else does."""
    streaming: bool = False
    """True has `invoke` generate as `stream` does, so that callbacks see each token."""
    max_retries: NonNegativeInt = 2
    """How often `invoke` repeats a turn that another process's commit came before (`StateConflictError`). Not where the
    agent was forgotten meanwhile: it stays forgotten. Streams are not repeated: their text has gone out."""

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """One turn. `kwargs` override the model's arguments for this call; `agent_id` says whose it is."""
        return super().invoke(input, config, **self._told_by(config, kwargs))

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """`invoke` for asyncio."""
        return await super().ainvoke(input, config, **self._told_by(config, kwargs))

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """One turn, piece by piece. Whoever is its agent by now stays it; left before its end it stores nothing."""
        return super().stream(input, config, **self._told_by(config, kwargs))

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """`stream` for asyncio."""
        return super().astream(input, config, **self._told_by(config, kwargs))

    def stream_events(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """LangChain's event stream of one turn."""
        return super().stream_events(input, config, **self._told_by(config, kwargs))

    def astream_events(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """`stream_events` for asyncio."""
        return super().astream_events(input, config, **self._told_by(config, kwargs))

    def get_token_ids(self, text: str) -> list[int]:
        """The backbone's ids of a text, which LangChain's counts (`trim_messages(token_counter=llm)`) are made of."""
        custom = self.custom_get_token_ids
        return self._memory_session().encode(text) if custom is None else custom(text)

    def for_agent(self, agent_id: str) -> Self:
        """The same model bound to an agent; engine, store and every other argument are shared.

        Raises:
            AgentIdError: the id can't name an agent.
        """
        bound = super().for_agent(agent_id)
        bound.__dict__.pop("_serialized", None)  # LangChain's cached description of the unbound model
        return bound

    def to_llama_index(self) -> LlamaIndexDeltaMemLLM:
        """The same model for LlamaIndex: engine, store, agent and settings are shared, LangChain's own stay behind.

        Raises:
            ConfigError: LlamaIndex is not installed.
        """
        try:
            from llama_index.llms.dmem import DeltaMemLLM as LlamaIndexDeltaMemLLM
        except ImportError as error:
            raise ConfigError("Expected LlamaIndex. Install it: pip install 'dmem-agents[llama-index]'") from error
        return LlamaIndexDeltaMemLLM(**self._shared_arguments())

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools on offer. Only calls that fit their schema can come out, so `strict` adds nothing.

        Args:
            tools: LangChain tools, functions, pydantic classes, TypedDicts or JSON schemas.
            tool_choice: None and "auto": text or a call; "any", "required" and True: a call; "none": text; or the
                name of the tool that must be called, also as OpenAI's dict.
            parallel_tool_calls: True lets several calls out at once; small models tend to go on when they may.
            strict: accepted for callers that set it for every provider.
            **kwargs: further arguments of each call.

        Raises:
            ConfigError: a tool or a choice that can't be used.
        """
        converted = [convert_to_openai_tool(tool) for tool in tools]
        names = [tool["function"]["name"] for tool in converted if "function" in tool]
        choice = tool_choice_name(tool_choice, names)
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(tools=converted, tool_choice=choice if converted else "auto", **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """The model with answers of one schema, parsed.

        Args:
            schema: a pydantic class, TypedDict or JSON schema.
            method: "json_schema" and "json_mode" keep the answer's text to it; "function_calling" has the model call
                it as a tool, which also shows it to the model.
            include_raw: True gives a dict of `raw` (the message), `parsed` and `parsing_error`.
            strict: as for `bind_tools`.
            **kwargs: further arguments of each call.

        Raises:
            ConfigError: an unknown method.
        """
        traced = {"kwargs": {"method": method}, "schema": schema}
        if method == "function_calling":
            name = schema_function(schema)["name"]
            llm = self.bind_tools([schema], tool_choice=name, ls_structured_output_format=traced, **kwargs)
            return parsed_by(llm, calls_parser(schema), include_raw=include_raw)
        if method not in ("json_schema", "json_mode"):
            raise ConfigError(f'Expected method "json_schema", "function_calling" or "json_mode", got {method!r}.')
        # JSON mode promises some JSON object; a grammar can as well keep to the schema that it is parsed with.
        bound = self.bind(response_format=json_schema_format(schema), ls_structured_output_format=traced, **kwargs)
        return parsed_by(bound, text_parser(schema), include_raw=include_raw)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        llm, agent_id, options = self._turn(stop, kwargs)
        session, shown = llm._memory_session(), to_messages(messages)
        for left in range(self.max_retries, -1, -1):
            with _until_none(left):
                reply = session.reply(shown, agent_id=agent_id, options=options)
                return to_chat_result(reply, model_name=llm._model_name())
        raise RuntimeError("The last try neither answered nor raised.")  # unreachable

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        llm, agent_id, options = self._turn(stop, kwargs)
        session, shown = llm._memory_session(), to_messages(messages)
        for left in range(self.max_retries, -1, -1):
            with _until_none(left):
                reply = await session.areply(shown, agent_id=agent_id, options=options)
                return to_chat_result(reply, model_name=llm._model_name())
        raise RuntimeError("The last try neither answered nor raised.")  # unreachable

    # Neither streaming method reports to `run_manager`: its callers report each chunk they get.
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        llm, agent_id, options = self._turn(stop, kwargs)
        turn = llm._memory_session().stream(to_messages(messages), agent_id=agent_id, options=options)
        with closing(turn) as chunks:
            for chunk in chunks:
                yield from to_chunks(chunk, model_name=llm._model_name())

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        llm, agent_id, options = self._turn(stop, kwargs)
        turn = llm._memory_session().astream(to_messages(messages), agent_id=agent_id, options=options)
        async with aclosing(turn) as chunks:
            async for chunk in chunks:
                for piece in to_chunks(chunk, model_name=llm._model_name()):
                    yield piece

    def _told_by(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> dict[str, Any]:
        """`kwargs` with what `config` says of the agent; LangChain shows `_generate` no `configurable`."""
        known = ensure_config(config)
        told = dict(kwargs)
        told["agent_id"] = self._resolve_agent(kwargs.get("agent_id"), self._agents_in(known))
        if known["metadata"].get("lc_source"):
            told["read_only"] = True
        return told

    def _agents_in(self, config: RunnableConfig) -> Iterator[object]:
        configurable = config.get("configurable", {})
        yield configurable.get("agent_id")
        yield _runtime_agent()
        if self.thread_id_as_agent and configurable.get("thread_id") is not None:
            yield str(configurable["thread_id"])

    def _turn(self, stop: list[str] | None, kwargs: dict[str, Any]) -> tuple[Self, str | None, TurnOptions]:
        """Which model runs the turn, whose it is, and how."""
        call = dict(kwargs) if stop is None else {**kwargs, "stop": stop}
        call.pop("stream", None)  # LangChain's own switch between `_generate` and `_stream`
        agent_id = self._resolve_agent(call.pop("agent_id", None), self._agents_around())
        named = {name: call.pop(name) for name in ("model", "adapter") if name in call}
        return self._with_model(**named), agent_id, self._turn_options(call)

    def _with_model(self, *, model: Any = None, adapter: Any = None) -> Self:
        """This model, or one that differs in what a call names; the store stays."""
        if (model is None or str(model) == self._model_name()) and adapter in (None, self.adapter):
            return self
        if self.session is not None:
            raise ConfigError(
                "Expected no `model` or `adapter` in a call of a chat model that was given an open `session`, which "
                "has its own. Construct one with `model=` instead."
            )
        other = {"model": self.model if model is None else model, "adapter": adapter or self.adapter}
        return self.model_copy(update=other)

    def _agents_around(self) -> Iterator[object]:
        return self._agents_in(ensure_config())

    def _as_messages(self, messages: Sequence[Any]) -> list[Message]:
        return to_messages(convert_to_messages(messages))

    def _resolve_model_profile(self) -> ModelProfile | None:
        """What the model takes and gives; sizes of the embedded model only, as others would have to be loaded."""
        profile = ModelProfile(
            text_inputs=True,
            image_inputs=False,
            image_url_inputs=False,
            audio_inputs=False,
            video_inputs=False,
            pdf_inputs=False,
            text_outputs=True,
            image_outputs=False,
            audio_outputs=False,
            video_outputs=False,
            reasoning_output=False,
            tool_calling=True,
            tool_choice=True,
            structured_output=True,
            temperature=True,
            open_weights=True,
        )
        if self.model is None and self.session is None:
            profile["max_input_tokens"] = self._context_window()
        return profile

    @property
    def _llm_type(self) -> str:
        return "dmem"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("adapter", "agent_id", "context", "write_roles", "read_only", "temperature", "max_tokens")
        more = ("top_p", "top_k", "seed", "repetition_penalty", "stop")
        return {"model": self._model_name()} | {name: getattr(self, name) for name in (*names, *more)}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or list(self.stop) or None, **kwargs)
        params["ls_provider"] = "dmem"
        params["ls_model_name"] = str(kwargs.get("model") or self._model_name())
        agent_id = kwargs.get("agent_id") or self.agent_id
        if agent_id is not None:
            params["ls_agent_id"] = agent_id  # type: ignore[typeddict-unknown-key]  # LangSmith shows all ls_ keys
        return params


ChatDeltaMem = DeltaMemLLM
"""The name that LangChain's convention gives it."""


@contextmanager
def _until_none(left: int) -> Iterator[None]:
    """Let a turn that came too late be tried again while there are tries left, unless its agent was forgotten."""
    try:
        yield
    except (StateDeletedError, LeaseLostError):  # forgetting an agent ends its lease too
        raise
    except StateConflictError:
        if left == 0:
            raise


def _runtime_agent() -> object:
    """`agent_id` of the runtime context, as attribute or key, when a LangGraph graph is running this call."""
    runtimes = sys.modules.get("langgraph.runtime")
    if runtimes is None:
        return None
    try:
        runtime = runtimes.get_runtime()
    except (RuntimeError, KeyError):  # not inside a graph
        return None
    context = getattr(runtime, "context", None)
    return context.get("agent_id") if isinstance(context, Mapping) else getattr(context, "agent_id", None)
