"""The README's Python blocks run as they stand, on the tiny model and a store in memory."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest

import langchain_dmem
from dmem_agents import LoadedModel, MemorySession, SessionConfig
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import attach
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from llama_index.llms import dmem as llama_index_dmem

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "langchain.md"]
BLOCKS = [
    block for page in PAGES for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


# LlamaIndex's default chat memory leaves an aiosqlite connection open; what is left is collected inside the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.splitlines()[0][:40])
def test_a_block_of_the_readme_runs(block, monkeypatch, capsys):
    loaded = LoadedModel(model=attach(tiny_model(), DeltaMemConfig(rank=4)).eval(), tokenizer=tiny_tokenizer())
    session = MemorySession(SessionConfig(store="memory://"), loaded=loaded)
    for module in (langchain_dmem, llama_index_dmem):
        real = module.DeltaMemLLM

        def on_the_tiny_model(store: str, real: type = real) -> object:
            return real(session=session, max_tokens=4)

        monkeypatch.setattr(module, "DeltaMemLLM", on_the_tiny_model)
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    assert session.info("alice").turns >= 1
    session.close()
    gc.collect()


def test_every_folder_and_file_of_the_map_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    for row in rows:
        folder = ""
        for name in re.findall(r"`([^`]+)`", row):
            candidates = [ROOT / name, ROOT / "dmem_agents" / name]
            assert any(p.exists() for p in candidates), f"{folder}{name}"
    listed = " ".join(rows)
    for path in (ROOT / "dmem_agents").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert path.name in listed, f"{path.name} is not on the map"
