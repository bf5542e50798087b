"""The public names, the version, and what the wheel carries."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

import dmem_agents

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names_for_type_checkers() -> dict[str, str]:
    tree = ast.parse((ROOT / "dmem_agents" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        str(alias.asname): str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_exactly_the_names_that_resolve_at_run_time() -> None:
    assert dmem_agents._LAZY == names_for_type_checkers()


@pytest.mark.parametrize("name", sorted(dmem_agents._LAZY))
def test_each_public_name_resolves_to_the_object_its_module_defines(name: str) -> None:
    found = getattr(dmem_agents, name)
    assert found is getattr(sys.modules[dmem_agents._LAZY[name]], name)
    assert name in dir(dmem_agents)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = dmem_agents.no_such_name


def test_the_source_archive_has_every_folder_that_the_tests_read() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    ours = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".") and any(p.rglob("*.py"))}
    ours -= {"build", "dist", "runs"}
    assert ours | {"docs", "recipes"} <= {name.lstrip("/") for name in build["targets"]["sdist"]["include"]}
    assert "exclude" not in build["targets"]["sdist"]


def test_every_error_is_public() -> None:
    from dmem_agents import errors

    own = [value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__]
    assert {value.__name__ for value in own} <= set(vars(dmem_agents))
    assert all(issubclass(value, dmem_agents.DmemError) for value in own)


@pytest.mark.parametrize("name", ["open_store", "agent", "Message"])
def test_names_that_need_no_model_load_no_torch(name: str) -> None:
    code = f"import sys, dmem_agents; dmem_agents.{name}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_the_changelog_has_an_entry_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[({re.escape(dmem_agents.__version__)}|Unreleased)\]", changelog, re.MULTILINE)


def declared_dependencies() -> list[str]:
    return [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]


def project_name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def test_the_constraints_pin_every_declared_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {project_name(line) for line in lines if "==" in line and not line.startswith("#")}
    assert {project_name(text) for text in declared_dependencies()} - {"dmem-agents"} <= pins


def test_the_embedded_package_is_no_declared_dependency_because_it_would_compile_llama_cpp() -> None:
    assert [text for text in declared_dependencies() if "smollm2" in text or "llama-cpp" in text] == []


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_the_three_packages_typed_and_nothing_else(unpacked_wheel: Path) -> None:
    top = {path.name for path in unpacked_wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"dmem_agents", "langchain_dmem", "llama_index"}
    # A file in the parents would hide LlamaIndex's own packages of that name.
    assert [path.name for path in (unpacked_wheel / "llama_index").iterdir()] == ["llms"]
    assert [path.name for path in (unpacked_wheel / "llama_index" / "llms").iterdir()] == ["dmem"]
    for package in ("dmem_agents", "langchain_dmem", "llama_index/llms/dmem"):
        assert (unpacked_wheel / package / "py.typed").is_file()
    assert not list(unpacked_wheel.rglob("*probe*"))


def test_all_three_packages_import_from_the_wheel_beside_llama_index(unpacked_wheel: Path, tmp_path: Path) -> None:
    code = """if True:
        import dmem_agents, langchain_dmem, llama_index.core, llama_index.llms.dmem
        for module in (dmem_agents, langchain_dmem, llama_index.llms.dmem):
            print(module.__file__)
        print(langchain_dmem.DeltaMemLLM.__name__, llama_index.llms.dmem.DeltaMemLLM.__name__)
    """
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(unpacked_wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    *files, names = result.stdout.splitlines()
    assert all(Path(file).is_relative_to(unpacked_wheel) for file in files)
    assert names == "DeltaMemLLM DeltaMemLLM"
