"""The recurrence as one loop over tokens: slow, obvious, and the ground truth for every other implementation."""

from __future__ import annotations

import torch
from torch import Tensor


def naive_scan(
    *,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    write_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Read, then write, token by token (`delta-mem.md` §1.3, arXiv 2605.12357).

    Args:
        q: `[B, T, H, r]` read keys.
        k: `[B, T, H, r]` write keys.
        v: `[B, T, H, r]` values.
        keep: `[B, T, H, r]` or `[B, T, H, 1]`, factor on the old row.
        erase: like `keep`; how much of what `k` finds is taken out.
        write: like `keep`; how much of `v` is put in.
        state: `[B, H, r, r]`, rows are value indices.
        write_mask: `[B, T]` bool; tokens that are False read but leave no trace. None writes all.

    Returns:
        reads `[B, T, H, r]` and the state after the last token `[B, H, r, r]`.
    """
    if write_mask is not None:  # inputs of masked tokens may be anything, NaN included
        hidden = ~write_mask[:, :, None, None]
        k, v, erase, write = (x.masked_fill(hidden, 0.0) for x in (k, v, erase, write))
        keep = keep.masked_fill(hidden, 1.0)
    reads = []
    for t in range(q.shape[1]):
        reads.append(torch.einsum("bhij,bhj->bhi", state, q[:, t]))
        found = torch.einsum("bhij,bhj->bhi", state, k[:, t])
        change = write[:, t] * v[:, t] - erase[:, t] * found
        state = keep[:, t].unsqueeze(-1) * state + change.unsqueeze(-1) * k[:, t].unsqueeze(-2)
    return (torch.stack(reads, dim=1) if reads else torch.zeros_like(q)), state
