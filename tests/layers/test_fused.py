"""The compiled step for a few tokens against the tensor operations it stands for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from dmem_agents.layers import fused
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.memory import LayerMemory

WIDTHS: Any = {"q": 12, "k": 6, "v": 6, "o": 10}
MODES = ("standard", "lambda_outside", "no_lambda")


def _case(**fields: Any) -> tuple[LayerMemory, torch.Tensor, torch.Tensor]:
    memory = LayerMemory(DeltaMemConfig(**({"rank": 4} | fields)), hidden_size=10, out_features=WIDTHS)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden = torch.randn(3, 7, 10, generator=generator)
    return memory, hidden, torch.randn(3, memory.config.num_state_heads, 4, 4, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("mode", "rankwise", "coupled", "normalise"), list(itertools.product(MODES, *[[True, False]] * 3))
)
def test_it_gives_what_the_scan_gives_under_every_rule(
    monkeypatch: pytest.MonkeyPatch, mode: str, rankwise: bool, coupled: bool, normalise: bool, masked: bool
) -> None:
    memory, hidden, state = _case(
        num_state_heads=2,
        state_update_mode=mode,
        rankwise_gates=rankwise,
        couple_lambda=coupled,
        normalize_qk=normalise,
    )
    hidden = hidden * (1.0 if normalise else 0.2)
    mask = torch.rand(3, 7, generator=torch.Generator().manual_seed(1)) < 0.6 if masked else None
    assert fused.fits(hidden)
    reads, after = memory(hidden, state, write_mask=mask)
    monkeypatch.setattr(fused, "MOST_TOKENS", 0)
    expected_reads, expected_after = memory(hidden, state, write_mask=mask)
    torch.testing.assert_close(reads, expected_reads, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(after, expected_after, atol=2e-5, rtol=1e-4)


def test_it_leaves_the_given_state_as_it_was_and_reads_zero_from_an_empty_one() -> None:
    memory, hidden, state = _case()
    before = state.clone()
    with torch.no_grad():
        memory(hidden, state)
        reads, _ = memory(hidden[:, :1], torch.zeros_like(state))
    assert torch.equal(state, before)
    assert torch.equal(reads, torch.zeros_like(reads))


def test_where_gradients_are_asked_for_it_does_not_serve() -> None:
    memory, hidden, state = _case()
    reads, _ = memory(hidden, state)
    reads.sum().backward()
    assert memory.memory_q_proj.grad is not None
