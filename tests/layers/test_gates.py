"""The coefficients keep, erase and write of delta-mem.md §1.2, also where float32 runs out of digits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dmem_agents.layers.gates import coefficients

LOGITS = torch.tensor([-30.0, -12.0, -1.5, 0.0, 2.0, 12.0, 30.0])
OTHER = torch.tensor([3.0, -3.0, 0.5, 12.0, -12.0, 0.0, 1.0])


def _expected(mode: str, beta: Tensor, decay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return {
        "standard": (decay, beta, beta),
        "lambda_outside": (decay, decay * beta, beta),
        "no_lambda": (torch.ones_like(beta), beta, beta),
    }[mode]


@pytest.mark.parametrize("mode", ["standard", "lambda_outside", "no_lambda"])
@pytest.mark.parametrize("coupled", [True, False])
def test_each_rule_gives_the_table_of_the_paper(mode: str, coupled: bool) -> None:
    beta = torch.sigmoid(LOGITS.double())
    decay = 1 - beta if coupled else torch.sigmoid(OTHER.double())
    ours = coefficients(LOGITS, None if coupled else OTHER, mode)  # type: ignore[arg-type]
    for got, expected in zip(ours, _expected(mode, beta, decay), strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got.double(), expected, atol=1e-7, rtol=1e-6)


def test_a_coupled_gate_that_hardly_forgets_or_hardly_keeps_is_still_exact() -> None:
    keep, _, write = coefficients(torch.tensor([18.0, -18.0]), None, "standard")
    exact = torch.sigmoid(torch.tensor([-18.0, 18.0], dtype=torch.float64))
    torch.testing.assert_close(keep.double(), exact, atol=0.0, rtol=1e-6)
    assert 0 < keep[0] < 1e-7
    assert 0 < write[1] < 1e-7
