"""One layer's memory alone: its gates, its reads, and what it leaves of a state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.memory import LayerMemory
from dmem_agents.layers.write_spans import Segments

WIDTHS: Any = {"q": 12, "k": 6, "v": 6, "o": 10}


def _memory(**fields: Any) -> LayerMemory:
    memory = LayerMemory(DeltaMemConfig(**({"rank": 4} | fields)), hidden_size=10, out_features=WIDTHS)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return memory


def _hidden(batch: int = 2, tokens: int = 5) -> Tensor:
    return torch.randn(batch, tokens, 10, generator=torch.Generator().manual_seed(1))


def _state(heads: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, heads, 4, 4, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("rankwise", [True, False])
@pytest.mark.parametrize("coupled", [True, False])
def test_gates_are_sigmoids_of_projections_head_by_head(rankwise: bool, coupled: bool) -> None:
    memory = _memory(num_state_heads=3, rankwise_gates=rankwise, couple_lambda=coupled)
    hidden = _hidden()
    with torch.no_grad():
        keep, erase, write = memory.gates(hidden)
        beta = torch.sigmoid(F.linear(hidden, memory.beta_proj) + memory.beta_bias)
        decay = 1 - beta if coupled else torch.sigmoid(F.linear(hidden, memory.lambda_proj) + memory.lambda_bias)
    shape = (2, 5, 3, 4 if rankwise else 1)
    for got, expected in ((keep, decay), (erase, beta), (write, beta)):
        torch.testing.assert_close(got, expected.view(shape), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_reading_only_reads_the_given_state_and_returns_it_to_the_bit() -> None:
    memory, hidden, state = _memory(num_state_heads=2), _hidden(), _state(2)
    reads, after = memory(hidden, state, write=False)
    query = torch.tanh(F.linear(hidden, memory.memory_q_proj).view(2, 5, 2, 4))
    query = query / query.norm(dim=-1, keepdim=True)
    expected = torch.einsum("bhij,bthj->bthi", state, query).flatten(2)
    torch.testing.assert_close(reads, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(after, state)


@torch.no_grad()
def test_padding_reads_zero_and_writes_nothing_even_when_it_holds_nan() -> None:
    memory, hidden, state = _memory(), _hidden(), _state(1)
    valid = torch.tensor([[True] * 5, [False, False, True, True, True]])
    hidden[~valid] = torch.nan
    for options in ({}, {"write": False}):
        reads, after = memory(hidden, state, valid=valid, **options)
        assert not reads[~valid].any()
        assert torch.isfinite(reads).all()
        alone, alone_after = memory(hidden[1:, 2:], state[1:], **options)
        torch.testing.assert_close(reads[1:, 2:], alone, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(after[1:], alone_after, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_pooled_writes_pool_hidden_states_before_anything_else_and_ignore_nan_outside() -> None:
    memory, hidden, state = _memory(couple_lambda=False), _hidden(), _state(1)
    ids = torch.tensor([[7, 2, 7, -1, 2], [-1, -1, -1, -1, -1]])
    hidden[0, 3] = torch.nan
    reads, after = memory(
        hidden, state, segments=Segments.from_ids(ids, ids >= 0), valid=torch.isfinite(hidden[..., 0])
    )
    pooled = torch.stack([hidden[0, [1, 4]].mean(dim=0), hidden[0, [0, 2]].mean(dim=0)])[None]
    _, expected = memory(pooled, state[:1])
    torch.testing.assert_close(after[:1], expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(after[1], state[1])
    before, _ = memory(hidden.nan_to_num(), state, write=False)
    torch.testing.assert_close(reads[:, :3], before[:, :3])


@torch.no_grad()
def test_half_precision_inputs_are_computed_in_float32() -> None:
    memory, state = _memory(), _state(1)
    hidden = _hidden().bfloat16()
    reads, after = memory(hidden, state)
    expected_reads, expected_after = memory(hidden.float(), state)
    assert reads.dtype == after.dtype == torch.float32
    assert torch.equal(reads, expected_reads)
    assert torch.equal(after, expected_after)


@torch.no_grad()
def test_autocast_does_not_reach_into_the_memory() -> None:
    memory, hidden, state = _memory(), _hidden(), _state(1)
    expected = memory(hidden, state)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reads, after = memory(hidden, state)
        change = memory.delta("q", reads)
    assert torch.equal(reads, expected[0])
    assert torch.equal(after, expected[1])
    assert change.dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("head", ["q", "k", "v", "o"])
@pytest.mark.parametrize("fields", [{}, {"delta_o_rmsnorm": True}, {"trainable_delta_scale": True}], ids=str)
def test_a_read_of_zero_corrects_nothing_at_all(head: Any, fields: dict[str, Any]) -> None:
    change = _memory(**fields).delta(head, torch.zeros(2, 5, 4))
    assert change.shape == (2, 5, WIDTHS[head])
    assert not change.any()


@torch.no_grad()
def test_the_scale_of_a_correction_is_alpha_over_rank_not_over_all_channels() -> None:
    memory = _memory(num_state_heads=3, alpha=2.0)
    reads = torch.randn(2, 5, 12)
    torch.testing.assert_close(memory.delta("k", reads), 0.5 * F.linear(reads, memory.delta_k_proj))
