"""The chunk-parallel scan against the slow one: values, gradients, and what must hold for any input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from dmem_agents.delta_rule.chunked import chunked_scan
from dmem_agents.delta_rule.naive import naive_scan

MakeInputs = Callable[..., dict[str, Any]]
ODD_LENGTHS = [0, 1, 2, 63, 64, 65, 100, 127, 257]
DIFFERENTIABLE = ("q", "k", "v", "keep", "erase", "write", "state")


def _gradients(scan: Callable[..., tuple[Tensor, Tensor]], inputs: dict[str, Any]) -> dict[str, Tensor]:
    leaves = {name: inputs[name].detach().clone().requires_grad_() for name in DIFFERENTIABLE}
    reads, state = scan(**(inputs | leaves))
    generator = torch.Generator().manual_seed(1)
    loss = (reads * torch.randn(reads.shape, generator=generator, dtype=reads.dtype)).sum()
    loss = loss + (state * torch.randn(state.shape, generator=generator, dtype=state.dtype)).sum()
    loss.backward()
    return {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gate_width", [None, 1])
@pytest.mark.parametrize("tokens", ODD_LENGTHS)
def test_chunks_give_what_the_loop_gives(
    scan_inputs: MakeInputs, tokens: int, gate_width: int | None, masked: bool
) -> None:
    inputs = scan_inputs(tokens=tokens, gate_width=gate_width, masked=masked, seed=tokens)
    reads, state = chunked_scan(**inputs)
    expected_reads, expected_state = naive_scan(**inputs)
    torch.testing.assert_close(reads, expected_reads, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(state, expected_state, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gate_width", [None, 1])
@pytest.mark.parametrize("tokens", ODD_LENGTHS)
def test_chunks_have_the_gradients_of_the_loop(
    scan_inputs: MakeInputs, tokens: int, gate_width: int | None, masked: bool
) -> None:
    inputs = scan_inputs(batch=2, heads=1, tokens=tokens, gate_width=gate_width, masked=masked, seed=tokens)
    ours, expected = _gradients(chunked_scan, inputs), _gradients(naive_scan, inputs)
    for name in DIFFERENTIABLE:
        assert torch.allclose(ours[name], expected[name], atol=1e-9, rtol=1e-8), name


def test_gradients_agree_with_finite_differences(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(batch=1, tokens=5, heads=1, rank=2, masked=True, seed=5)
    leaves = tuple(inputs[name].requires_grad_() for name in DIFFERENTIABLE)

    def run(*values: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(DIFFERENTIABLE, values, strict=True))
        return chunked_scan(**named, write_mask=inputs["write_mask"], chunk_size=3)

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 64, 1000])
def test_the_chunk_size_changes_nothing(scan_inputs: MakeInputs, chunk_size: int) -> None:
    inputs = scan_inputs(tokens=30, masked=True)
    reads, state = chunked_scan(**inputs, chunk_size=chunk_size)
    expected_reads, expected_state = naive_scan(**inputs)
    torch.testing.assert_close(reads, expected_reads, atol=1e-11, rtol=1e-10)
    torch.testing.assert_close(state, expected_state, atol=1e-11, rtol=1e-10)


def test_a_scalar_gate_is_the_same_gate_on_every_row(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=70, gate_width=1)
    wide = {name: inputs[name].expand_as(inputs["v"]) for name in ("keep", "erase", "write")}
    scalar, rows = chunked_scan(**inputs), chunked_scan(**(inputs | wide))
    torch.testing.assert_close(scalar[0], rows[0], atol=1e-11, rtol=1e-10)
    torch.testing.assert_close(scalar[1], rows[1], atol=1e-11, rtol=1e-10)


@pytest.mark.parametrize("keep_width", [1, 4])
@pytest.mark.parametrize("write_width", [1, 4])
def test_scalar_and_rowwise_gates_may_be_mixed(scan_inputs: MakeInputs, keep_width: int, write_width: int) -> None:
    inputs = scan_inputs(tokens=20, rank=4)
    inputs["keep"], inputs["write"] = inputs["keep"][..., :keep_width], inputs["write"][..., :write_width]
    for ours, expected in zip(chunked_scan(**inputs), naive_scan(**inputs), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-11, rtol=1e-10)


@pytest.mark.parametrize("tokens", [37, 200])
def test_float32_chunks_stay_close_to_the_float64_loop(scan_inputs: MakeInputs, tokens: int) -> None:
    inputs = scan_inputs(tokens=tokens, rank=8)
    exact = naive_scan(**inputs)
    single = {name: value.float() for name, value in inputs.items()}
    for ours, expected in zip(chunked_scan(**single), exact, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_gates_that_forget_everything_or_nothing_stay_exact(
    scan_inputs: MakeInputs, dtype: torch.dtype
) -> None:
    """λ = 1 − β is exactly 0 in float32 once the logit of β exceeds about 17."""
    inputs = scan_inputs(tokens=130, rank=4, seed=2)
    draw = torch.rand(inputs["keep"].shape, generator=torch.Generator().manual_seed(9))
    inputs["keep"] = inputs["keep"].masked_fill(draw < 0.3, 0.0).masked_fill(draw > 0.7, 1.0)
    exact = naive_scan(**inputs)
    for ours, expected in zip(chunked_scan(**{n: v.to(dtype) for n, v in inputs.items()}), exact, strict=True):
        torch.testing.assert_close(ours.double(), expected, atol=2e-5, rtol=1e-4)


def test_saturated_gates_have_finite_gradients(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=70, seed=2, dtype=torch.float32)
    inputs["keep"] = torch.zeros_like(inputs["keep"])
    for name, gradient in _gradients(chunked_scan, inputs).items():
        assert torch.isfinite(gradient).all(), name


@pytest.mark.parametrize("scan", [naive_scan, chunked_scan])
def test_what_masked_tokens_hold_reaches_neither_values_nor_gradients(
    scan_inputs: MakeInputs, scan: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    inputs = scan_inputs(tokens=70, masked=True, seed=4)
    clean, clean_gradients = scan(**inputs), _gradients(scan, inputs)
    masked = ~inputs["write_mask"][:, :, None, None]
    for name in ("k", "v", "keep", "erase", "write"):
        inputs[name] = inputs[name].masked_fill(masked, torch.nan)
    poisoned, gradients = scan(**inputs), _gradients(scan, inputs)
    assert torch.equal(clean[0], poisoned[0])
    assert torch.equal(clean[1], poisoned[1])
    for name in DIFFERENTIABLE:
        assert torch.equal(gradients[name], clean_gradients[name]), name


@pytest.mark.parametrize("scan", [naive_scan, chunked_scan])
def test_a_nan_query_of_a_masked_token_stays_in_its_own_read(
    scan_inputs: MakeInputs, scan: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    inputs = scan_inputs(tokens=70, masked=True, seed=4)
    clean = scan(**inputs)
    inputs["q"] = inputs["q"].masked_fill(~inputs["write_mask"][:, :, None, None], torch.nan)
    reads, state = scan(**inputs)
    assert torch.equal(reads[inputs["write_mask"]], clean[0][inputs["write_mask"]])
    assert torch.equal(state, clean[1])


@settings(deadline=None, max_examples=40)
@given(data=st.data(), tokens=st.integers(1, 90), seed=st.integers(0, 1000))
def test_a_sequence_may_be_cut_anywhere(data: st.DataObject, tokens: int, seed: int) -> None:
    inputs = _inputs(tokens=tokens, seed=seed)
    cuts = sorted(data.draw(st.lists(st.integers(0, tokens), max_size=4), label="cuts"))
    whole_reads, whole_state = chunked_scan(**inputs)
    state, reads = inputs["state"], []
    for start, end in zip([0, *cuts], [*cuts, tokens], strict=True):
        part = {n: v[:, start:end] for n, v in inputs.items() if n != "state"}
        read, state = chunked_scan(**part, state=state)
        reads.append(read)
    torch.testing.assert_close(torch.cat(reads, dim=1), whole_reads, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(state, whole_state, atol=1e-10, rtol=1e-9)


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(4)), seed=st.integers(0, 1000))
def test_the_order_of_the_batch_is_the_order_of_the_result(order: list[int], seed: int) -> None:
    inputs = _inputs(batch=4, tokens=20, seed=seed)
    reads, state = chunked_scan(**inputs)
    shuffled_reads, shuffled_state = chunked_scan(**{n: v[order] for n, v in inputs.items()})
    torch.testing.assert_close(shuffled_reads, reads[order], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(shuffled_state, state[order], atol=1e-12, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), tokens=st.integers(1, 80), seed=st.integers(0, 1000))
def test_masked_tokens_might_as_well_not_be_there(data: st.DataObject, tokens: int, seed: int) -> None:
    inputs = _inputs(batch=1, tokens=tokens, seed=seed)
    mask = torch.tensor([data.draw(st.lists(st.booleans(), min_size=tokens, max_size=tokens), label="mask")])
    reads, state = chunked_scan(**(inputs | {"write_mask": mask}))
    kept = {n: v[:, mask[0]] for n, v in inputs.items() if n not in ("state", "write_mask")}
    kept_reads, kept_state = chunked_scan(**kept, state=inputs["state"])
    torch.testing.assert_close(reads[:, mask[0]], kept_reads, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(state, kept_state, atol=1e-10, rtol=1e-9)


def _inputs(*, tokens: int, seed: int, batch: int = 2) -> dict[str, Any]:
    """As the fixture, for tests that Hypothesis runs many times; half of the seeds come with a mask."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    vectors = {name: draw(batch, tokens, 1, 3) for name in ("q", "k", "v")}
    vectors["k"] = torch.nn.functional.normalize(vectors["k"], dim=-1)
    gates = {name: torch.sigmoid(draw(batch, tokens, 1, 3)) for name in ("keep", "erase", "write")}
    inputs = vectors | gates | {"state": draw(batch, 1, 3, 3)}
    if seed % 2:
        inputs["write_mask"] = torch.rand(batch, tokens, generator=generator) < 0.5
    return inputs
