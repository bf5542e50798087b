"""Rows of unequal length as one tensor, aligned at their ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def left_padded(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> Tensor:
    """`[B, T]`: each row with fillers before it up to the longest one's length."""
    width = max(map(len, rows))
    return torch.tensor([[filler] * (width - len(row)) + list(row) for row in rows], device=device)
