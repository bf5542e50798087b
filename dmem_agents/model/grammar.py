"""Grammars as masks over a tokenizer's vocabulary, by llguidance: the only module that knows it.

Each constraint follows one answer. Compiled grammars are kept, so that a tool set that comes again costs a copy.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dmem_agents.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_KEPT_GRAMMARS = 64


class GrammarConstraint:
    """What one answer may go on with. Not for two answers: it is as far as its own tokens.

    Args:
        matcher: llguidance's, fresh.
        size: tokens in the vocabulary.
    """

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._bits = np.zeros((size + 31) // 32, dtype=np.int32)
        self._size = size

    @property
    def stopped(self) -> bool:
        """Whether the answer is complete and nothing may follow."""
        return bool(self._matcher.is_stopped())

    def allowed(self, scores: Tensor) -> Tensor:
        """Scores `[V]` in float32 on the CPU, −inf for every token that the grammar refuses here.

        Raises:
            EngineError: the grammar is too complex to go on with, or no token fits.
        """
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._require_sound()
        flags = np.unpackbits(self._bits.view(np.uint8), count=self._size, bitorder="little").view(np.bool_)
        masked = scores.detach().to("cpu", torch.float32, copy=True).numpy()
        known = min(self._size, len(masked))  # a model may score more ids than its tokenizer has, or fewer
        if not flags[:known].any():
            raise EngineError("No token of this model's vocabulary goes on with an answer that fits the schema.")
        masked[:known][~flags[:known]] = -np.inf
        masked[known:] = -np.inf
        return torch.from_numpy(masked)

    def advance(self, token_id: int) -> None:
        """The answer's next token, one that was allowed.

        Raises:
            EngineError: the grammar refuses it.
        """
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token_id)
        self._require_sound()

    def _require_sound(self) -> None:
        if self._matcher.is_error():
            raise EngineError(
                f"The answer's grammar could not be followed: {self._matcher.get_error() or 'no reason given'}. "
                "Simplify the tool's or the answer's schema."
            )


class GrammarCompiler:
    """Makes constraints for one tokenizer. Opens llguidance on first use; safe to share between threads.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        eos_ids: tokens that may end an answer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, eos_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._eos_ids = sorted(eos_ids)
        self._lock = threading.Lock()
        self._vocabulary: Any = None
        self._compiled: OrderedDict[str, Any] = OrderedDict()

    def constraint(self, grammar: str) -> GrammarConstraint:
        """A constraint for one answer.

        The first call reads the whole vocabulary: seconds for a large one.

        Args:
            grammar: in llguidance's Lark dialect, `tool_calling.grammar`.

        Raises:
            ConfigError: the grammar holds a schema that can't be compiled, or llguidance is not installed.
        """
        with self._lock:
            matcher = self._compiled.get(grammar)
            if matcher is None:
                matcher = self._compiled[grammar] = self._compile(grammar)
            self._compiled.move_to_end(grammar)
            if len(self._compiled) > _KEPT_GRAMMARS:
                self._compiled.popitem(last=False)
            return GrammarConstraint(matcher.deep_copy(), self._vocabulary.vocab_size)

    def _compile(self, grammar: str) -> Any:
        try:
            import llguidance
            from llguidance.hf import from_tokenizer
        except ImportError as error:
            raise ConfigError(
                "Tools and response schemas need llguidance, which keeps answers to a schema. Install it with: "
                "pip install 'dmem-agents[tools]'."
            ) from error
        if self._vocabulary is None:
            self._vocabulary = from_tokenizer(self._tokenizer, eos_token=self._eos_ids or None)  # type: ignore[arg-type]
        limits = llguidance.LLParserLimits(verbose_errors=False)
        text = json.dumps({"grammars": [{"lark_grammar": grammar}]})
        matcher = llguidance.LLMatcher(self._vocabulary, text, log_level=0, limits=limits)
        if matcher.is_error():
            raise ConfigError(
                f"A tool's or an answer's schema can't be turned into a grammar: {_first_line(matcher.get_error())}. "
                "Leave out what it names."
            )
        return matcher


def _first_line(error: str) -> str:
    """The compiler's complaint without the place in our grammar and without its excerpt of the schema."""
    line = error.split("\n", 1)[0]
    return line.split("failed to compile JSON schema: ")[-1].strip().rstrip(".")
