"""What the command line's tests share: a tiny model on disk, an SQLite store with agents, and ways to run `dmem`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from typer.testing import CliRunner

from dmem_agents.cli.app import app
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.adapter import save_adapter
from dmem_agents.model.attach import attach
from dmem_agents.state.codec import AgentRecord, encode_record
from dmem_agents.state.memory_state import MemoryState, StateLayout
from dmem_agents.store.sqlite import SQLiteStateStore
from dmem_agents.testing.tiny_model import save_tiny_model, tiny_model

Run = Callable[..., Any]

_LAYOUT = StateLayout(layers=("model.layers.0.self_attn", "model.layers.5.self_attn"), heads=3, rank=4)


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DMEM_STORE", "DMEM_MODEL", "DMEM_ADAPTER", "DMEM_AGENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dmem() -> Run:
    """Run `dmem` in this process."""
    runner = CliRunner()

    def run(*arguments: object, **options: object) -> Any:
        return runner.invoke(app, [str(a) for a in arguments], **options)

    return run


@pytest.fixture
def dmem_process() -> Callable[..., subprocess.Popen[str]]:
    """Start a real `dmem` process."""

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dmem_agents.cli", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            # A shell gives what it runs in the background a deaf ear for Ctrl-C, and children inherit it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


class FilledStore(NamedTuple):
    """A store on disk."""

    url: str
    path: Path

    def versions(self) -> dict[str, int]:
        with SQLiteStateStore(self.path) as store:
            return {name: store.load(name).version for name in store.list_agents()}  # type: ignore[union-attr]


def made_state(fill: float) -> MemoryState:
    """A state of 2 layers × 3 heads of 4×4 whose numbers are `fill`."""
    return MemoryState(layout=_LAYOUT, values=torch.full(_LAYOUT.shape, fill))


@pytest.fixture
def filled(tmp_path: Path) -> FilledStore:
    """Agents `alice` (version 2, 3 turns) and `bob [red]` (version 1)."""
    path = tmp_path / "agents.db"
    with SQLiteStateStore(path) as store:
        record = AgentRecord(
            fingerprint="f00d" * 16, base=made_state(0.5), head=made_state(1.0), absorbed=6, turns=3, updated_at=1e9
        )
        first = store.commit("alice", encode_record(record), expected=None)
        store.commit("alice", encode_record(record), expected=first)
        store.commit("bob [red]", encode_record(record), expected=None)
    return FilledStore(url=f"sqlite:///{path}", path=path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`--model` and `--adapter` of a tiny model whose memory shows in its answers."""
    folder = tmp_path_factory.mktemp("tiny")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = DeltaMemConfig(rank=4, num_state_heads=2, output_init="random", online_gain=3.0)
        save_adapter(attach(tiny_model(), config, backbone_id="tiny"), folder / "adapter")
    save_tiny_model(folder / "model")
    return ["--model", str(folder / "model"), "--adapter", str(folder / "adapter")]
