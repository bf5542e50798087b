"""The wheel in a fresh environment beside LlamaIndex and other LLM packages for it: who touches whose files.

    python -m benchmarks.neighbours [FOLDER]     writes results/neighbours.json; needs a package index

Installs the neighbours, then our wheel, imports all of them in one process, uninstalls our wheel and looks again; then
the same with one neighbour uninstalled while ours stays. FOLDER is where the environment is made (default: temporary).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.run import RESULTS, circumstances

ROOT = Path(__file__).parents[1]
NEIGHBOURS = {"llama-index-llms-ollama": "ollama", "llama-index-llms-openai": "openai"}
OURS = "dmem"


class Environment:
    """A fresh virtual environment."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        (self.packages,) = folder.glob("lib/python*/site-packages")

    def pip(self, *arguments: str) -> None:
        """Run pip."""
        subprocess.run([str(self.python), "-m", "pip", "-q", *arguments], check=True)

    def files(self) -> dict[str, str]:
        """Every file of the `llama_index` packages that is not ours, with its hash."""
        found = (path for path in (self.packages / "llama_index").rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.packages)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in found
            if path.suffix != ".pyc" and f"llms/{OURS}/" not in path.as_posix()
        }

    def imports(self, *names: str) -> bool:
        """Whether these LLM packages import in one process, the core among them."""
        code = "; ".join(["import llama_index.core", *(f"import llama_index.llms.{name}" for name in names)])
        return subprocess.run([str(self.python), "-c", code], cwd=self.packages, check=False).returncode == 0

    def has_ours(self) -> bool:
        """Whether anything of ours is there."""
        return any((self.packages / place).exists() for place in (f"llama_index/llms/{OURS}", "dmem_agents"))

    def versions(self) -> dict[str, str]:
        """What is installed of LlamaIndex."""
        listed = [str(self.python), "-m", "pip", "list", "--format=json"]
        found = json.loads(subprocess.run(listed, capture_output=True, check=True).stdout)
        return {p["name"]: p["version"] for p in found if p["name"].startswith("llama")}


def wheel(folder: Path) -> str:
    """Ours, built from this checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return str(built)


def observed(folder: Path) -> dict[str, Any]:
    """The whole story, as facts."""
    environment, built = Environment(folder / "venv"), wheel(folder)
    pinned = ("-c", str(ROOT / "constraints.txt"))
    environment.pip("install", "torch==2.13.0")
    environment.pip("install", *pinned, "llama-index-core", *NEIGHBOURS)
    before, others = environment.files(), list(NEIGHBOURS.values())
    environment.pip("install", *pinned, f"{built}[llama-index]")
    facts: dict[str, Any] = {"versions": environment.versions(), "files_of_others": len(before)}
    facts["unchanged_by_our_install"] = environment.files() == before
    facts["all_import_together"] = environment.imports(OURS, *others)
    environment.pip("uninstall", "-y", "dmem-agents")
    facts["unchanged_by_our_uninstall"] = environment.files() == before
    facts["nothing_of_ours_is_left"] = not environment.has_ours()
    facts["others_import_without_us"] = environment.imports(*others)
    environment.pip("install", *pinned, f"{built}[llama-index]")
    environment.pip("uninstall", "-y", *NEIGHBOURS)
    facts["we_import_without_others"] = environment.imports(OURS)
    return facts


def main() -> None:
    """Observe, write the file, and fail if anything was touched."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        facts = observed(Path(folder))
    result = {"circumstances": circumstances(), **facts}
    (RESULTS / "neighbours.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    if not all(fact for fact in facts.values() if isinstance(fact, bool)):
        raise SystemExit("Somebody's files were touched.")


if __name__ == "__main__":
    main()
