"""LangChain's standard suites on a model of your choice: which cases pass, fail and are expected to fail.

    python -m benchmarks.langchain_suites MODEL [ADAPTER]     writes results/langchain_suites.json

MODEL is a folder that `from_pretrained` opens, or a GGUF file. Without an ADAPTER it gets an untrained one, whose
memory corrects nothing: the suites are about how a model is asked, not about what it remembers. The cases are those of
`tests/integrations/langchain/test_standard.py`, where only the embedded model's failures are expected ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.run import RESULTS, circumstances
from dmem_agents import DeltaMemConfig, attach, save_adapter
from dmem_agents.model.gguf_conversion import convert_gguf
from dmem_agents.model.loading import load_backbone

ROOT = Path(__file__).parents[1]
SUITES = "tests/integrations/langchain/test_standard.py"
CASE_SECONDS = 900


def opened(model: Path, into: Path) -> Path:
    """The model as a folder."""
    if model.suffix != ".gguf":
        return model
    folder = into / model.stem
    folder.mkdir()
    convert_gguf(model, folder)
    return folder


def untrained_adapter(model: Path, into: Path) -> Path:
    """Rank 8 in every layer, as it is before training."""
    backbone, _ = load_backbone(model, dtype="float32")
    save_adapter(attach(backbone, DeltaMemConfig()), into / "adapter")
    return into / "adapter"


def outcomes(report: Path) -> dict[str, dict[str, str]]:
    """Cases by outcome, each with its reason."""
    found: dict[str, dict[str, str]] = {"passed": {}, "failed": {}, "xfailed": {}, "skipped": {}}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            child = kinds.get("failure", kinds.get("error"))
            outcome = "failed"
        else:
            child = kinds.get("skipped")
            outcome = "passed" if child is None else "xfailed" if child.get("type") == "pytest.xfail" else "skipped"
        found[outcome][name] = "" if child is None else (child.get("message") or "").partition("\n")[0]
    return found


def run(model: Path, adapter: Path, report: Path) -> None:
    """The suites as pytest runs them, on this model."""
    own = {"DMEM_SUITES_MODEL": str(model.absolute()), "DMEM_SUITES_ADAPTER": str(adapter.absolute())}
    options = ["-v", "-n0", "-p", "no:cacheprovider", f"--timeout={CASE_SECONDS}", f"--junit-xml={report}"]
    subprocess.run([sys.executable, "-m", "pytest", SUITES, *options], cwd=ROOT, env={**os.environ, **own}, check=False)


def main() -> None:
    """Run the suites, and write the file."""
    given = [Path(argument) for argument in sys.argv[1:]]
    if len(given) not in (1, 2):
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        folder = opened(given[0], Path(temporary))
        adapter = given[1] if len(given) == 2 else untrained_adapter(folder, Path(temporary))
        report, started = Path(temporary) / "report.xml", time.monotonic()
        run(folder, adapter, report)
        cases: dict[str, Any] = outcomes(report)
    result = {
        "circumstances": circumstances(),
        "model": given[0].name,
        "adapter": given[1].name if len(given) == 2 else "untrained",
        "seconds": round(time.monotonic() - started),
        "counts": {outcome: len(names) for outcome, names in cases.items()},
        **{outcome: cases[outcome] for outcome in ("failed", "xfailed", "skipped")},
        "passed": sorted(cases["passed"]),
    }
    (RESULTS / "langchain_suites.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["counts"]))


if __name__ == "__main__":
    main()
