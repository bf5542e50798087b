"""Every form of attention mask as one boolean `[B, T]`: which tokens of this call are real."""

from __future__ import annotations

import torch
from torch import Tensor

from dmem_agents.errors import ConfigError


def as_additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask (True = attend) as what is added to attention scores: 0, or the dtype's lowest number."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


def valid_tokens(mask: Tensor | None, *, batch: int, tokens: int, past: int) -> Tensor | None:
    """Which of this call's tokens are not padding.

    Args:
        mask: None (all valid); 2-D `[B, past + T or more]`, nonzero = valid; 4-D boolean `[B, 1, T, S]`, True = attend;
            4-D additive float `[B, 1, T, S]`, 0 = attend. In 4-D a token is valid iff it attends to itself.
        batch: B.
        tokens: T, of this call.
        past: tokens already in the KV cache, so that a static cache's empty columns are not mistaken for ours.

    Returns:
        `[B, T]` bool, or None when all are valid.

    Raises:
        ConfigError: another number of dimensions, or a mask too small for past + T.
    """
    if mask is None:
        return None
    ours = slice(past, past + tokens)
    if mask.dim() == 2 and mask.shape[0] == batch and mask.shape[1] >= past + tokens:
        return mask[:, ours] != 0
    readable = mask.dtype == torch.bool or mask.is_floating_point()
    if (
        mask.dim() == 4
        and readable
        and mask.shape[0] in (1, batch)
        and mask.shape[2] == tokens
        and mask.shape[3] >= past + tokens
    ):
        own = mask[:, 0, :, ours].diagonal(dim1=-2, dim2=-1)
        return (own if mask.dtype == torch.bool else own == 0).expand(batch, tokens)
    raise ConfigError(
        f"Expected an attention mask [{batch}, ≥{past + tokens}] or [{batch}, 1, {tokens}, ≥{past + tokens}] "
        f"for {tokens} tokens after {past} cached ones, the latter boolean or floating point; "
        f"got {mask.dtype} of shape {list(mask.shape)}. Pass a mask over all tokens so far."
    )
