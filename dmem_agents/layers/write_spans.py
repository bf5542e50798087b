"""Which tokens belong to which write, for the granularities that pool a message or a sentence (`delta-mem.md` §3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """The writes of one forward call, in the order in which they happen."""

    slot: Tensor
    """`[B, T]` int64: a token's write, 0 … N−1 in ascending id order; N for tokens of none."""
    tokens: Tensor
    """`[B, N]` float32: how many tokens each write pools; 0 marks a write that a row does not have."""

    @classmethod
    def from_ids(cls, ids: Tensor, active: Tensor) -> Segments:
        """Number the distinct ids of each row's active tokens in ascending order; gaps and order don't matter.

        Args:
            ids: `[B, T]` int64.
            active: `[B, T]` bool; the other tokens belong to no write.
        """
        batch, length = ids.shape
        if length == 0:
            return cls(
                slot=ids.new_zeros(batch, 0), tokens=torch.zeros(batch, 0, dtype=torch.float32, device=ids.device)
            )
        none = torch.iinfo(torch.int64).max
        ordered, where = ids.masked_fill(~active, none).sort(dim=1, stable=True)
        is_new = torch.ones_like(ordered, dtype=torch.bool)
        is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        rank = (is_new & (ordered != none)).cumsum(dim=1) - 1
        count = int(rank.max().item()) + 1 if batch else 0
        slot = torch.empty_like(ids).scatter_(1, where, rank.masked_fill(ordered == none, count))
        tokens = torch.zeros(batch, count + 1, dtype=torch.float32, device=ids.device)
        tokens.scatter_add_(1, slot, torch.ones_like(slot, dtype=torch.float32))
        return cls(slot=slot, tokens=tokens[:, :count])

    @property
    def present(self) -> Tensor:
        """`[B, N]` bool: the writes that a row has."""
        return self.tokens > 0

    def mean(self, hidden: Tensor) -> Tensor:
        """Mean of the hidden states of each write, `[B, T, d]` float32 → `[B, N, d]`; zero where a row has none."""
        batch, _, size = hidden.shape
        count = self.tokens.shape[1]
        sums = hidden.new_zeros(batch, count + 1, size)
        kept = hidden.masked_fill((self.slot == count).unsqueeze(-1), 0.0)
        sums = sums.scatter_add(1, self.slot.unsqueeze(-1).expand_as(kept), kept)
        return sums[:, :count] / self.tokens.clamp_min(1.0).unsqueeze(-1)
