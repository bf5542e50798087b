"""Cases that need processes of their own: importing and opening, and peak memory over the context's length."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.registry import REPEATS, Result, Row, case, summary

ROOT = Path(__file__).parents[1]
_TIMED = "import time; started = time.perf_counter(); {work}; print(time.perf_counter() - started)"
_LAYERS = 30
_GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Lets glibc return what is freed: what it would keep differs from run to run by 3 % of the peak, with or without a
memory attached."""


@case("loading")
def loading_case(quick: bool) -> Result:
    """Importing, opening the embedded model and constructing the chat models, each in a fresh process."""
    repeats = 3 if quick else REPEATS
    llm = "llm = DeltaMemLLM(store='memory://')"
    sides = {
        "import dmem_agents": ("", "import dmem_agents", 300),
        "DeltaMemLLM() of LangChain, imported": ("from langchain_dmem import DeltaMemLLM", llm, 10),
        "DeltaMemLLM() of LlamaIndex, imported": ("from llama_index.llms.dmem import DeltaMemLLM", llm, 10),
        "the embedded model and its adapter, libraries imported": (
            "import dmem_agents.model.loading, transformers.models.llama.modeling_llama as _; "
            "from dmem_agents import load_model",
            "load_model()",
            2000,
        ),
        "the embedded model and its adapter from a new interpreter, torch and transformers imported in it": (
            "",
            "from dmem_agents import load_model; load_model()",
            None,
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(repeats + 1):
        for name, (before, work, _) in sides.items():
            taken = float(_fresh(f"{before}\n{_TIMED.format(work=work)}").split()[-1])
            if round_number:  # the first one brings files into the system's cache
                seconds[name].append(taken)
    return Result(
        rows=[
            Row(what=name, value=1000 * summary(seconds[name])["median"], target=target, unit="ms",
                details=summary(seconds[name]))
            for name, (_, _, target) in sides.items()
        ]
    )  # fmt: skip


@case("memory", in_quick=False)
def memory_case(quick: bool) -> Result:
    """Peak memory of a prompt's prefill over the plain model's, 2k to 32k tokens, 4 state heads.

    Beyond 2k with the first layers only, fewer the longer: attention on a CPU would take most of an hour. What a memory
    takes during a prompt belongs to one layer at a time, so that this can only look worse than the whole model.
    """
    rows, series = [], []
    for tokens, layers in ((2048, _LAYERS), (8192, 8), (16384, 4), (32768, 2)):
        plain, memory = (_peak(kind, tokens, layers) for kind in ("plain", "memory"))
        fixed = memory["start"] - plain["start"]  # the adapter, its packed copy, and Numba's compiler
        more = memory["peak"] - plain["peak"] - fixed
        series.append({"tokens": tokens, "layers": layers, "plain": plain, "memory": memory})
        rows.append(
            Row(
                what=f"peak memory of a prompt of {tokens:,} tokens ({layers} layers) over the plain model's, "
                "beyond what adapter and compiler take before it",
                value=100 * more / plain["peak"],
                target=1,
                unit="%",
                details={"plain_peak_mb": plain["peak"] / 2**20, "memory_peak_mb": memory["peak"] / 2**20,
                         "fixed_mb": fixed / 2**20, "adapter_mb": memory["adapter"] / 2**20},
            )
        )  # fmt: skip
    before = [(point["memory"]["start"] - point["plain"]["start"]) / 2**20 for point in series]
    rows.append(
        Row(
            what="resident before any prompt beyond the plain model's: adapter, its packed copy, Numba's compiler; "
            "once a process, however many agents it serves",
            value=statistics.median(before),
            unit="MB",
            details={"mb": before},
        )
    )
    return Result(rows=rows, series={"memory": series})


def _fresh(code: str, **variables: str) -> str:
    environment = os.environ | {"HF_HUB_OFFLINE": "1"} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return done.stdout


def _peak(kind: str, tokens: int, layers: int) -> dict[str, Any]:
    work = f"from benchmarks.processes import peak_of; peak_of({kind!r}, {tokens}, {layers})"
    found: dict[str, Any] = json.loads(_fresh(work, **_GIVES_BACK).splitlines()[-1])
    return found


def peak_of(kind: str, tokens: int, layers: int) -> None:
    """In a fresh process: print resident bytes before the prompt and their peak during it."""
    import torch

    from benchmarks.models import plain, some_ids, some_state
    from dmem_agents import DeltaMemConfig, attach

    backbone = plain()
    backbone.model.layers = backbone.model.layers[:layers]
    backbone.config.num_hidden_layers = layers
    last, adapter = torch.tensor([0]), 0
    work: Callable[[torch.Tensor], object] = partial(backbone, use_cache=True, logits_to_keep=last)
    if kind == "memory":
        config = DeltaMemConfig(num_state_heads=4, delta_heads=("q", "o"), output_init="base_slice")
        model = attach(backbone, config).eval().requires_grad_(False)
        adapter = sum(p.nbytes for p in model.adapter_parameters().values())
        work = partial(model, state=some_state(model), use_cache=True, logits_to_keep=last)
    with torch.inference_mode():
        for tokens_to_warm_up in (2, 100):
            work(some_ids(tokens_to_warm_up))
        start = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        work(some_ids(tokens))
    print(json.dumps({"start": start, "peak": _resident("VmHWM"), "adapter": adapter}))


def _resident(what: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024
