"""Times the scan, opening the embedded model, and a forward call with and without memory; writes one JSON file.

Every published number names such a file. Times are seconds: the median of the repeats, with their extremes.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dmem_agents import DeltaMemConfig, attach
from dmem_agents.delta_rule import scan
from dmem_agents.model.embedded import embedded_model_folder

RESULTS = Path(__file__).parent / "results"
REPEATS = 7
PACKAGES = ("dmem-agents", "torch", "transformers", "numpy")


def measured(work: Callable[[], object], *, repeats: int = REPEATS) -> dict[str, float]:
    """Median, minimum and maximum of the seconds that `work` takes, after one call to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds), "repeats": repeats}


def scan_times() -> dict[str, Any]:
    """The naive loop against the chunked form: B = 4, H = 4, r = 8."""
    times = {}
    for tokens in (1, 64, 512):
        generator = torch.Generator().manual_seed(0)
        q, k, v = (torch.randn(4, tokens, 4, 8, generator=generator) / 8**0.5 for _ in range(3))
        gate = torch.rand(4, tokens, 4, 8, generator=generator)
        state = torch.zeros(4, 4, 8, 8)
        gates = {"keep": gate, "erase": 1 - gate, "write": 1 - gate}
        for name in ("naive", "chunked"):
            work = partial(scan, q=q, k=k, v=v, **gates, state=state, implementation=name)
            times[f"{name}_T{tokens}"] = measured(work)
    return times


def opening_times() -> dict[str, Any]:
    """Opening the embedded model, converted already."""
    folder = embedded_model_folder()
    return {
        "find_and_identify": measured(embedded_model_folder),
        "weights": measured(lambda: AutoModelForCausalLM.from_pretrained(folder)),
        "tokenizer": measured(lambda: AutoTokenizer.from_pretrained(folder)),
    }


@torch.inference_mode()
def forward_times() -> dict[str, Any]:
    """The embedded model's forward call on 128 tokens, plain and with a fresh rank-8 memory in each layer."""
    backbone = AutoModelForCausalLM.from_pretrained(embedded_model_folder())
    ids = torch.arange(100, 228).reshape(1, 128)
    times = {"plain": measured(lambda: backbone(ids, use_cache=False))}
    model = attach(backbone, DeltaMemConfig(rank=8, delta_heads=("q", "o")))
    times["memory_write"] = measured(lambda: model(ids))
    times["memory_read"] = measured(lambda: model(ids, write=False))
    return times


def circumstances() -> dict[str, Any]:
    """What the numbers depend on: commit, hardware, versions."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "commit": git.stdout.strip() or "unknown",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    """Measure everything and write `results/<date>-<commit>.json`."""
    result = {
        "circumstances": circumstances(),
        "scan_seconds": scan_times(),
        "opening_seconds": opening_times(),
        "forward_128_tokens_seconds": forward_times(),
    }
    RESULTS.mkdir(exist_ok=True)
    facts = result["circumstances"]
    path = RESULTS / f"{facts['date'][:10]}-{facts['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
