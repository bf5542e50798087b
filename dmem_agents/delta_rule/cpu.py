"""The recurrence compiled for CPUs (Numba): one pass over the tokens, forward and backward, without the GIL.

One thread is enough: a token of one head takes some 30 ns, a thousandth of what the backbone's products take for it.
Kernels are compiled on first use, once per rank and dtype, and kept on disk by Numba.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Array = np.ndarray[Any, Any]
MAX_RANK = 32
"""Beyond it the state of a head leaves the registers, and chunks are quicker."""


@functools.cache  # asked in every layer of every decoding step
def is_available() -> bool:
    """Whether Numba is installed (extra `cpu`); does not import it."""
    return importlib.util.find_spec("numba") is not None


def compiled_scan(
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
    """Same arguments, shapes and results as `naive.naive_scan`, on the CPU; `delta-mem.md` §1.3.

    Differentiable once. Where no gradient is asked for, no history of states is kept.

    Args:
        q: `[B, T, H, r]`.
        k: `[B, T, H, r]`.
        v: `[B, T, H, r]`.
        keep: `[B, T, H, r or 1]`.
        erase: `[B, T, H, r or 1]`.
        write: `[B, T, H, r or 1]`.
        state: `[B, H, r, r]`.
        write_mask: `[B, T]` bool or None.

    Returns:
        reads `[B, T, H, r]` and the state after the last token `[B, H, r, r]`.
    """
    wide = [gate.expand_as(v) for gate in (keep, erase, write)]
    mask = torch.ones(q.shape[:2], dtype=torch.bool) if write_mask is None else write_mask
    if torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, *wide, state)):
        reads, after = _Scan.apply(q, k, v, *wide, state, mask)  # type: ignore[no-untyped-call]  # torch's
        return reads, after
    reads, after, _ = _forward((q, k, v, *wide), state, mask, history=False)
    return reads, after


class _Scan(torch.autograd.Function):
    """The kernels as a function that autograd knows."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        *tokens, state, mask = inputs
        reads, after, history = _forward(tokens, state, mask, history=True)
        ctx.save_for_backward(*tokens, mask, history)
        return reads, after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_reads: Tensor, d_after: Tensor) -> tuple[Tensor | None, ...]:
        *tokens, mask, history = ctx.saved_tensors
        gradients = [torch.empty(x.shape, dtype=x.dtype) for x in tokens]
        d_state = torch.empty_like(d_after, memory_format=torch.contiguous_format)
        _kernels(d_after.shape[-1]).backward(
            *map(_array, tokens), _array(mask), _array(history), _array(d_reads), _array(d_after),
            *map(_array, gradients), _array(d_state),
        )  # fmt: skip
        return (*gradients, d_state, None)


def _forward(
    tokens: tuple[Tensor, ...] | list[Tensor], state: Tensor, mask: Tensor, *, history: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Reads, the state after, and the states before each token `[B, H, T, r, r]` (T = 0 without `history`)."""
    batch, length, heads, rank = tokens[0].shape
    reads = torch.empty(tokens[0].shape, dtype=state.dtype)
    after = torch.empty(state.shape, dtype=state.dtype)
    before = torch.empty(batch, heads, length if history else 0, rank, rank, dtype=state.dtype)
    _kernels(rank).forward(
        *map(_array, tokens), _array(state), _array(mask), _array(reads), _array(after), _array(before)
    )
    return reads, after, before


def _array(tensor: Tensor) -> Array:
    """The tensor's memory as a contiguous array; a copy only where it is not contiguous."""
    array: Array = tensor.detach().contiguous().numpy()
    return array


class _Kernels(NamedTuple):
    forward: Callable[..., None]
    backward: Callable[..., None]


@functools.cache
def _kernels(rank: int) -> _Kernels:
    """Compile both passes for a rank: as a constant it lets the inner loops become vector instructions.

    A head's state is held transposed, `s[j, i]`: then every step runs along i, the rows that gates act on.
    """
    import numba

    compiled = numba.njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")

    @compiled
    def forward(
        q: Array, k: Array, v: Array, keep: Array, erase: Array, write: Array, state: Array, mask: Array,
        reads: Array, after: Array, before: Array,
    ) -> None:  # fmt: skip
        batch, tokens, heads, _ = q.shape
        s, found = np.empty((rank, rank), q.dtype), np.empty(rank, q.dtype)
        for b in range(batch):
            for h in range(heads):
                for j in range(rank):
                    for i in range(rank):
                        s[j, i] = state[b, h, i, j]
                for t in range(tokens):
                    if before.shape[2]:
                        before[b, h, t] = s
                    found[:] = 0
                    for j in range(rank):
                        key, query = k[b, t, h, j], q[b, t, h, j]
                        for i in range(rank):
                            reads[b, t, h, i] = query * s[j, i] + (reads[b, t, h, i] if j else 0)
                            found[i] += key * s[j, i]
                    if not mask[b, t]:
                        continue
                    for i in range(rank):
                        found[i] = write[b, t, h, i] * v[b, t, h, i] - erase[b, t, h, i] * found[i]
                    for j in range(rank):
                        key = k[b, t, h, j]
                        for i in range(rank):
                            s[j, i] = keep[b, t, h, i] * s[j, i] + found[i] * key
                for j in range(rank):
                    for i in range(rank):
                        after[b, h, i, j] = s[j, i]

    @compiled
    def backward(
        q: Array, k: Array, v: Array, keep: Array, erase: Array, write: Array, mask: Array, before: Array,
        d_reads: Array, d_after: Array,
        d_q: Array, d_k: Array, d_v: Array, d_keep: Array, d_erase: Array, d_write: Array, d_state: Array,
    ) -> None:  # fmt: skip
        batch, tokens, heads, _ = q.shape
        g = np.empty((rank, rank), q.dtype)  # of the state after token t, transposed like s
        found, change = np.empty(rank, q.dtype), np.empty(rank, q.dtype)
        d_change, d_found = np.empty(rank, q.dtype), np.empty(rank, q.dtype)
        for b in range(batch):
            for h in range(heads):
                for j in range(rank):
                    for i in range(rank):
                        g[j, i] = d_after[b, h, i, j]
                for t in range(tokens - 1, -1, -1):
                    s = before[b, h, t]
                    if not mask[b, t]:
                        for j in range(rank):
                            d_k[b, t, h, j] = d_v[b, t, h, j] = 0
                            d_keep[b, t, h, j] = d_erase[b, t, h, j] = d_write[b, t, h, j] = 0
                            total = g[0, 0] * 0
                            for i in range(rank):
                                total += s[j, i] * d_reads[b, t, h, i]
                                g[j, i] += d_reads[b, t, h, i] * q[b, t, h, j]
                            d_q[b, t, h, j] = total
                        continue
                    found[:] = 0
                    d_change[:] = 0
                    change[:] = 0  # first the gradient of keep
                    for j in range(rank):
                        key = k[b, t, h, j]
                        for i in range(rank):
                            found[i] += key * s[j, i]
                            d_change[i] += key * g[j, i]
                            change[i] += g[j, i] * s[j, i]
                    for i in range(rank):
                        d_keep[b, t, h, i] = change[i]
                        d_write[b, t, h, i] = d_change[i] * v[b, t, h, i]
                        d_v[b, t, h, i] = d_change[i] * write[b, t, h, i]
                        d_erase[b, t, h, i] = -d_change[i] * found[i]
                        d_found[i] = -d_change[i] * erase[b, t, h, i]
                        change[i] = write[b, t, h, i] * v[b, t, h, i] - erase[b, t, h, i] * found[i]
                    for j in range(rank):
                        key, query = k[b, t, h, j], q[b, t, h, j]
                        of_key, of_query = g[0, 0] * 0, g[0, 0] * 0
                        for i in range(rank):
                            of_key += g[j, i] * change[i] + s[j, i] * d_found[i]
                            of_query += s[j, i] * d_reads[b, t, h, i]
                            g[j, i] = g[j, i] * keep[b, t, h, i] + d_found[i] * key + d_reads[b, t, h, i] * query
                        d_k[b, t, h, j] = of_key
                        d_q[b, t, h, j] = of_query
                for j in range(rank):
                    for i in range(rank):
                        d_state[b, h, i, j] = g[j, i]

    return _Kernels(forward, backward)
