"""One request while it runs: its tokens so far and when it is over. Knows no other row and no KV cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from dmem_agents.engine.requests import FinishReason, Generation, GenerationResult, Prompt
from dmem_agents.errors import DmemError, EngineError
from dmem_agents.model.sampling import TokenSampler
from dmem_agents.state.memory_state import MemoryState

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Row:
    """Bookkeeping of one request, from its prompt to its result.

    Args:
        generation: whose future this row resolves.
    """

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.request = generation.request
        self.answer: list[int] = []
        self.cached_tokens = 0
        """Tokens of the prompt that came with a kept prefix."""
        self.finish_reason: FinishReason | None = None if self.request.sampling else "stop"
        sampling = self.request.sampling
        if sampling is not None:
            self._sampler = TokenSampler(
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                seed=sampling.seed,
                repetition_penalty=sampling.repetition_penalty,
            )

    @property
    def writes_generated(self) -> bool:
        """Whether tokens of the answer are written when they are fed."""
        return self.request.write and self.request.write_generated

    def choose(self, scores: Tensor) -> None:
        """Take the next token from this row's scores `[V]`, and note it when that ends the answer.

        Raises:
            DmemError: the scores, or the request's own callback or constraint failed; only this row is concerned.
        """
        constraint = self.request.constraint
        allowed = scores if constraint is None else guarded(constraint.allowed, scores)
        token = self._sampler(allowed, self._seen())
        if constraint is not None:
            guarded(constraint.advance, token)
        if token in self.request.stop_ids:
            self.finish_reason = "stop"
            return
        self.answer.append(token)
        if self.request.on_token is not None and guarded(self.request.on_token, token):
            self.finish_reason = "stop"
        elif constraint is not None and constraint.stopped:
            self.finish_reason = "stop"
        elif self.request.sampling is not None and len(self.answer) >= self.request.sampling.max_new_tokens:
            self.finish_reason = "length"

    def _seen(self) -> tuple[int, ...]:
        """Ids before the next token, where its choice depends on them."""
        sampling = self.request.sampling
        if sampling is None or sampling.repetition_penalty == 1:
            return ()
        return (*self.request.prompt.input_ids, *self.answer)

    def fed(self, tokens: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Ids and write mask of what the model has seen when `tokens` of the answer were fed."""
        ids = self.request.prompt.input_ids + tuple(self.answer[:tokens])
        return ids, self.request.prompt.write_mask + (self.request.write_generated,) * tokens

    def closed(self) -> Prompt | None:
        """The canonical turn that the final state belongs to; None when the request doesn't say."""
        if self.request.closed_turn is None:
            return None
        return guarded(self.request.closed_turn, list(self.answer))

    def finish(self, state: MemoryState | None) -> None:
        """Resolve the future with what the row came to."""
        self._resolve(self.finish_reason or "stop", state)

    def finish_cancelled(self) -> None:
        """Resolve the future of a request that was given up."""
        self._resolve("cancelled", None)

    def fail(self, error: BaseException) -> None:
        """Hand the caller an error instead."""
        self.generation.fail(error)

    def _resolve(self, reason: FinishReason, state: MemoryState | None) -> None:
        self.generation.finish(
            GenerationResult(
                token_ids=tuple(self.answer),
                finish_reason=reason,
                state=state,
                prompt_tokens=len(self.request.prompt),
                cached_tokens=self.cached_tokens,
            )
        )


def guarded(callback: Callable[[_In], _Out], argument: _In) -> _Out:
    """Call what the request brought along; a foreign exception becomes the cause of an `EngineError`."""
    try:
        return callback(argument)
    except DmemError:
        raise
    except BaseException as error:  # a panic in Rust code is no `Exception`, and would end the engine's thread
        raise EngineError(
            f"A callback of this request raised {type(error).__name__}: {error}. The request was ended; others go on."
        ) from error
