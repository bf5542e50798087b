"""The online memory of one agent as an immutable value, and batches of them.

Knows shapes and dtypes; knows nothing of bytes, stores or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmem_agents.errors import StateError, StateMismatchError


@dataclass(frozen=True, kw_only=True, slots=True)
class StateLayout:
    """Which matrices a state has: one `[heads, rank, rank]` per adapted layer."""

    layers: tuple[str, ...]
    """Module paths of the adapted attention layers, in forward order."""
    heads: int
    """H, `num_state_heads`."""
    rank: int
    """r: rows are value indices, columns key indices."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of one agent's values, `[L, H, r, r]`."""
        return (len(self.layers), self.heads, self.rank, self.rank)


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryState:
    """One agent's associative memory S (arXiv 2605.12357): a value, never changed in place.

    Raises:
        StateError: values are not float32 of shape `[L, H, r, r]`. Nothing is cast or reshaped.
    """

    layout: StateLayout
    values: Tensor
    """`[L, H, r, r]`, float32, on the CPU, detached. Construction copies; don't write into it."""

    def __post_init__(self) -> None:
        if tuple(self.values.shape) != self.layout.shape or self.values.dtype != torch.float32:
            raise StateError(
                f"Expected float32 state values of shape {list(self.layout.shape)} [layers, heads, rank, rank], "
                f"got {self.values.dtype} of shape {list(self.values.shape)}."
            )
        own = self.values.detach().to("cpu", copy=True).contiguous()
        object.__setattr__(self, "values", own)

    @classmethod
    def zeros(cls, layout: StateLayout) -> MemoryState:
        """The empty state: reads of it are zero, so the model is its frozen backbone."""
        return cls(layout=layout, values=torch.zeros(layout.shape, dtype=torch.float32))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MemoryState):
            return NotImplemented
        return self.layout == other.layout and torch.equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]  # holds a tensor: equality by value, not hashable

    @property
    def size_bytes(self) -> int:
        """Bytes of the numbers alone."""
        return self.values.numel() * 4

    def norms(self) -> Tensor:
        """Frobenius norm of each matrix, `[L, H]`."""
        norms: Tensor = torch.linalg.matrix_norm(self.values)
        return norms


def stack(states: Sequence[MemoryState]) -> Tensor:
    """Batch of agents for one forward: `[L, B, H, r, r]`. All layouts must be equal.

    Raises:
        StateError: no state was given.
        StateMismatchError: the layouts differ.
    """
    if not states:
        raise StateError("Expected at least one state to stack, got none.")
    for row, state in enumerate(states):
        if state.layout != states[0].layout:
            raise StateMismatchError(
                f"Expected one layout in a batch; state {row} has {list(state.layout.shape)}, "
                f"state 0 has {list(states[0].layout.shape)} [layers, heads, rank, rank] or other layer names."
            )
    return torch.stack([state.values for state in states], dim=1)
