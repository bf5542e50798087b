"""The compiled scan against the slow one: values, gradients, poisoned places, threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from dmem_agents.delta_rule import cpu
from dmem_agents.delta_rule.cpu import compiled_scan
from dmem_agents.delta_rule.naive import naive_scan
from dmem_agents.delta_rule.scan import scan
from dmem_agents.errors import ConfigError

MakeInputs = Callable[..., dict[str, Any]]
LEAVES = ("q", "k", "v", "keep", "erase", "write", "state")


def _run(scan: Callable[..., tuple[Tensor, Tensor]], inputs: dict[str, Any]) -> dict[str, Tensor]:
    """Values, and the gradients of a weighted sum of them."""
    leaves = {name: inputs[name].detach().clone().requires_grad_() for name in LEAVES}
    reads, state = scan(**(inputs | leaves))
    weights = torch.Generator().manual_seed(1)
    parts = [(x * torch.randn(x.shape, generator=weights, dtype=x.dtype)).nansum() for x in (reads, state)]
    torch.stack(parts).sum().backward()
    found = {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}
    return {"reads": reads.detach(), "after": state.detach(), **found}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gate_width", [None, 1])
@pytest.mark.parametrize(("tokens", "rank"), [(0, 4), (1, 4), (2, 4), (63, 4), (100, 4), (257, 4), (9, 1), (9, 8)])
def test_values_and_gradients_are_those_of_the_loop(
    scan_inputs: MakeInputs, tokens: int, rank: int, gate_width: int | None, masked: bool
) -> None:
    inputs = scan_inputs(tokens=tokens, rank=rank, gate_width=gate_width, masked=masked, seed=tokens)
    ours, expected = _run(compiled_scan, inputs), _run(naive_scan, inputs)
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, atol=1e-9, rtol=1e-8, msg=name)


def test_what_masked_tokens_hold_reaches_neither_values_nor_gradients(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=30, masked=True)
    poisoned = dict(inputs)
    for name in ("k", "v", "keep", "erase", "write"):
        poisoned[name] = inputs[name].masked_fill(~inputs["write_mask"][:, :, None, None], torch.nan)
    ours, expected = _run(compiled_scan, poisoned), _run(compiled_scan, inputs)
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, msg=name)


def test_inputs_that_are_views_give_the_same(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=12)
    views = {name: value.transpose(0, 1).contiguous().transpose(0, 1) for name, value in inputs.items()}
    assert not views["q"].is_contiguous()
    for ours, expected in zip(compiled_scan(**views), compiled_scan(**inputs), strict=True):
        assert torch.equal(ours, expected)


def test_without_gradients_no_history_of_states_is_kept(
    scan_inputs: MakeInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    original = cpu._forward
    monkeypatch.setattr(cpu, "_forward", lambda *a, history: asked.append(history) or original(*a, history=history))
    inputs = scan_inputs(tokens=5)
    inputs["q"].requires_grad_()
    with torch.no_grad():
        compiled_scan(**inputs)
    compiled_scan(**inputs)
    assert asked == [False, True]


def test_threads_run_it_at_once(scan_inputs: MakeInputs) -> None:
    several = [scan_inputs(tokens=200, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda inputs: compiled_scan(**inputs), several))
    for (reads, state), inputs in zip(together, several, strict=True):
        expected = compiled_scan(**inputs)
        assert torch.equal(reads, expected[0])
        assert torch.equal(state, expected[1])


def test_it_takes_tensors_on_the_cpu_alone(scan_inputs: MakeInputs) -> None:
    inputs = {name: value.to("meta") for name, value in scan_inputs(dtype=torch.float32).items()}
    with pytest.raises(ConfigError, match="CPU"):
        scan(**inputs, implementation="compiled")
