"""What goes into the engine and what comes out: token ids, masks, states. No messages, no text, no stores."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor

from dmem_agents.errors import ConfigError, DmemError, EngineError
from dmem_agents.state.memory_state import MemoryState

FinishReason = Literal["stop", "length", "cancelled"]

_MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How tokens are chosen. Raises `ConfigError` for a value out of its range."""

    max_new_tokens: int = 512
    """At most this many tokens are generated; fewer where the context window ends earlier."""
    temperature: float = 0.0
    """0 is greedy: the highest score, the lowest id among equal ones."""
    top_p: float = 1.0
    """Keep the smallest set of tokens with this much probability; in (0, 1]."""
    top_k: int = 0
    """Keep this many tokens; 0 keeps all."""
    seed: int | None = None
    """Equal seeds give equal tokens whoever shares the batch; None draws one per request."""
    repetition_penalty: float = 1.0
    """Above 1, tokens of the prompt and of the answer so far become less likely; 1 changes nothing."""

    def __post_init__(self) -> None:
        _require_int("max_new_tokens", self.max_new_tokens, 1)
        _require_int("top_k", self.top_k, 0)
        if self.seed is not None:
            _require_int("seed", self.seed, -_MAX_SEED)
        if not _is_finite(self.temperature) or self.temperature < 0:
            raise ConfigError(f"Expected temperature as a finite number from 0 on, got {self.temperature!r}.")
        if not _is_finite(self.repetition_penalty) or self.repetition_penalty <= 0:
            raise ConfigError(f"Expected repetition_penalty as a number above 0, got {self.repetition_penalty!r}.")
        if not _is_finite(self.top_p) or not 0 < self.top_p <= 1:
            raise ConfigError(f"Expected top_p as a number above 0 and at most 1, got {self.top_p!r}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """Token ids with what is to be written of them; all four have one entry per token.

    Raises:
        ConfigError: there is no token, or the lengths differ.
    """

    input_ids: tuple[int, ...]
    """Token ids."""
    write_mask: tuple[bool, ...]
    """False tokens read the memory and leave no trace in it."""
    message_ids: tuple[int, ...]
    """Message of each token, −1 for none; the segment granularities pool by it."""
    sentence_ids: tuple[int, ...]
    """Sentence of each token, −1 for none."""

    def __post_init__(self) -> None:
        lengths = [len(x) for x in (self.input_ids, self.write_mask, self.message_ids, self.sentence_ids)]
        if lengths[0] == 0 or len(set(lengths)) != 1:
            raise ConfigError(
                "Expected at least one token, and as many ids as write_mask, message_ids and sentence_ids; "
                f"got {', '.join(map(str, lengths))}."
            )

    def __len__(self) -> int:
        return len(self.input_ids)


class TokenConstraint(Protocol):
    """Keeps one answer to a form. It belongs to one request and follows that request's tokens."""

    @property
    def stopped(self) -> bool:
        """Whether the answer is complete and nothing may follow."""

    def allowed(self, scores: Tensor) -> Tensor:
        """Scores `[V]`, with −inf for every token that may not come next."""

    def advance(self, token_id: int) -> None:
        """Take note of the next token, a stop token included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One row of a batch: what to run, from which state, and how to go on."""

    prompt: Prompt
    """What is run before the first new token."""
    state: MemoryState
    """What the row reads at its start."""
    write: bool = True
    """False leaves the state as it is, whatever the masks say; the result then has none."""
    write_generated: bool = True
    """Whether generated tokens are written as they are fed."""
    sampling: SamplingParams | None = field(default_factory=SamplingParams)
    """None generates nothing: the prompt is written, and that is all."""
    stop_ids: frozenset[int] = frozenset()
    """Tokens that end the answer; neither part of it nor fed."""
    constraint: TokenConstraint | None = None
    """What the answer is kept to, before tokens are chosen; an error in it fails this request alone."""
    on_token: Callable[[int], bool] | None = None
    """Called in the engine's thread with every new token; True ends the answer with it."""
    keep_prefix: bool = False
    """Whether another request may go on from this one's canonical turn, as the next step of a turn with tools does."""
    owner: str = ""
    """Whose it is: the queue takes turns among owners. Never looked into."""
    closed_turn: Callable[[list[int]], Prompt] | None = None
    """Called in the engine's thread with the answer's ids: the canonical form of the whole turn, which is
    what the final state is computed from. None: the state after the last token fed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationResult:
    """What one request came to."""

    token_ids: tuple[int, ...]
    """Generated tokens, without the stop token."""
    finish_reason: FinishReason
    """`stop`: a stop token or `on_token` said so; `length`: no more tokens were allowed."""
    state: MemoryState | None
    """The state after the turn; None when nothing was to be written, or the request was cancelled."""
    prompt_tokens: int
    """Length of the prompt in tokens."""
    cached_tokens: int = 0
    """How many of them were known from an earlier call of the turn, and not run again."""


class Generation:
    """A request under way, for sync callers (`result`) and async ones (`asyncio.wrap_future(g.future)`)."""

    def __init__(self, request: GenerationRequest, owner: object) -> None:
        self.request = request
        self.future: Future[GenerationResult] = Future()
        self.future.set_running_or_notify_cancel()  # only the engine ends it, through `cancel` below
        self.cancelled = False
        self._owner = owner  # an engine lives as long as someone waits for it

    def result(self, timeout: float | None = None) -> GenerationResult:
        """Wait for the end.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            EngineError: the request failed while the model ran.
            EngineClosedError: the engine was shut down before.
            TimeoutError: it isn't done yet; it goes on.
        """
        return self.future.result(timeout)

    def cancel(self) -> None:
        """Give up: the row leaves its batch at the next step, and the result says `cancelled`."""
        self.cancelled = True

    def finish_cancelled(self) -> None:
        """For the engine: the request was given up before it was run."""
        prompt_tokens = len(self.request.prompt)
        self.finish(GenerationResult(token_ids=(), finish_reason="cancelled", state=None, prompt_tokens=prompt_tokens))

    def finish(self, result: GenerationResult) -> None:
        """For the engine: the request is done. What came first counts; later calls change nothing."""
        with suppress(InvalidStateError):
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """For the engine: hand the caller an error; one that is not ours as the cause of an `EngineError`."""
        if not isinstance(error, DmemError):
            wrapped = EngineError(
                f"Running the model failed with {type(error).__name__}: {error}. Nothing was stored "
                "for this request; the engine goes on with the others."
            )
            wrapped.__cause__ = error
            error = wrapped
        with suppress(InvalidStateError):
            self.future.set_exception(error)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require_int(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_SEED:
        raise ConfigError(f"Expected {name} as an integer from {least} on, got {value!r}.")
