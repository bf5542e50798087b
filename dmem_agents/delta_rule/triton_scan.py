"""The recurrence on a GPU (Triton), forward and backward, its chunks side by side. README.md has the derivation.

Three launches: what each chunk does to any state; the states between the chunks; the reads inside them. The gradient
runs the same three from the end. A sequence of one chunk, a decoded token above all, needs the last launch alone.

Needs Triton (extra `gpu`), which only this module imports. Under TRITON_INTERPRET=1, set before the import, the same
kernels run on the CPU, slowly. Nothing here was measured on a GPU: docs/gpu.md.
"""

# Kernels are written in Triton's language, whose arguments have no Python types.
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import functools
from typing import Any

import torch
import triton  # type: ignore[import-untyped, import-not-found, unused-ignore]  # may be absent
import triton.language as tl  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_SIZE = 64
"""Tokens that one program passes in turn: as many as there are chunks at 4,096 tokens, so that no launch waits long."""
_ONE_WARP = {"num_warps": 1}


def triton_scan(
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
    """Same arguments, shapes and results as `naive.naive_scan`, on a GPU; `delta-mem.md` §1.3.

    Differentiable once. Kept for the gradient: the inputs and one state per chunk; without a gradient, nothing.

    Args:
        q: `[B, T, H, r]`.
        k: `[B, T, H, r]`.
        v: `[B, T, H, r]`.
        keep: `[B, T, H, r or 1]`.
        erase: `[B, T, H, r or 1]`.
        write: `[B, T, H, r or 1]`.
        state: `[B, H, r, r]`.
        write_mask: `[B, T]` bool or None. Rows of unequal length are padded, and the padding is masked.
        chunk_size: tokens per chunk.

    Returns:
        reads `[B, T, H, r]` and the state after the last token `[B, H, r, r]`.
    """
    if q.numel() == 0:
        return torch.zeros_like(q), state
    tokens = [x.contiguous() for x in (q, k, v, *(gate.expand_as(v) for gate in (keep, erase, write)))]
    mask = None if write_mask is None else write_mask.int().contiguous()  # a byte could not be fetched ahead
    if torch.is_grad_enabled() and any(x.requires_grad for x in (*tokens, state)):
        reads, after = _Scan.apply(*tokens, state, mask, chunk_size)  # type: ignore[no-untyped-call]  # torch's
        return reads, after
    launch = _Launch(tokens, mask, chunk_size)
    return launch.reads(launch.boundaries(state.contiguous()))


def runs_on(device: torch.device) -> bool:
    """Whether the kernels take tensors of this device: a GPU's, or any if they are interpreted."""
    return device.type == "cuda" or not isinstance(_read_chunks, triton.JITFunction)


class _Scan(torch.autograd.Function):
    """The launches as a function that autograd knows."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        *tokens, state, mask, ctx.chunk_size = inputs
        launch = _Launch(tokens, mask, ctx.chunk_size)
        boundaries = launch.boundaries(state.contiguous())
        ctx.save_for_backward(*tokens, mask, boundaries)
        return launch.reads(boundaries)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_reads: Tensor, d_after: Tensor) -> tuple[Tensor | None, ...]:
        *tokens, mask, boundaries = ctx.saved_tensors
        launch = _Launch(tokens, mask, ctx.chunk_size)
        return (*launch.gradients(boundaries, d_reads.contiguous(), d_after.contiguous()), None, None)


class _Launch:
    """One scan's grid and buffers.

    Args:
        tokens: q, k, v, keep, erase, write, each `[B, T, H, r]`, contiguous, T ≥ 1.
        mask: `[B, T]` int32 or None.
        chunk_size: tokens per chunk.
    """

    def __init__(self, tokens: list[Tensor], mask: Tensor | None, chunk_size: int) -> None:
        self._tokens = tokens
        self._mask = mask
        self._batch, self._length, self._heads, self._rank = tokens[0].shape
        self._chunks = triton.cdiv(self._length, chunk_size)
        self._sizes = (self._length, self._heads, self._chunks, chunk_size)
        self._constants = {"RANK": self._rank, "BLOCK": triton.next_power_of_2(self._rank), **_ONE_WARP}

    def boundaries(self, first: Tensor, d_reads: Tensor | None = None) -> Tensor:
        """The state before each chunk, `[B, H, N, r, r]`, from the one before the first.

        Args:
            first: `[B, H, r, r]`; with `d_reads` the gradient of the state after the last chunk.
            d_reads: `[B, T, H, r]` gradient of the reads: gives the gradients of the states after each chunk.
        """
        rank, pairs = self._rank, self._batch * self._heads
        if self._chunks == 1:
            return first.unsqueeze(2)
        transitions = first.new_empty(pairs, self._chunks, rank, rank, rank)
        sources = first.new_empty(pairs, self._chunks, rank, rank)
        boundaries = first.new_empty(self._batch, self._heads, self._chunks, rank, rank)
        backwards = d_reads is not None
        with torch.cuda.device_of(first):
            _summarise_chunks[(pairs * self._chunks, rank)](
                *self._tokens, self._mask, d_reads, transitions, sources, *self._sizes,
                MASKED=self._mask is not None, BACKWARDS=backwards, **self._constants,
            )  # fmt: skip
            _link_chunks[(pairs, rank)](
                first, transitions, sources, boundaries, self._chunks, BACKWARDS=backwards, **self._constants
            )
        return boundaries

    def reads(self, boundaries: Tensor, history: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reads and the state after the last token; into `history` `[B, H, T, r, r]` the state before each."""
        reads = torch.empty_like(self._tokens[0])
        after = boundaries.new_empty(self._batch, self._heads, self._rank, self._rank)
        with torch.cuda.device_of(reads):
            _read_chunks[(self._batch * self._heads * self._chunks,)](
                *self._tokens, self._mask, boundaries, reads, after, history, *self._sizes,
                MASKED=self._mask is not None, HISTORY=history is not None, **self._constants,
            )  # fmt: skip
        return reads, after

    def gradients(self, boundaries: Tensor, d_reads: Tensor, d_after: Tensor) -> tuple[Tensor, ...]:
        """Of q, k, v, keep, erase, write and the first state. The states inside the chunks are run through again."""
        history = boundaries.new_empty(self._batch, self._heads, self._length, self._rank, self._rank)
        self.reads(boundaries, history)
        d_boundaries = self.boundaries(d_after, d_reads)
        gradients = [torch.empty_like(x) for x in self._tokens]
        d_state = torch.empty_like(d_after)
        with torch.cuda.device_of(d_reads):
            _gradients_of_chunks[(self._batch * self._heads * self._chunks,)](
                *self._tokens, self._mask, history, d_reads, d_boundaries, *gradients, d_state, *self._sizes,
                MASKED=self._mask is not None, **self._constants,
            )  # fmt: skip
        return (*gradients, d_state)


# In the kernels i counts rows of a state (values), j columns (keys); lanes from RANK to BLOCK hold zeros. A chunk is
# numbered (b·H + h)·N + n. Offsets are 64-bit: long batches pass 2³¹ numbers. Sizes are no reason to compile anew.
_kernel = functools.partial(triton.jit, do_not_specialize=("tokens", "heads", "chunks", "chunk_size"))


@_kernel
def _summarise_chunks(
    q, k, v, keep, erase, write, mask, d_reads, transitions, sources, tokens, heads, chunks, chunk_size,
    RANK: tl.constexpr, BLOCK: tl.constexpr, MASKED: tl.constexpr, BACKWARDS: tl.constexpr,
):  # fmt: skip
    """One row i of one chunk: A `[r, r]` and b `[r]` with s_after = s_before A + b, for any row s_before."""
    chunk, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    pair, start = chunk // chunks, (chunk % chunks) * chunk_size
    b, h = pair // heads, pair % heads
    length = tl.minimum(chunk_size, tokens - start)
    lane = tl.arange(0, BLOCK)
    inside = lane < RANK
    a = tl.where(lane[:, None] == lane[None, :], 1.0, 0.0).to(q.dtype.element_ty)
    source = tl.zeros((BLOCK,), q.dtype.element_ty)
    for step in tl.range(0, length, num_stages=4):
        t = start + (length - 1 - step if BACKWARDS else step)
        at = ((b * tokens + t) * heads + h) * RANK
        key = tl.load(k + at + lane, inside, 0.0)
        kept, erased = tl.load(keep + at + i), tl.load(erase + at + i)
        if BACKWARDS:
            amount, direction = tl.load(d_reads + at + i), tl.load(q + at + lane, inside, 0.0)
        else:
            amount, direction = tl.load(write + at + i) * tl.load(v + at + i), key
        if MASKED:
            written = tl.load(mask + b * tokens + t) != 0
            key = tl.where(written, key, 0.0)
            kept, erased = tl.where(written, kept, 1.0), tl.where(written, erased, 0.0)
            if not BACKWARDS:  # a token that is not written reads all the same
                amount, direction = tl.where(written, amount, 0.0), key
        taken = erased * tl.sum(a * key[None, :], 1)
        a = kept * a - taken[:, None] * key[None, :]
        source = kept * source - erased * tl.sum(source * key, 0) * key + amount * direction
    row = chunk * RANK + i
    tl.store(transitions + (row * RANK + lane[:, None]) * RANK + lane[None, :], a, inside[:, None] & inside[None, :])
    tl.store(sources + row * RANK + lane, source, inside)


@_kernel
def _link_chunks(
    first, transitions, sources, boundaries, chunks,
    RANK: tl.constexpr, BLOCK: tl.constexpr, BACKWARDS: tl.constexpr,
):  # fmt: skip
    """One row of one head's state from chunk to chunk."""
    pair, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    lane = tl.arange(0, BLOCK)
    inside = lane < RANK
    s = tl.load(first + (pair * RANK + i) * RANK + lane, inside, 0.0)
    for step in tl.range(0, chunks, num_stages=4):
        row = (pair * chunks + (chunks - 1 - step if BACKWARDS else step)) * RANK + i
        tl.store(boundaries + row * RANK + lane, s, inside)
        tile = (row * RANK + lane[None, :]) * RANK + lane[:, None]  # transposed, so that the sum ends along s
        a = tl.load(transitions + tile, inside[:, None] & inside[None, :], 0.0)
        s = tl.sum(a * s[None, :], 1) + tl.load(sources + row * RANK + lane, inside, 0.0)


@_kernel
def _read_chunks(
    q, k, v, keep, erase, write, mask, boundaries, reads, after, history, tokens, heads, chunks, chunk_size,
    RANK: tl.constexpr, BLOCK: tl.constexpr, MASKED: tl.constexpr, HISTORY: tl.constexpr,
):  # fmt: skip
    """One chunk's tokens in turn, from the state before it: the recurrence as it is written down."""
    chunk = tl.program_id(0).to(tl.int64)
    pair, n = chunk // chunks, chunk % chunks
    b, h = pair // heads, pair % heads
    start = n * chunk_size
    lane = tl.arange(0, BLOCK)
    inside = lane < RANK
    tile, whole = lane[:, None] * RANK + lane[None, :], inside[:, None] & inside[None, :]
    s = tl.load(boundaries + chunk * RANK * RANK + tile, whole, 0.0)
    for t in tl.range(start, tl.minimum(start + chunk_size, tokens), num_stages=4):
        at = ((b * tokens + t) * heads + h) * RANK + lane
        key, value = tl.load(k + at, inside, 0.0), tl.load(v + at, inside, 0.0)
        kept, erased, wrote = (
            tl.load(keep + at, inside, 0.0), tl.load(erase + at, inside, 0.0), tl.load(write + at, inside, 0.0)
        )  # fmt: skip
        if MASKED:
            written = tl.load(mask + b * tokens + t) != 0
            key, value = tl.where(written, key, 0.0), tl.where(written, value, 0.0)
            kept, erased = tl.where(written, kept, 1.0), tl.where(written, erased, 0.0)
            wrote = tl.where(written, wrote, 0.0)
        if HISTORY:
            tl.store(history + (pair * tokens + t) * RANK * RANK + tile, s, whole)
        tl.store(reads + at, tl.sum(s * tl.load(q + at, inside, 0.0)[None, :], 1), inside)
        change = wrote * value - erased * tl.sum(s * key[None, :], 1)
        s = kept[:, None] * s + change[:, None] * key[None, :]
    if n == chunks - 1:
        tl.store(after + pair * RANK * RANK + tile, s, whole)


@_kernel
def _gradients_of_chunks(
    q, k, v, keep, erase, write, mask, history, d_reads, d_boundaries,
    d_q, d_k, d_v, d_keep, d_erase, d_write, d_state, tokens, heads, chunks, chunk_size,
    RANK: tl.constexpr, BLOCK: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """One chunk's tokens from the last to the first, from the gradient g of the state after it."""
    chunk = tl.program_id(0).to(tl.int64)
    pair, n = chunk // chunks, chunk % chunks
    b, h = pair // heads, pair % heads
    start = n * chunk_size
    length = tl.minimum(chunk_size, tokens - start)
    lane = tl.arange(0, BLOCK)
    inside = lane < RANK
    tile, whole = lane[:, None] * RANK + lane[None, :], inside[:, None] & inside[None, :]
    g = tl.load(d_boundaries + chunk * RANK * RANK + tile, whole, 0.0)
    for step in tl.range(0, length, num_stages=4):
        t = start + length - 1 - step
        at = ((b * tokens + t) * heads + h) * RANK + lane
        s = tl.load(history + (pair * tokens + t) * RANK * RANK + tile, whole, 0.0)
        query, d_read = tl.load(q + at, inside, 0.0), tl.load(d_reads + at, inside, 0.0)
        key, value = tl.load(k + at, inside, 0.0), tl.load(v + at, inside, 0.0)
        kept, erased, wrote = (
            tl.load(keep + at, inside, 0.0), tl.load(erase + at, inside, 0.0), tl.load(write + at, inside, 0.0)
        )  # fmt: skip
        d_kept = tl.sum(g * s, 1)
        if MASKED:
            written = tl.load(mask + b * tokens + t) != 0
            key, value = tl.where(written, key, 0.0), tl.where(written, value, 0.0)
            kept, erased = tl.where(written, kept, 1.0), tl.where(written, erased, 0.0)
            wrote, d_kept = tl.where(written, wrote, 0.0), tl.where(written, d_kept, 0.0)
        found = tl.sum(s * key[None, :], 1)
        change, d_change = wrote * value - erased * found, tl.sum(g * key[None, :], 1)
        d_found = -erased * d_change
        tl.store(d_q + at, tl.sum(s * d_read[:, None], 0), inside)
        tl.store(d_k + at, tl.sum(g * change[:, None] + s * d_found[:, None], 0), inside)
        tl.store(d_v + at, wrote * d_change, inside)
        tl.store(d_keep + at, d_kept, inside)
        tl.store(d_erase + at, -found * d_change, inside)
        tl.store(d_write + at, value * d_change, inside)
        g = kept[:, None] * g + d_found[:, None] * key[None, :] + d_read[:, None] * query[None, :]
    if n == 0:
        tl.store(d_state + pair * RANK * RANK + tile, g, whole)
