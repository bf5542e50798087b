"""The one entry to the recurrence: checks what comes in and picks an implementation, visibly."""

from __future__ import annotations

import functools
import importlib.util
import logging
from typing import Any, Literal

import torch
from torch import Tensor

from dmem_agents.delta_rule.chunked import chunked_scan
from dmem_agents.delta_rule.cpu import MAX_RANK, compiled_scan, is_available
from dmem_agents.delta_rule.naive import naive_scan
from dmem_agents.errors import ConfigError

Implementation = Literal["auto", "naive", "chunked", "compiled", "triton"]
_NAIVE_UP_TO_TOKENS = 2
"""Below this many tokens the loop is quicker than setting up a chunk."""


def scan(
    *,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    write_mask: Tensor | None = None,
    implementation: Implementation = "auto",
) -> tuple[Tensor, Tensor]:
    """Run the delta rule over T tokens (read before write; `delta-mem.md` §1.3, arXiv 2605.12357).

    Args:
        q: `[B, T, H, r]` read keys, float32 (or float64 throughout).
        k: `[B, T, H, r]` write keys, norm ≤ 1 when normalised.
        v: `[B, T, H, r]` values.
        keep: `[B, T, H, r]` or `[B, T, H, 1]` gates in [0, 1].
        erase: shape of `keep`.
        write: shape of `keep`.
        state: `[B, H, r, r]` state before the first token.
        write_mask: `[B, T]` bool; False tokens read but leave no trace. None writes all.
        implementation: `"auto"` takes the compiled loop on a CPU if Numba is installed, Triton on a GPU if that is
            installed, else the loop for up to 2 tokens and chunks for more.

    Returns:
        reads `[B, T, H, r]` and the state after the last token `[B, H, r, r]`.

    Raises:
        ConfigError: a shape or dtype differs from the above, or the implementation is unknown.
    """
    _check(q, k, v, keep, erase, write, state, write_mask)
    if implementation == "auto":
        implementation = _fastest(q)
    if implementation not in _IMPLEMENTATIONS:
        raise ConfigError(f"Expected implementation 'auto' or one of {list(_IMPLEMENTATIONS)}, got {implementation!r}.")
    if implementation == "compiled" and q.device.type != "cpu":
        raise ConfigError(f"Expected tensors on the CPU for implementation 'compiled', got them on {q.device}.")
    run = _IMPLEMENTATIONS[implementation]
    return run(q=q, k=k, v=v, keep=keep, erase=erase, write=write, state=state, write_mask=write_mask)


def _triton_scan(**inputs: Any) -> tuple[Tensor, Tensor]:
    """The GPU's scan; Triton is imported here, at its first use."""
    try:
        from dmem_agents.delta_rule.triton_scan import runs_on, triton_scan
    except ImportError as error:
        raise ConfigError(
            "Expected Triton for implementation 'triton', found none. On Linux: pip install 'dmem-agents[gpu]'"
        ) from error
    device = inputs["q"].device
    if not runs_on(device):
        raise ConfigError(f"Expected tensors on a GPU for implementation 'triton', got them on {device}.")
    return triton_scan(**inputs)


_IMPLEMENTATIONS = {"naive": naive_scan, "chunked": chunked_scan, "compiled": compiled_scan, "triton": _triton_scan}


def _fastest(q: Tensor) -> Implementation:
    if q.shape[-1] <= MAX_RANK:
        if q.device.type == "cpu" and _has("compiled"):
            return "compiled"
        if q.device.type == "cuda" and _has("triton"):
            return "triton"
    return "naive" if q.shape[1] <= _NAIVE_UP_TO_TOKENS else "chunked"


@functools.cache
def _has(implementation: Literal["compiled", "triton"]) -> bool:
    """Whether this fast scan can run; says once what is missing."""
    if implementation == "compiled":
        found, package, extra = is_available(), "Numba", "cpu"
    else:
        found, package, extra = importlib.util.find_spec("triton") is not None, "Triton", "gpu"
    if not found:
        logging.getLogger(__name__).info(
            "%s is not installed: the slower chunked scan serves. For the faster one: pip install 'dmem-agents[%s]'",
            package,
            extra,
        )
    return found


def _check(
    q: Tensor, k: Tensor, v: Tensor, keep: Tensor, erase: Tensor, write: Tensor, state: Tensor, mask: Tensor | None
) -> None:
    """Raise `ConfigError` unless all shapes and dtypes belong together."""
    if q.dim() != 4:
        raise ConfigError(f"Expected q of shape [B, T, H, r], got {list(q.shape)}.")
    batch, tokens, heads, rank = q.shape
    gate = (batch, tokens, heads, rank if keep.shape[-1] == rank else 1)
    expected: dict[str, tuple[Tensor, tuple[int, ...]]] = {
        "k": (k, (batch, tokens, heads, rank)),
        "v": (v, (batch, tokens, heads, rank)),
        "keep": (keep, gate),
        "erase": (erase, gate),
        "write": (write, gate),
        "state": (state, (batch, heads, rank, rank)),
    }
    if q.dtype not in (torch.float32, torch.float64):
        raise ConfigError(f"Expected float32 (or float64) q, got {q.dtype}: gates and state lose slow decay below it.")
    for name, (tensor, shape) in expected.items():
        if tuple(tensor.shape) != shape or tensor.dtype != q.dtype:
            raise ConfigError(
                f"Expected {name} as {q.dtype} of shape {list(shape)} beside q {list(q.shape)}, "
                f"got {tensor.dtype} of shape {list(tensor.shape)}."
            )
    if mask is not None and (tuple(mask.shape) != (batch, tokens) or mask.dtype != torch.bool):
        raise ConfigError(
            f"Expected write_mask as torch.bool of shape {[batch, tokens]}, "
            f"got {mask.dtype} of shape {list(mask.shape)}."
        )
