"""Keys and values of turns that may go on, so that the steps of one turn reuse each other; the oldest go first.

What is kept is the canonical turn so far: a prompt that begins with it, from the same start state, goes on from there
with what a cold start would compute again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dmem_agents.engine.requests import Prompt
from dmem_agents.model.kv_cache import KVCache, dynamic_cache, keys_values
from dmem_agents.state.memory_state import MemoryState


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """The beginning of a turn, as far as it was fed."""

    start: MemoryState
    """What the turn read at its beginning."""
    input_ids: tuple[int, ...]
    """Tokens fed."""
    write_mask: tuple[bool, ...]
    """Which of them were written."""
    state: Tensor
    """`[L, H, r, r]` after them."""
    keys_values: tuple[tuple[Tensor, Tensor], ...]
    """For each attention layer, `[1, heads, tokens, d]` each."""

    @property
    def size_bytes(self) -> int:
        """Of keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.keys_values)

    def begins(self, prompt: Prompt, state: MemoryState) -> bool:
        """Whether the prompt goes on from here, by at least one token."""
        length = len(self.input_ids)
        return (
            length < len(prompt)
            and prompt.input_ids[:length] == self.input_ids
            and prompt.write_mask[:length] == self.write_mask
            and torch.equal(state.values, self.start.values)
        )

    def cache(self) -> KVCache:
        """A KV cache to go on with; what is kept stays as it is."""
        return dynamic_cache(self.keys_values)


class PrefixCache:
    """Prefixes by last use. For the engine's thread alone.

    Args:
        max_bytes: of all keys and values together; 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._prefixes: list[Prefix] = []
        self.hits = 0
        """How often a prompt went on from a prefix."""

    @property
    def size_bytes(self) -> int:
        """What is kept now."""
        return sum(prefix.size_bytes for prefix in self._prefixes)

    def find(self, prompt: Prompt, state: MemoryState) -> Prefix | None:
        """The longest prefix that the prompt goes on from."""
        fitting = [prefix for prefix in self._prefixes if prefix.begins(prompt, state)]
        if not fitting:
            return None
        found = max(fitting, key=lambda prefix: len(prefix.input_ids))
        self._remove(found)
        self._prefixes.append(found)
        self.hits += 1
        return found

    def keep(self, prompt: Prompt, start: MemoryState, tokens: int, state: Tensor, cache: KVCache) -> None:
        """Keep the first `tokens` of a turn.

        Args:
            prompt: the canonical turn.
            start: the state before it.
            tokens: how many of it were fed.
            state: `[L, H, r, r]` after these.
            cache: one row `[1, heads, tokens, d]` in each layer.
        """
        kept = Prefix(
            start=start,
            input_ids=prompt.input_ids[:tokens],
            write_mask=prompt.write_mask[:tokens],
            state=state.clone(),
            keys_values=tuple(keys_values(cache)),
        )
        for old in [p for p in self._prefixes if p.begins(prompt, start)]:
            self._remove(old)  # the same turn, some steps ago
        if kept.size_bytes <= self._max_bytes:
            self._prefixes.append(kept)
        while self.size_bytes > self._max_bytes:
            del self._prefixes[0]

    def _remove(self, prefix: Prefix) -> None:
        self._prefixes = [p for p in self._prefixes if p is not prefix]
