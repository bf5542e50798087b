"""What a session is opened with, what a turn is asked for, and what comes back: plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from dmem_agents.engine import SamplingParams
from dmem_agents.errors import ConfigError
from dmem_agents.messages import Role, ToolCall
from dmem_agents.state.memory_state import MemoryState
from dmem_agents.store.base import AsyncStateStore, StateStore
from dmem_agents.tool_calling import InvalidToolCall, ToolSchema, check_tool_choice
from dmem_agents.turns import OnDivergence

WRITABLE_ROLES: tuple[Role, ...] = ("user", "assistant", "tool")


class SchemaNotEnforcedWarning(UserWarning):
    """A schema says more than the grammar can keep an answer to; the text says what was left out."""


class HistoryDivergedWarning(UserWarning):
    """Messages contradict what the agent absorbed, or go on from before its last turn; the text says what was done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionConfig:
    """Which model and store a session uses. Equal configs share one session per process."""

    model: str | Path | None = None
    """Hub id or folder of the backbone; None is the embedded model."""
    adapter: str | Path | None = None
    """Hub id or folder of the adapter; None is the one shipped for the embedded model."""
    store: str | StateStore | AsyncStateStore | None = field(default=None, repr=False)
    """URL of the store, or a store; None is an SQLite file in the user's data folder. A store object stays
    the caller's to close, and an `AsyncStateStore` serves the async methods only."""
    dtype: str = "auto"
    """Of the backbone; the memory computes in float32 whatever is chosen."""
    device: str = "auto"
    """`auto`: a CUDA GPU if there is one, else the CPU."""
    attn_implementation: str | None = None
    """What transformers calls it: `sdpa`, `eager` ...; None leaves the choice to it."""
    revision: str | None = None
    """Branch, tag or commit of a hub backbone."""
    hub_token: str | None = field(default=None, repr=False)
    """Access token of the hub, for gated and private models; None takes the one of `hf auth login`."""
    max_batch_size: int = 8
    """Most agents in one forward pass."""
    lease_ttl_seconds: float = 30.0
    """A crashed process blocks its agent for no longer than this; running turns renew their lease."""
    lease_timeout_seconds: float = 120.0
    """How long a turn waits while another turn of the same agent runs."""

    def __post_init__(self) -> None:
        if self.max_batch_size < 1:
            raise ConfigError(f"Expected max_batch_size from 1 on, got {self.max_batch_size}.")
        if not (self.lease_ttl_seconds > 0 and math.isfinite(self.lease_ttl_seconds)):
            raise ConfigError(f"Expected lease_ttl_seconds above 0 and finite, got {self.lease_ttl_seconds}.")
        if not self.lease_timeout_seconds >= 0:
            raise ConfigError(f"Expected lease_timeout_seconds from 0 on, got {self.lease_timeout_seconds}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnOptions:
    """How one turn is run."""

    sampling: SamplingParams = field(default_factory=SamplingParams)
    """How tokens are chosen, and how many at most."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer; it is cut before them."""
    read_only: bool = False
    """Only read the agent's memory: nothing is written, stored or waited for. Older messages that are new
    to the agent are then neither absorbed nor shown, except as `context`."""
    context: Literal["turn", "full"] | int = "turn"
    """Earlier messages shown again as text, for reading only: none, so many of the last ones, or all."""
    write_roles: tuple[Role, ...] = WRITABLE_ROLES
    """Whose messages are written into the memory. System messages and tool schemas never are."""
    on_divergence: OnDivergence = "absorb_new"
    """What to do when the messages contradict what was absorbed: absorb what is new on top of it, rebuild the
    memory from the messages alone, or refuse."""
    regenerate: bool = False
    """These messages replace the agent's current turn: its state is rolled back to before it."""
    timeout_seconds: float | None = None
    """Give the turn up after so long, waiting for the agent included, loading the model not; None: never."""
    replaces_version: int | None = None
    """The messages that made this version of the agent's record come again. As `regenerate` while that is the newest;
    after it, as long as the agent's last turn opens as they do, they go on with it or replace it."""
    absorbed_until: int | None = None
    """For messages absorbed as part of a conversation with the agent: in versions of the record after this one, it may
    have absorbed them as it answered. They are then not absorbed again, or replace what it absorbed where that
    differs; and a user message that ends them is a question, which the call that answers it does not absorb again."""
    require_agent: bool = False
    """Refuse a turn without an agent instead of running it on an empty memory that is thrown away."""
    tools: tuple[ToolSchema, ...] = ()
    """What the model may call. Shown at every turn and never written into the memory."""
    tool_choice: str = "auto"
    """"auto": text, a call, or text and a call; "required": a call; "none": text; or the tool's name. Only calls
    that fit their schema can come out."""
    parallel_tool_calls: bool = False
    """Whether an answer may hold several calls. Small models tend to go on calling when they may."""
    response_schema: Mapping[str, Any] | None = None
    """JSON schema that the answer's text is kept to, where it is no call; None is free text."""

    def __post_init__(self) -> None:
        if isinstance(self.stop, str) or not all(isinstance(text, str) and text for text in self.stop):
            raise ConfigError(f"Expected stop as a tuple of non-empty texts, got {self.stop!r}.")
        if unknown := set(self.write_roles) - set(WRITABLE_ROLES):
            raise ConfigError(
                f"Expected write_roles out of {', '.join(WRITABLE_ROLES)}, got {', '.join(sorted(unknown))}. "
                "System messages are shown at every turn and never written."
            )
        number = isinstance(self.context, int) and not isinstance(self.context, bool) and self.context >= 0
        if self.context not in ("turn", "full") and not number:
            raise ConfigError(f'Expected context as "turn", "full" or a number of messages, got {self.context!r}.')
        seconds: object = self.timeout_seconds
        if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
            raise ConfigError(f"Expected timeout_seconds as a number above 0, got {seconds!r}.")
        check_tool_choice(self.tools, self.tool_choice)
        if self.on_divergence not in get_args(OnDivergence):
            raise ConfigError(
                f"Expected on_divergence out of {', '.join(get_args(OnDivergence))}, got {self.on_divergence!r}."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a turn came to. When it is there, the turn is stored."""

    text: str
    """The answer without its tool calls; empty when messages were only absorbed."""
    tool_calls: tuple[ToolCall, ...] = ()
    """What the model asks for. Repeat them in the history: they are part of what was absorbed."""
    invalid_tool_calls: tuple[InvalidToolCall, ...] = ()
    """Calls that were cut off at the token limit or by a stop text. They are not absorbed."""
    finish_reason: Literal["stop", "length"]
    """`length`: the answer was cut at `max_new_tokens` or at the end of the context window."""
    agent_id: str | None
    """Whose memory was used; None for an empty one that is gone."""
    version: int
    """Version of the agent's record after the turn; 0 when it has none."""
    prompt_tokens: int
    """Tokens shown to the model before the answer."""
    cached_tokens: int = 0
    """How many of `prompt_tokens` were taken from the keys and values of the turn's earlier calls."""
    completion_tokens: int
    """Tokens of the answer."""
    absorbed_messages: int
    """Messages that this call wrote into the memory, the answer included."""
    absorbed_tokens: int
    """Tokens run only to be written, apart from the prompt: older turns, or what was remembered."""
    state_bytes: int
    """Size of the agent's memory, in bytes of float32 numbers; the same after every turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyChunk:
    """A piece of an answer on its way."""

    text: str
    """What was added; may be empty."""
    reply: Reply | None = None
    """On the last chunk, which comes after the turn was stored; None before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentInfo:
    """What the store knows about an agent."""

    agent_id: str
    version: int
    """Commits so far."""
    incarnation: str
    """Which life of this id: another one after it was forgotten, when versions count from 1 again."""
    fingerprint: str
    """Model and adapter that the state opens under."""
    turns: int
    absorbed_messages: int
    updated_at: float
    """Last commit, in seconds since 1970 (UTC)."""
    record_bytes: int
    """Size of the stored record: base, head and message digests."""
    base: MemoryState
    """State before the current turn."""
    head: MemoryState
    """State now."""

    @property
    def state_bytes(self) -> int:
        """Size of one state's numbers, in bytes."""
        return self.head.size_bytes
