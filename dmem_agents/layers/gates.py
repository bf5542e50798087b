"""From gate logits to the keep, erase and write coefficients of the delta rule (`delta-mem.md` §1.1, §1.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from dmem_agents.layers.config import UpdateMode


def coefficients(beta_logits: Tensor, lambda_logits: Tensor | None, mode: UpdateMode) -> tuple[Tensor, Tensor, Tensor]:
    """keep, erase and write of every gate channel.

    Args:
        beta_logits: float32, any shape; β = σ(·).
        lambda_logits: same shape, or None to couple λ = 1 − β.
        mode: `standard` (λ, β, β), `lambda_outside` (λ, λβ, β) or `no_lambda` (1, β, β).

    Returns:
        Three tensors of that shape, in [0, 1].
    """
    beta = torch.sigmoid(beta_logits)
    if mode == "no_lambda":
        return torch.ones_like(beta), beta, beta
    # σ(−x) is 1 − σ(x) without the cancellation that would round slow decay to none.
    keep = torch.sigmoid(-beta_logits if lambda_logits is None else lambda_logits)
    return keep, (keep * beta if mode == "lambda_outside" else beta), beta
