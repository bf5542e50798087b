"""Runs the speed cases, writes `results/speed.json`, and draws table and plots from it.

    python -m benchmarks.run [CASE ...]     all cases, or these; the others' results stay as they are
    python -m benchmarks.run --quick        fewer repeats and smaller sizes; prints, writes nothing

Every published number names such a file. Times are seconds: the median of the repeats, with their extremes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.registry import CASES, Result

RESULTS = Path(__file__).parent / "results"
SPEED = RESULTS / "speed.json"
MODULES = ("forward", "agents", "processes")
PACKAGES = ("dmem-agents", "torch", "transformers", "numpy", "numba")


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


def as_json(result: Result) -> dict[str, Any]:
    """A result and the circumstances it was measured in."""
    rows = [dataclasses.asdict(row) | {"holds": row.holds} for row in result.rows]
    return {"circumstances": circumstances(), "rows": rows, "series": dict(result.series)}


def main() -> None:
    """Measure, and write after each case, so that an interrupted run keeps what it has."""
    for module in MODULES:
        import_module(f"benchmarks.{module}")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="which; all by default")
    parser.add_argument("--quick", action="store_true", help="for a look: prints, writes nothing")
    asked = parser.parse_args()
    names = asked.case or [name for name, known in CASES.items() if known.in_quick or not asked.quick]
    for name in names:
        print(f"\n{name}: {CASES[name].about}", flush=True)
        result = CASES[name].run(asked.quick)
        for row in result.rows:
            target = "" if row.target is None else f"   (target: at {row.at} {row.target:g})"
            print(f"  {row.value:10.3f} {row.unit:3s} {row.what}{target}", flush=True)
        if not asked.quick:
            RESULTS.mkdir(exist_ok=True)
            results = json.loads(SPEED.read_text(encoding="utf-8")) if SPEED.exists() else {}
            results[name] = as_json(result)
            SPEED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if not asked.quick:
        from benchmarks.report import write_report

        write_report()
        print(f"\nwritten to {SPEED}, docs/benchmarks.md and the plots beside it", file=sys.stderr)


if __name__ == "__main__":
    main()
