"""A few tokens of one layer in two compiled calls: project, normalise, gate, read, write, steer q; then steer o.

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
from torch.nn.modules.module import _has_any_global_hook

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
    plans: dict[str, int] = field(init=False, default_factory=dict)
    """Addresses of what `plan` made, by its keys: to collect it for every token would cost more than the step."""
    _places: dict[str, tuple[int, int]] = field(init=False, default_factory=dict)
    _held: list[object] = field(init=False, default_factory=list)
    """What those addresses point to."""

    def __reduce__(self) -> tuple[Callable[..., PackedWeights], tuple[object, ...]]:
        """Copies make plans of their own."""
        return _packed, (self.projection, self.gate_bias, self.corrections, self.stamp)

    def plan(self, key: str, layer: int, heads: tuple[tuple[HeadName, slice], ...], row: int) -> int:
        """Tell the step once where weights lie, and which columns of a linear's output are steered.

        Args:
            key: under which `plans` keeps it, one for each linear.
            layer: index into the state's first axis.
            heads: what is steered in the output, each with its columns.
            row: features of the output.

        Returns:
            where it is told: layer, row, gate bias, projection and whether that has 16 bits, number of corrections,
            and each one's place, whether it has 16 bits, first column, columns.
        """
        numbers = [layer, row, self.gate_bias.data_ptr(), *self._place("projection", self.projection), len(heads)]
        for head, features in heads:
            start, stop, _ = features.indices(row)
            numbers += [*self._place(head, self.corrections[head]), start, stop - start]
        plan = (ctypes.c_ssize_t * len(numbers))(*numbers)
        self._held.append(plan)
        return self.plans.setdefault(key, ctypes.addressof(plan))

    def _place(self, name: str, weight: Tensor) -> tuple[int, int]:
        """Address of a weight, and whether it has 16 bits there: half as much to wait for, where that loses nothing."""
        if name not in self._places:
            half = weight.bfloat16()
            exact = torch.equal(half.float(), weight)
            self._held.append(half if exact else weight)
            self._places[name] = (half if exact else weight).data_ptr(), int(exact)
        return self._places[name]


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
        self.after = torch.empty_like(before) if write else state
        """`[L, B, H, r, r]` once all layers have run."""
        batch = before.shape[1]
        self.reads = before.new_empty(batch * tokens, config.width)
        """`[B · T, R]` of the last layer that read."""
        masks = [None if mask is None else mask.contiguous() for mask in (valid, write_mask)]
        what = (_WRITES if write else 0) | (_HAS_VALID if valid is not None else 0)
        given = (ctypes.c_ssize_t * 10)(
            before.data_ptr(), self.after.data_ptr(), self.reads.data_ptr(),
            *[0 if mask is None else mask.data_ptr() for mask in masks],
            batch, tokens, layers[0].projection.shape[1], config.num_state_heads,
            what | (_HAS_WRITTEN if write_mask is not None else 0),
        )  # fmt: skip
        self._held = (given, before, *masks)
        self._given, self._step = ctypes.addressof(given), _step_of(config)
        self.layer = -1
        """The last one that read."""

    def read_and_write(self, layer: int, hidden: Tensor, output: Tensor, plan: int) -> None:
        """Read and write a layer's memory for `hidden` `[B, T, d]` float32, then `steer`."""
        hidden, given = hidden.contiguous(), self._given
        self._step(1, hidden.data_ptr(), output.data_ptr(), plan, plan, plan, given, given, given)
        self.layer = layer

    def steer(self, output: Tensor, plan: int) -> None:
        """Add the last layer's corrections to `output` `[B, T, out]`, float32 and contiguous, in place."""
        given = self._given
        self._step(0, 0, output.data_ptr(), plan, plan, plan, given, given, given)


def fits(hidden: Tensor, config: DeltaMemConfig) -> bool:
    """Whether these `[B, T, d]` are few tokens on a CPU that no gradient is asked of, and Numba is there.

    Not where a hook is to see the call of every module: steps leave some out.
    """
    return (
        hidden.is_cpu
        and 0 < hidden.shape[0] * hidden.shape[1] <= MOST_TOKENS
        and not torch.is_grad_enabled()
        and config.rank <= MAX_RANK
        and is_available()
        and not _has_any_global_hook()
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
    layer = FusedPass(
        [weights], config, state=state[None], tokens=hidden.shape[1], valid=valid, write=write, write_mask=write_mask
    )
    layer.read_and_write(0, hidden, hidden, weights.plans.get("") or weights.plan("", 0, (), 0))
    return layer.reads.view(*hidden.shape[:2], config.width), layer.after[0] if write else state


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
    floats, integers = types.CPointer(types.float32), types.CPointer(types.intp)
    weights16, flags = types.CPointer(types.uint16), types.CPointer(types.boolean)
    decays, outside = mode != "no_lambda", mode == "lambda_outside"

    inner: Callable[[Callable[..., None]], Any] = numba.njit(**options)
    outer: Callable[[Callable[..., None]], Any] = numba.cfunc(
        types.void(
            types.intp, floats, floats, integers, types.CPointer(floats), types.CPointer(weights16),
            integers, types.CPointer(floats), types.CPointer(flags),
        ), **options
    )  # fmt: skip

    @numba.njit(inline="always")  # type: ignore[untyped-decorator]
    def widened(half: np.uint16) -> np.float32:
        return np.uint32(np.uint32(half) << np.uint32(16)).view(np.float32)

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

    @inner
    def project(hidden: Array, plan: Any, plan_floats: Any, plan_halves: Any, used: int, projected: Array) -> None:
        count, size = hidden.shape
        if plan[4]:
            halves = numba.carray(plan_halves[3], (used, size))
            for p in range(used):
                for n in range(count):
                    total = np.float32(0)
                    for i in range(size):
                        total += widened(halves[p, i]) * hidden[n, i]
                    projected[n, p] = total
        else:
            weights = numba.carray(plan_floats[3], (used, size))
            for p in range(used):
                for n in range(count):
                    total = np.float32(0)
                    for i in range(size):
                        total += weights[p, i] * hidden[n, i]
                    projected[n, p] = total

    @numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")  # type: ignore[untyped-decorator]
    def correct(output: Array, reads: Array, plan: Any, plan_floats: Any, plan_halves: Any) -> None:
        count, width = reads.shape
        for c in range(plan[5]):
            at = 6 + 4 * c
            start, columns = plan[at + 2], plan[at + 3]
            if plan[at + 1]:
                halves = numba.carray(plan_halves[at], (width, columns))
                for n in range(count):
                    out = output[n, start : start + columns]
                    for j in range(width):
                        for i in range(columns):
                            out[i] += reads[n, j] * widened(halves[j, i])
            else:
                weights = numba.carray(plan_floats[at], (width, columns))
                for n in range(count):
                    out = output[n, start : start + columns]
                    for j in range(width):
                        for i in range(columns):
                            out[i] += reads[n, j] * weights[j, i]

    @inner
    def recur(
        projected: Array, before: Array, after: Array, reads: Array, bias: Array, what: int, flags: Any, tokens: int
    ) -> None:
        batch, heads = before.shape[:2]
        width, count = heads * rank, batch * tokens
        gates = width if rankwise else heads
        writes = what & _WRITES != 0
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
                    if what & _HAS_VALID and not numba.carray(flags[3], (count,))[n]:
                        continue
                    squash(row[first : first + rank], q)
                    for j in range(rank):
                        for i in range(rank):
                            out[i] += q[j] * s[j, i]
                    if not writes or (what & _HAS_WRITTEN and not numba.carray(flags[4], (count,))[n]):
                        continue
                    squash(row[width + first : width + first + rank], k)
                    found[:] = 0
                    for j in range(rank):
                        for i in range(rank):
                            found[i] += k[j] * s[j, i]
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
                    for j in range(rank):
                        for i in range(rank):
                            after[b, h, i, j] = s[j, i]

    @outer
    def step(
        reading: int, hidden_at: Any, output_at: Any, plan: Any, plan_floats: Any, plan_halves: Any,
        given: Any, given_floats: Any, given_flags: Any,
    ) -> None:  # fmt: skip
        layer, row = plan[0], plan[1]
        batch, tokens, size, heads, what = given[5], given[6], given[7], given[8], given[9]
        width, count = heads * rank, batch * tokens
        reads = numba.carray(given_floats[2], (count, width))
        if reading:
            before = numba.carray(given_floats[0], (layer + 1, batch, heads, rank, rank))[layer]
            after = numba.carray(given_floats[1], (layer + 1, batch, heads, rank, rank))[layer]
            gates = width if rankwise else heads
            writes = what & _WRITES != 0
            used = width
            if writes:
                used = 3 * width + (gates if coupled or not decays else 2 * gates)
            bias = numba.carray(plan_floats[2], (used - 3 * width,))
            projected = np.empty((count, used), np.float32)
            project(numba.carray(hidden_at, (count, size)), plan, plan_floats, plan_halves, used, projected)
            recur(projected, before, after, reads, bias, what, given_flags, tokens)
        if plan[5]:
            correct(numba.carray(output_at, (count, row)), reads, plan, plan_floats, plan_halves)

    kind = ctypes.CFUNCTYPE(None, ctypes.c_ssize_t, *[ctypes.c_void_p] * 8)
    function: Callable[..., None] = kind(step.address)  # runs without the GIL
    return function
