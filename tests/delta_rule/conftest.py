"""Random inputs of the recurrence, for every test of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

Inputs = dict[str, Any]


def _unit(x: Tensor) -> Tensor:
    return torch.tanh(x) / torch.tanh(x).norm(dim=-1, keepdim=True).clamp_min(1e-6)


def make_inputs(
    *,
    batch: int = 2,
    tokens: int = 9,
    heads: int = 2,
    rank: int = 4,
    gate_width: int | None = None,
    seed: int = 0,
    masked: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Inputs:
    """Keyword arguments of a scan: unit-norm q and k, gates in (0, 1), a non-zero state, perhaps a mask."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    gates = (batch, tokens, heads, gate_width or rank)
    beta = torch.sigmoid(normal(*gates) - 1.0)
    inputs: Inputs = {
        "q": _unit(normal(batch, tokens, heads, rank)),
        "k": _unit(normal(batch, tokens, heads, rank)),
        "v": normal(batch, tokens, heads, rank),
        "keep": torch.sigmoid(normal(*gates) + 2.0),
        "erase": beta * torch.sigmoid(normal(*gates)),
        "write": beta,
        "state": normal(batch, heads, rank, rank),
    }
    inputs = {name: value.to(dtype) for name, value in inputs.items()}
    if masked:
        inputs["write_mask"] = torch.rand(batch, tokens, generator=generator) < 0.6
    return inputs


@pytest.fixture
def scan_inputs() -> Callable[..., Inputs]:
    return make_inputs
