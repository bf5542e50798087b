"""Cases of single forward calls: the scan, prefill, decoding and a training step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional as F

from benchmarks.models import SHAPES, in_training, plain, some_ids, some_state, with_memory
from benchmarks.registry import REPEATS, Result, Row, alternating, case
from dmem_agents.delta_rule import scan
from dmem_agents.layers import memory as layer_memory

Work = Callable[[], object]
_TRAINED_LAYERS = 4


@case("scan")
def scan_case(quick: bool) -> Result:
    """The compiled scan against a loop over tokens, T = 4,096, rank 8, one row and head."""
    tokens = 1024 if quick else 4096
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, tokens, 1, 8, generator=generator) / 8**0.5 for _ in range(3))
    gate = torch.rand(1, tokens, 1, 8, generator=generator)
    given = {"q": q, "k": k, "v": v, "keep": gate, "erase": 1 - gate, "write": 1 - gate}
    with torch.inference_mode():
        times = alternating(
            {
                name: partial(scan, **given, state=torch.zeros(1, 1, 8, 8), implementation=name)
                for name in ("naive", "chunked", "auto")
            }
        )
    value = times["naive"]["median"] / times["auto"]["median"]
    what = f"scan of {tokens:,} tokens, rank 8, one row: how many times faster than a loop over tokens in torch"
    return Result(rows=[Row(what=what, value=value, target=100, at="least", details=times)])


@case("prefill")
def prefill_case(quick: bool) -> Result:
    """Prefill of 512 and 2,048 tokens against the plain model."""
    rows = []
    for tokens in (512,) if quick else (512, 2048):
        ids, last = some_ids(tokens), torch.tensor([tokens - 1])
        sides: dict[str, Work] = {"plain": partial(plain(), ids, use_cache=True, logits_to_keep=last)}
        for shape in ("tsw1", "tsw4", "shipped"):
            model = with_memory(shape)
            sides[shape] = partial(model, ids, state=some_state(model), use_cache=True, logits_to_keep=last)
        with torch.inference_mode():
            times = alternating(sides, repeats=3 if quick else REPEATS)
        rows += _against_plain(times, f"prefill of {tokens:,} tokens", {"tsw1": 1.05, "tsw4": 1.10, "shipped": 1.10})
    return Result(rows=rows)


@case("decode")
def decode_case(quick: bool) -> Result:
    """Decoding at 512 cached tokens against the plain model; SSW within message 400."""
    repeats, steps = (5, 6) if quick else (31, 8)
    with torch.inference_mode():
        cache = plain()(some_ids(512), use_cache=True, logits_to_keep=torch.tensor([0])).past_key_values
        sides: dict[str, Work] = {"plain": partial(_decode_plain, cache, steps)}
        for shape in SHAPES:
            sides[shape] = partial(_decode_with_memory, shape, cache, steps)
        times = alternating(sides, repeats=repeats)
    targets = {"tsw1": 1.05, "tsw4": 1.08, "shipped": 1.08, "ssw": 1.08}
    return Result(rows=_against_plain(times, f"decoding {steps} tokens after 512", targets))


def _decode_plain(cache: Any, steps: int) -> None:
    token, last = torch.tensor([[42]]), torch.tensor([0])
    for _ in range(steps):
        plain()(token, past_key_values=cache, use_cache=True, logits_to_keep=last)
    cache.crop(-steps)


def _decode_with_memory(shape: str, cache: Any, steps: int) -> None:
    token, last, model = torch.tensor([[42]]), torch.tensor([0]), with_memory(shape)
    ids = {"message_ids": torch.tensor([[400]])} if shape == "ssw" else {}
    state = some_state(model)
    for _ in range(steps):
        state = model(token, state=state, cache=cache, logits_to_keep=last, **ids).state
    cache.crop(-steps)


def _against_plain(times: dict[str, dict[str, float]], what: str, targets: dict[str, float]) -> list[Row]:
    base = times["plain"]["median"]
    return [
        Row(
            what=f"{what}, {SHAPES[shape]}{' at message 400' if shape == 'ssw' else ''}: time over the plain model's",
            value=times[shape]["median"] / base,
            target=target,
            details={"plain": times["plain"], "with memory": times[shape]},
        )
        for shape, target in targets.items()
    ]


@case("training", in_quick=False)
def training_case(quick: bool) -> Result:
    """A training step (write 512 tokens, read 128, batch 8) with our scan against a loop over tokens.

    With the first layers only: eight rows through all 30 take half a minute. Each layer adds the same to both sides.
    """
    written, read = some_ids(512, batch=8), some_ids(128, batch=8)
    sides: dict[str, Work] = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        model = in_training(_TRAINED_LAYERS, dtype)
        for implementation in ("auto", "naive"):
            sides[f"{name}, {implementation}"] = partial(_training_step, model, written, read, implementation)
    as_in_recipe = in_training(_TRAINED_LAYERS, torch.bfloat16, compiled=True)
    sides["as in the recipe"] = partial(_training_step, as_in_recipe, written, read, "auto")
    times = alternating(sides)
    scans = alternating({name: partial(_scan_and_back, name) for name in ("auto", "naive")})
    step = f"training step, write 512 + read 128, batch 8 ({_TRAINED_LAYERS} layers)"

    def row(what: str, slow: dict[str, float], fast: dict[str, float], target: float | None = None) -> Row:
        details = {"loop": slow, "ours": fast}
        return Row(what=what, value=slow["median"] / fast["median"], target=target, at="least", details=details)

    return Result(
        rows=[
            row(
                f"{step}, float32: how many times faster than with a loop over tokens",
                times["float32, naive"], times["float32, auto"], 5,
            ),
            row(
                f"{step}, bfloat16: how many times faster than with a loop over tokens",
                times["bfloat16, naive"], times["bfloat16, auto"],
            ),
            row(
                f"{step}, as our recipe trains (bfloat16, compiled): how many times faster than float32 with a loop",
                times["float32, naive"], times["as in the recipe"],
            ),
            row(
                "the scan of one layer in it, forward and backward: how many times faster than the loop",
                scans["naive"], scans["auto"], 5,
            ),
        ]
    )  # fmt: skip


def _training_step(model: Any, written: torch.Tensor, read: torch.Tensor, implementation: Any) -> None:
    """As `train.objectives` does it: the state of the written text, then the loss of reading under it."""
    none = torch.empty(0, dtype=torch.long)
    with patch.object(layer_memory, "scan", partial(scan, implementation=implementation)):
        state = model(written, logits_to_keep=none).state
        logits = model(read, state=state, write=False).logits
        F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), read[:, 1:].flatten()).backward()
    model.zero_grad()


def _scan_and_back(implementation: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(8, 512, 1, 8, generator=generator).div(8**0.5).requires_grad_() for _ in range(3))
    gate = torch.rand(8, 512, 1, 8, generator=generator).requires_grad_()
    reads, after = scan(
        q=q, k=k, v=v, keep=gate, erase=gate, write=gate, state=torch.zeros(8, 1, 8, 8), implementation=implementation
    )
    (reads.sum() + after.sum()).backward()
