"""A few tokens of one layer in two compiled calls: project, normalise, gate, read and write; then add the corrections.

For decoding on a CPU, where dispatching some forty small tensor operations a layer costs many times what they compute.
Gives what `LayerMemory` computes by tensor operations and the scan, in float32; without gradients.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dmem_agents.delta_rule.cpu import MAX_RANK, Array, is_available
from dmem_agents.layers.config import DeltaMemConfig, HeadName

MOST_TOKENS = 16
"""Tokens of all rows; beyond it the products are better spread over all cores."""
_WRITES, _HAS_VALID, _HAS_WRITTEN = 1, 2, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedWeights:
    """A layer's frozen weights, laid out once for inference."""

    projection: Tensor
    """`[3R + gates, d]` float32: memory q, k, v, then β and, if not coupled, λ."""
    gate_bias: Tensor
    """`[gates]` float32."""
    corrections: dict[HeadName, Tensor]
    """`[R, out]` float32 of each steered projection, with its scale multiplied in."""
    stamp: list[int]
    """Of the weights that these were made from."""
    addresses: dict[str, int] = field(init=False)
    """Where the tensors lie: to ask them for every token would cost more than the step."""

    def __post_init__(self) -> None:
        addresses = {"projection": self.projection.data_ptr(), "bias": self.gate_bias.data_ptr()}
        addresses |= {str(head): weight.data_ptr() for head, weight in self.corrections.items()}
        object.__setattr__(self, "addresses", addresses)

    def __reduce__(self) -> tuple[Callable[..., PackedWeights], tuple[object, ...]]:
        """Copies find the addresses of their own tensors."""
        return _packed, (self.projection, self.gate_bias, self.corrections, self.stamp)


def _packed(
    projection: Tensor, gate_bias: Tensor, corrections: dict[HeadName, Tensor], stamp: list[int]
) -> PackedWeights:
    return PackedWeights(projection=projection, gate_bias=gate_bias, corrections=corrections, stamp=stamp)


class FusedPass:
    """A forward call of a few tokens through all layers: one compiled call to read and write, one for each correction.

    Args:
        layers: each layer's weights.
        config: the update rule.
        state: `[L, B, H, r, r]` float32.
        tokens: T.
        valid: `[B, T]` bool or None, see `LayerMemory.forward`.
        write: whether this call writes.
        write_mask: `[B, T]` bool or None.
    """

    def __init__(
        self,
        layers: list[PackedWeights],
        config: DeltaMemConfig,
        *,
        state: Tensor,
        tokens: int,
        valid: Tensor | None,
        write: bool,
        write_mask: Tensor | None,
    ) -> None:
        self.layers = layers
        before = state.contiguous()
        self.after = torch.empty(before.shape) if write else state
        """`[L, B, H, r, r]` once all layers have run."""
        batch = before.shape[1]
        self._reads = torch.empty(batch * tokens, config.width)
        masks = [None if mask is None else mask.contiguous() for mask in (valid, write_mask)]
        self._held = (before, *masks)  # what the addresses below point to
        self._layer_bytes = before[0].nbytes
        self._before_at, self._after_at, self._reads_at = (x.data_ptr() for x in (before, self.after, self._reads))
        self._masks_at = [0 if mask is None else mask.data_ptr() for mask in masks]
        what = (_WRITES if write else 0) | (_HAS_VALID if valid is not None else 0)
        self._sizes = (
            batch, tokens, layers[0].projection.shape[1], config.num_state_heads,
            what | (_HAS_WRITTEN if write_mask is not None else 0),
        )  # fmt: skip
        self._count, self._channels = batch * tokens, config.width
        self._step, self._add = _step_of(config), _add()
        self.layer = -1
        """The last one that read."""

    def read_and_write(self, layer: int, hidden: Tensor) -> None:
        """Read and write a layer's memory for `hidden` `[B, T, d]` float32."""
        hidden, at, offset = hidden.contiguous(), self.layers[layer].addresses, layer * self._layer_bytes
        self._step(
            hidden.data_ptr(), at["projection"], at["bias"], self._before_at + offset, *self._masks_at,
            self._reads_at, self._after_at + offset, 0, 0, *self._sizes, 0, 0,
        )  # fmt: skip
        self.layer = layer

    def read_write_and_steer(self, layer: int, hidden: Tensor, head: HeadName, output: Tensor, features: slice) -> None:
        """`read_and_write` and then `steer`, in one compiled call."""
        hidden, at, offset = hidden.contiguous(), self.layers[layer].addresses, layer * self._layer_bytes
        row = output.shape[2]
        start, stop, _ = features.indices(row)
        self._step(
            hidden.data_ptr(), at["projection"], at["bias"], self._before_at + offset, *self._masks_at,
            self._reads_at, self._after_at + offset, output.data_ptr() + 4 * start, at[head], *self._sizes,
            stop - start, row,
        )  # fmt: skip
        self.layer = layer

    def steer(self, head: HeadName, output: Tensor, features: slice) -> None:
        """Add the layer's correction to those columns of `output` `[B, T, out]`, float32 and contiguous, in place."""
        weights = self.layers[self.layer]
        row = output.shape[2]
        start, stop, _ = features.indices(row)
        self._add(
            output.data_ptr() + 4 * start, self._reads_at, weights.addresses[head],
            self._count, self._channels, stop - start, row,
        )  # fmt: skip


def fits(hidden: Tensor, config: DeltaMemConfig) -> bool:
    """Whether these `[B, T, d]` are few tokens on a CPU that no gradient is asked of, and Numba is there."""
    return (
        hidden.is_cpu
        and 0 < hidden.shape[0] * hidden.shape[1] <= MOST_TOKENS
        and not torch.is_grad_enabled()
        and config.rank <= MAX_RANK
        and is_available()
    )


def read_and_write(
    hidden: Tensor,
    state: Tensor,
    *,
    weights: PackedWeights,
    config: DeltaMemConfig,
    valid: Tensor | None = None,
    write: bool = True,
    write_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Reads and the next state of a layer; arguments and results of `LayerMemory.forward`, tokens that `fits` takes.

    Args:
        hidden: `[B, T, d]` float32.
        state: `[B, H, r, r]` float32.
        weights: the layer's.
        config: the update rule.
        valid: `[B, T]` bool or None; the others read zero and are not written.
        write: False reads only.
        write_mask: `[B, T]` bool or None; tokens that are False read but leave no trace.

    Returns:
        reads `[B, T, R]` and the state after the last token.
    """
    batch, tokens, size = hidden.shape
    hidden, before = hidden.contiguous(), state.contiguous()
    reads = torch.empty(batch, tokens, config.width)
    after = torch.empty(before.shape) if write else state
    what = _WRITES if write else 0
    valid_at = written_at = 0
    if valid is not None:
        valid = valid.contiguous()
        what, valid_at = what | _HAS_VALID, valid.data_ptr()
    if write_mask is not None:
        write_mask = write_mask.contiguous()
        what, written_at = what | _HAS_WRITTEN, write_mask.data_ptr()
    step = _step_of(config)
    step(
        hidden.data_ptr(), weights.projection.data_ptr(), weights.gate_bias.data_ptr(), before.data_ptr(),
        valid_at, written_at, reads.data_ptr(), after.data_ptr(), 0, 0,
        batch, tokens, size, config.num_state_heads, what, 0, 0,
    )  # fmt: skip
    return reads, after


def _step_of(config: DeltaMemConfig) -> Callable[..., None]:
    return _step(
        config.rank, config.state_update_mode, config.normalize_qk, config.rankwise_gates, config.couple_lambda
    )


@functools.cache
def _step(rank: int, mode: str, normalise: bool, rankwise: bool, coupled: bool) -> Callable[..., None]:
    """Compile the step for a rule, its settings as constants; states are held transposed, as in `delta_rule.cpu`.

    Takes addresses: turning tensors into arrays would cost as much as the step.
    """
    numba: Any = import_module("numba")  # its stubs know no carray in compiled code
    types = numba.types
    options = {"cache": True, "fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy"}
    floats, flags, integer = types.CPointer(types.float32), types.CPointer(types.boolean), types.intp
    decays, outside = mode != "no_lambda", mode == "lambda_outside"

    inner: Callable[[Callable[..., None]], Any] = numba.njit(**options)
    outer: Callable[[Callable[..., None]], Any] = numba.cfunc(
        types.void(*[floats] * 4, flags, flags, *[floats] * 4, *[integer] * 7), **options
    )

    @inner
    def squash(row: Array, into: Array) -> None:
        total = np.float32(0)
        for i in range(rank):
            into[i] = math.tanh(row[i]) if normalise else row[i]
            total += into[i] * into[i]
        if normalise:
            length = max(math.sqrt(total), np.float32(1e-6))
            for i in range(rank):
                into[i] /= length

    correct = _correction()

    @outer
    def step(
        hidden_at: int, weights_at: int, bias_at: int, before_at: int, valid_at: int, written_at: int,
        reads_at: int, after_at: int, output_at: int, correction_at: int,
        batch: int, tokens: int, size: int, heads: int, what: int, columns: int, row_size: int,
    ) -> None:  # fmt: skip
        width, count = heads * rank, batch * tokens
        gates = width if rankwise else heads
        writes = what & _WRITES != 0
        used = width
        if writes:
            used = 3 * width + (gates if coupled or not decays else 2 * gates)
        hidden = numba.carray(hidden_at, (count, size))
        weights = numba.carray(weights_at, (used, size))
        before = numba.carray(before_at, (batch, heads, rank, rank))
        reads = numba.carray(reads_at, (count, width))
        projected = np.empty((count, used), np.float32)
        for p in range(used):
            for n in range(count):
                total = np.float32(0)
                for i in range(size):
                    total += weights[p, i] * hidden[n, i]
                projected[n, p] = total
        s = np.empty((rank, rank), np.float32)
        q, k, found = np.empty(rank, np.float32), np.empty(rank, np.float32), np.empty(rank, np.float32)
        for b in range(batch):
            for h in range(heads):
                first = h * rank
                for j in range(rank):
                    for i in range(rank):
                        s[j, i] = before[b, h, i, j]
                for n in range(b * tokens, (b + 1) * tokens):
                    row, out = projected[n], reads[n, first : first + rank]
                    out[:] = 0
                    if what & _HAS_VALID and not numba.carray(valid_at, (count,))[n]:
                        continue
                    squash(row[first : first + rank], q)
                    for j in range(rank):
                        for i in range(rank):
                            out[i] += q[j] * s[j, i]
                    if not writes or (what & _HAS_WRITTEN and not numba.carray(written_at, (count,))[n]):
                        continue
                    squash(row[width + first : width + first + rank], k)
                    found[:] = 0
                    for j in range(rank):
                        for i in range(rank):
                            found[i] += k[j] * s[j, i]
                    bias = numba.carray(bias_at, (used - 3 * width,))
                    for i in range(rank):
                        gate = first + i if rankwise else h
                        logit = row[3 * width + gate] + bias[gate]
                        beta = np.float32(1 / (1 + math.exp(-logit)))
                        keep, erase = np.float32(1), beta
                        if decays:
                            # σ(−x) is 1 − σ(x) without the cancellation that would round slow decay to none.
                            if not coupled:
                                logit = -(row[3 * width + gates + gate] + bias[gates + gate])
                            keep = np.float32(1 / (1 + math.exp(logit)))
                            if outside:
                                erase = keep * beta
                        change = beta * row[2 * width + first + i] - erase * found[i]
                        for j in range(rank):
                            s[j, i] = keep * s[j, i] + change * k[j]
                if writes:
                    after = numba.carray(after_at, (batch, heads, rank, rank))
                    for j in range(rank):
                        for i in range(rank):
                            after[b, h, i, j] = s[j, i]
        if columns:
            correct(output_at, reads_at, correction_at, count, width, columns, row_size)

    return _callable(step.address, pointers=10, integers=7)


@functools.cache
def _correction() -> Any:
    """Compile the addition of a correction, for compiled code to call."""
    numba: Any = import_module("numba")  # its stubs know no carray in compiled code

    @numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")  # type: ignore[untyped-decorator]
    def correct(
        output_at: int, reads_at: int, weight_at: int, count: int, channels: int, columns: int, row: int
    ) -> None:
        output = numba.carray(output_at, (count * row,))
        reads = numba.carray(reads_at, (count, channels))
        weight = numba.carray(weight_at, (channels, columns))
        for n in range(count):
            out = output[n * row : n * row + columns]
            for j in range(channels):
                for i in range(columns):
                    out[i] += reads[n, j] * weight[j, i]

    return correct


@functools.cache
def _add() -> Callable[..., None]:
    """The same, for calls from outside."""
    numba: Any = import_module("numba")
    types, correct = numba.types, _correction()
    floats, integer = types.CPointer(types.float32), types.intp

    outer: Callable[[Callable[..., None]], Any] = numba.cfunc(
        types.void(floats, floats, floats, *[integer] * 4), cache=True, error_model="numpy"
    )

    @outer
    def add(output_at: int, reads_at: int, weight_at: int, count: int, channels: int, columns: int, row: int) -> None:
        correct(output_at, reads_at, weight_at, count, channels, columns, row)

    return _callable(add.address, pointers=3, integers=4)


def _callable(address: int, *, pointers: int, integers: int) -> Callable[..., None]:
    """The compiled function there, for plain numbers as arguments; it runs without the GIL."""
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * pointers, *[ctypes.c_ssize_t] * integers)
    function: Callable[..., None] = kind(address)
    return function
