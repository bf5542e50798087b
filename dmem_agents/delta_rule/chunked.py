"""The recurrence in chunks: one triangular solve and a few products per chunk, exact and differentiable.

The derivation stands in README.md beside this file; `naive.py` is what it must equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK_SIZE = 64
"""Tokens per chunk; the fastest on CPU at rank 8."""


def chunked_scan(
    *,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    write_mask: Tensor | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> tuple[Tensor, Tensor]:
    """Same arguments, shapes and results as `naive.naive_scan`; `delta-mem.md` §10.

    Args:
        q: `[B, T, H, r]`.
        k: `[B, T, H, r]`.
        v: `[B, T, H, r]`.
        keep: `[B, T, H, r or 1]`, in [0, 1]; clamped to at least 1e-30.
        erase: `[B, T, H, r or 1]`.
        write: `[B, T, H, r or 1]`.
        state: `[B, H, r, r]`.
        write_mask: `[B, T]` bool or None.
        chunk_size: tokens per chunk.

    Returns:
        reads `[B, T, H, r]` and the state after the last token `[B, H, r, r]`.
    """
    tokens = q.shape[1]
    if tokens == 0:
        return torch.zeros_like(q), state
    if write_mask is not None:
        hidden = ~write_mask[:, :, None, None]
        k, v, erase, write = (x.masked_fill(hidden, 0.0) for x in (k, v, erase, write))
        keep = keep.masked_fill(hidden, 1.0)
    q, k, v, keep, erase, write = (x.transpose(1, 2) for x in (q, k, v, keep, erase, write))  # [B, H, T, ·]
    # Sums of logarithms in float64: a keep of 0 adds −69, and float32 would lose the digits of what comes after.
    log_keep = keep.double().clamp_min(1e-30).log()
    reads = []
    for start in range(0, tokens, chunk_size):
        chunk = slice(start, start + chunk_size)
        out, state = _one_chunk(
            q[:, :, chunk], k[:, :, chunk], v[:, :, chunk],
            log_keep[:, :, chunk], erase[:, :, chunk], write[:, :, chunk], state,
        )  # fmt: skip
        reads.append(out)
    return torch.cat(reads, dim=2).transpose(1, 2), state


def _one_chunk(
    q: Tensor, k: Tensor, v: Tensor, log_keep: Tensor, erase: Tensor, write: Tensor, s0: Tensor
) -> tuple[Tensor, Tensor]:
    """One chunk of C tokens, tensors `[B, H, C, r]` (gates `[B, H, C, g]`), start state `[B, H, r, r]`."""
    size = q.shape[2]
    after = log_keep.cumsum(dim=2).transpose(2, 3)  # log P_t          [B, H, g, C]
    before = after - log_keep.transpose(2, 3)  # log P_{t-1}
    earlier = torch.ones(size, size, dtype=torch.bool, device=q.device).tril(-1)  # j < t
    # The upper triangle is cut before exp: there the differences are positive and could overflow.
    ratio = (before.unsqueeze(-1) - after.unsqueeze(-2)).to(q.dtype).masked_fill(~earlier, -torch.inf)
    decay = ratio.exp()  # D_tj             [B, H, g, C, C]

    e = erase.transpose(2, 3)  # [B, H, g, C]
    gram = (k @ k.transpose(-1, -2)).unsqueeze(2)  # k_t·k_j          [B, H, 1, C, C]
    system = e.unsqueeze(-1) * decay * gram  # its unit diagonal is implied by `unitriangular`
    start = before.to(q.dtype).exp()
    found = k @ s0.transpose(-1, -2)  # s_0·k_t          [B, H, C, r]
    rhs = (write * v).transpose(2, 3) - e * start * found.transpose(2, 3)  # [B, H, r, C]
    if system.shape[2] == 1:  # one gate for all rows: one system with r right-hand sides
        solved = torch.linalg.solve_triangular(
            system.squeeze(2), rhs.transpose(-1, -2), upper=False, unitriangular=True
        )
        u = solved.transpose(-1, -2)
    else:
        u = torch.linalg.solve_triangular(system, rhs.unsqueeze(-1), upper=False, unitriangular=True).squeeze(-1)

    seen = decay * (q @ k.transpose(-1, -2)).unsqueeze(2)  # D_tj (q_t·k_j)   [B, H, g, C, C]
    from_start = start * (q @ s0.transpose(-1, -2)).transpose(2, 3)  # [B, H, r, C]
    if seen.shape[2] == 1:
        inside = u @ seen.squeeze(2).transpose(-1, -2)
    else:
        inside = (seen @ u.unsqueeze(-1)).squeeze(-1)
    out = (from_start + inside).transpose(2, 3)

    total = after[..., -1:]  # log P_C          [B, H, g, 1]
    end = total.to(q.dtype).exp() * s0 + ((total - after).to(q.dtype).exp() * u) @ k
    return out, end
