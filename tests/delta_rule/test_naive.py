"""The slow scan against the equations of delta-mem.md §1.3, once more in plain numpy, unbatched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dmem_agents.delta_rule.naive import naive_scan

Array = NDArray[np.float64]
MakeInputs = Callable[..., dict[str, Any]]


def _one_step(state: Array, k: Array, v: Array, keep: Array, erase: Array, write: Array) -> Array:
    """S_t = diag(keep) S − diag(erase) (S k) kᵀ + diag(write) v kᵀ, one element at a time."""
    rank = len(k)
    after = np.zeros_like(state)
    for i in range(rank):
        predicted = sum(state[i, j] * k[j] for j in range(rank))
        for j in range(rank):
            after[i, j] = keep[i] * state[i, j] - erase[i] * predicted * k[j] + write[i] * v[i] * k[j]
    return after


def _by_hand(inputs: dict[str, Any]) -> tuple[Array, Array]:
    arrays = {name: value.numpy() for name, value in inputs.items() if name != "write_mask"}
    batch, tokens, heads, rank = arrays["q"].shape
    for name in ("keep", "erase", "write"):
        arrays[name] = np.broadcast_to(arrays[name], (batch, tokens, heads, rank))
    mask = inputs.get("write_mask")
    reads, last = np.zeros_like(arrays["q"]), arrays["state"].copy()
    for b in range(batch):
        for h in range(heads):
            state = arrays["state"][b, h]
            for t in range(tokens):
                for i in range(rank):
                    reads[b, t, h, i] = sum(state[i, j] * arrays["q"][b, t, h, j] for j in range(rank))
                if mask is None or mask[b, t]:
                    state = _one_step(state, *(arrays[n][b, t, h] for n in ("k", "v", "keep", "erase", "write")))
            last[b, h] = state
    return reads, last


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gate_width", [None, 1])
@pytest.mark.parametrize("tokens", [0, 1, 9])
def test_the_slow_scan_is_the_equation_written_out(
    scan_inputs: MakeInputs, tokens: int, gate_width: int | None, masked: bool
) -> None:
    inputs = scan_inputs(tokens=tokens, gate_width=gate_width, masked=masked)
    reads, state = naive_scan(**inputs)
    expected_reads, expected_state = _by_hand(inputs)
    np.testing.assert_allclose(reads.numpy(), expected_reads, atol=1e-12)
    np.testing.assert_allclose(state.numpy(), expected_state, atol=1e-12)


def test_a_token_reads_the_state_before_its_own_write() -> None:
    one = torch.ones(1, 1, 1, 1)
    reads, state = naive_scan(
        q=one, k=one, v=3 * one, keep=one, erase=0 * one, write=one, state=5 * torch.ones(1, 1, 1, 1)
    )
    assert reads.item() == 5.0
    assert state.item() == 8.0


def test_gates_act_on_rows_which_are_values_and_not_on_columns_which_are_keys() -> None:
    zero = torch.zeros(1, 1, 1, 2)
    keep = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    state = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    _, after = naive_scan(q=zero, k=zero, v=zero, keep=keep, erase=zero, write=zero, state=state)
    assert after.view(2, 2).tolist() == [[1.0, 2.0], [0.0, 0.0]]


def test_writing_the_same_pair_again_and_again_with_coupled_gates_settles_at_half_the_value(
    scan_inputs: MakeInputs,
) -> None:
    inputs = scan_inputs(batch=1, tokens=1, heads=1)
    beta = torch.full((1, 400, 1, 4), 0.2, dtype=torch.float64)
    k, v = inputs["k"].expand(1, 400, 1, 4), inputs["v"].expand(1, 400, 1, 4)
    _, state = naive_scan(q=k, k=k, v=v, keep=1 - beta, erase=beta, write=beta, state=inputs["state"])
    stored = state[0, 0] @ inputs["k"][0, 0, 0]
    torch.testing.assert_close(stored, inputs["v"][0, 0, 0] / 2)


def test_masked_tokens_read_but_leave_no_trace_whatever_they_hold(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=7, masked=True, seed=3)
    clean = naive_scan(**inputs)
    for name in ("k", "v", "keep", "erase", "write"):
        inputs[name] = inputs[name].masked_fill(~inputs["write_mask"][:, :, None, None], torch.nan)
    poisoned = naive_scan(**inputs)
    assert torch.equal(clean[0], poisoned[0])
    assert torch.equal(clean[1], poisoned[1])


def test_the_incoming_state_is_not_written_into(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs()
    before = inputs["state"].clone()
    _, after = naive_scan(**inputs)
    assert torch.equal(inputs["state"], before)
    assert not torch.equal(after, before)
