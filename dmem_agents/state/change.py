"""How far one state is from another, layer by layer."""

from __future__ import annotations

import torch

from dmem_agents.errors import StateMismatchError
from dmem_agents.state.memory_state import MemoryState


def change_by_layer(before: MemoryState, after: MemoryState) -> dict[str, float]:
    """Frobenius norm of `after − before` over all heads of each layer, by the layer's name.

    Raises:
        StateMismatchError: the states have different layouts.
    """
    if before.layout != after.layout:
        raise StateMismatchError(
            f"Expected two states of one layout, got {list(before.layout.shape)} and {list(after.layout.shape)} "
            "[layers, heads, rank, rank] or other layer names. States of different models can't be compared."
        )
    norms = torch.linalg.vector_norm((after.values - before.values).flatten(1), dim=1)
    return dict(zip(before.layout.layers, norms.tolist(), strict=True))
