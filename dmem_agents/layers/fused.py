"""A few tokens of one layer in one compiled step: normalise, gate, read and write (`delta-mem.md` §1.1–§1.3).

For decoding on a CPU, where some thirty small tensor operations a layer would cost as much as the memory's products.
Computes what `LayerMemory` computes by the scan, in float32; without gradients.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dmem_agents.delta_rule.cpu import Array, is_available
from dmem_agents.layers.config import DeltaMemConfig

MOST_TOKENS = 64
"""Tokens of all rows; beyond it vectorised tensor operations are as quick."""
_MODES = {"no_lambda": 0, "standard": 1, "lambda_outside": 2}


def fits(hidden: Tensor) -> bool:
    """Whether these `[B, T, d]` are few tokens on a CPU that no gradient is asked of, and Numba is there."""
    return (
        hidden.device.type == "cpu"
        and 0 < hidden.shape[0] * hidden.shape[1] <= MOST_TOKENS
        and not torch.is_grad_enabled()
        and is_available()
    )


def read_and_write(
    projected: Tensor, bias: Tensor, state: Tensor, *, written: Tensor | None, config: DeltaMemConfig
) -> tuple[Tensor, Tensor]:
    """Reads and the next state of a layer.

    Args:
        projected: `[B, T, 3R + gates]` float32: memory q, k, v, then the logits of β and, if not coupled, of λ.
        bias: `[gates]` float32, added to those logits.
        state: `[B, H, r, r]` float32.
        written: `[B, T]` bool; False tokens read but leave no trace. None writes all.
        config: the update rule.

    Returns:
        reads `[B, T, R]` and the state after the last token.
    """
    batch, tokens, _ = projected.shape
    mask = np.ones((batch, tokens), np.bool_) if written is None else written.numpy()
    reads = torch.empty(batch, tokens, config.width)
    after = torch.empty(state.shape)
    _kernel(config.rank)(
        projected.contiguous().numpy(), bias.numpy(), state.contiguous().numpy(), mask, reads.numpy(), after.numpy(),
        _MODES[config.state_update_mode], config.normalize_qk, config.rankwise_gates, config.couple_lambda,
    )  # fmt: skip
    return reads, after


@functools.cache
def _kernel(rank: int) -> Callable[..., None]:
    """Compile the step for a rank; the head's state is held transposed, as in `delta_rule.cpu`."""
    import numba

    compiled = numba.njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")

    @compiled
    def squash(row: Array, into: Array, normalise: bool) -> None:
        total = np.float32(0)
        for i in range(rank):
            into[i] = math.tanh(row[i]) if normalise else row[i]
            total += into[i] * into[i]
        if normalise:
            length = max(math.sqrt(total), np.float32(1e-6))
            for i in range(rank):
                into[i] /= length

    @compiled
    def step(
        projected: Array, bias: Array, state: Array, mask: Array, reads: Array, after: Array,
        mode: int, normalise: bool, rankwise: bool, coupled: bool,
    ) -> None:  # fmt: skip
        batch, tokens, _ = projected.shape
        heads = state.shape[1]
        width = heads * rank
        gates = width if rankwise else heads
        s = np.empty((rank, rank), np.float32)
        q, k, found = np.empty(rank, np.float32), np.empty(rank, np.float32), np.empty(rank, np.float32)
        for b in range(batch):
            for h in range(heads):
                first = h * rank
                for j in range(rank):
                    for i in range(rank):
                        s[j, i] = state[b, h, i, j]
                for t in range(tokens):
                    row = projected[b, t]
                    squash(row[first : first + rank], q, normalise)
                    squash(row[width + first : width + first + rank], k, normalise)
                    found[:] = 0
                    out = reads[b, t, first : first + rank]
                    out[:] = 0
                    for j in range(rank):
                        for i in range(rank):
                            out[i] += q[j] * s[j, i]
                            found[i] += k[j] * s[j, i]
                    if not mask[b, t]:
                        continue
                    for i in range(rank):
                        gate = first + i if rankwise else h
                        beta = np.float32(1 / (1 + math.exp(-(row[3 * width + gate] + bias[gate]))))
                        keep, erase = np.float32(1), beta
                        if mode:
                            # σ(−x) is 1 − σ(x) without the cancellation that would round slow decay to none.
                            logit = row[3 * width + gate] + bias[gate]
                            if not coupled:
                                logit = -(row[3 * width + gates + gate] + bias[gates + gate])
                            keep = np.float32(1 / (1 + math.exp(logit)))
                            if mode == 2:
                                erase = keep * beta
                        change = beta * row[2 * width + first + i] - erase * found[i]
                        for j in range(rank):
                            s[j, i] = keep * s[j, i] + change * k[j]
                for j in range(rank):
                    for i in range(rank):
                        after[b, h, i, j] = s[j, i]

    result: Callable[..., None] = step
    return result
