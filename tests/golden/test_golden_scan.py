"""The raw recurrence and its gradients, against the reference's float64 results."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dmem_agents.delta_rule.scan import scan

Case = dict[str, Any]
INPUTS = ("q", "k", "v", "keep", "erase", "write")


def _arguments(tensors: dict[str, Tensor], dtype: torch.dtype) -> tuple[dict[str, Tensor], Tensor | None]:
    """Leaves with the head axis H = 1 that the files leave out, and the mask."""
    leaves = {name: tensors[name].to(dtype).unsqueeze(2) for name in INPUTS}
    leaves["state"] = tensors["S0"].to(dtype).unsqueeze(1)
    mask = tensors["mask"].bool() if "mask" in tensors else None
    return {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}, mask


def _as_recorded(reads: Tensor, mask: Tensor | None) -> Tensor:
    """Without the head axis; the reference gives masked tokens a read of 0, our scan lets them read."""
    reads = reads.squeeze(2)
    return reads if mask is None else reads * mask.unsqueeze(-1)


@pytest.mark.parametrize("implementation", ["auto", "naive", "chunked", "compiled"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_recurrence_and_its_gradients_are_those_of_the_reference(
    golden: Any, scan_case: Case, implementation: str, dtype: torch.dtype
) -> None:
    tensors = golden.tensors(scan_case)
    leaves, mask = _arguments(tensors, dtype)
    reads, state = scan(**leaves, write_mask=mask, implementation=implementation)
    reads, state = _as_recorded(reads, mask), state.squeeze(1)
    tolerance = scan_case["tolerance"] if dtype == torch.float32 else {"atol": 1e-10, "rtol": 1e-8}
    torch.testing.assert_close(reads.double(), tensors["out.reads64"], **tolerance)
    torch.testing.assert_close(state.double(), tensors["out.state64"], **tolerance)

    loss = (reads * tensors["cot_reads"].to(dtype)).sum() + (state * tensors["cot_state"].to(dtype)).sum()
    loss.backward()
    for name, leaf in leaves.items():
        recorded = tensors["grad64." + ("S0" if name == "state" else name)]
        gradient = leaf.grad.squeeze(1 if name == "state" else 2).double()
        if dtype == torch.float64:
            torch.testing.assert_close(gradient, recorded, **tolerance)
        else:  # rounding grows with the number of terms in the sum, so relative to the largest entry
            assert (gradient - recorded).abs().max() <= 2e-5 * recorded.abs().max().clamp_min(1.0), name
