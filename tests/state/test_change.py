from __future__ import annotations

import pytest
import torch

from dmem_agents.errors import StateMismatchError
from dmem_agents.state import MemoryState, StateLayout
from dmem_agents.state.change import change_by_layer

LAYOUT = StateLayout(layers=("first", "second"), heads=2, rank=3)


def test_the_change_of_a_layer_is_the_norm_of_the_difference_over_all_its_heads() -> None:
    before = torch.randn(LAYOUT.shape, generator=torch.Generator().manual_seed(0))
    after = before.clone()
    after[0, 0, 1, 2] += 3.0
    after[0, 1, 2, 0] -= 4.0
    states = (MemoryState(layout=LAYOUT, values=values) for values in (before, after))
    assert change_by_layer(*states) == {"first": pytest.approx(5.0, rel=1e-5), "second": 0.0}


def test_states_of_different_layouts_are_not_compared() -> None:
    other = StateLayout(layers=("first", "third"), heads=2, rank=3)
    with pytest.raises(StateMismatchError, match="one layout"):
        change_by_layer(MemoryState.zeros(LAYOUT), MemoryState.zeros(other))
