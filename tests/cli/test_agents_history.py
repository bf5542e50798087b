from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmem_agents.store import open_store
from dmem_agents.store.protection import KeyRing

Run = Callable[..., Any]


def test_snapshots_are_listed_compared_and_restored(dmem: Run, filled: Any) -> None:
    keeping = f"{filled.url}?snapshots=5"
    assert "No earlier versions" in dmem("agents", "snapshots", "alice", "--store", filled.url).stdout
    file = filled.path.parent / "alice.dmem"
    dmem("agents", "export", "alice", "-o", file, "--store", filled.url)
    dmem("agents", "import", file, "--replace", "--store", keeping)
    rows = dmem("agents", "snapshots", "alice", "--json", "--store", filled.url).stdout.splitlines()
    assert [json.loads(row)["version"] for row in rows] == [2]
    changes = json.loads(dmem("agents", "diff", "alice", "--since", 2, "--json", "--store", filled.url).stdout)
    assert changes == {"model.layers.0.self_attn": 0.0, "model.layers.5.self_attn": 0.0}
    assert dmem("agents", "restore", "alice", 2, "--store", filled.url).exit_code == 0
    assert filled.versions()["alice"] == 4
    refused = dmem("agents", "restore", "alice", 9, "--store", filled.url)
    assert refused.exit_code == 1
    assert "kept are: 2, 3" in refused.stderr


def test_a_fork_is_refused_over_an_agent(dmem: Run, filled: Any) -> None:
    assert dmem("agents", "fork", "alice", "carol", "--store", filled.url).exit_code == 0
    assert filled.versions()["carol"] == 1
    assert dmem("agents", "fork", "alice", "carol", "--store", filled.url).exit_code == 1


def test_migrate_copies_and_says_what_differs(dmem: Run, filled: Any, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    assert dmem("agents", "migrate", "--to", other, "--store", filled.url).stdout == "2 copied\n"
    again = dmem("agents", "migrate", "--to", other, "--store", filled.url)
    assert (again.exit_code, again.stdout) == (0, "2 there already\n")


def test_migrate_offers_to_write_over_only_what_differs(dmem: Run, filled: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KeyRing.new_line("k"))
    unreadable = f"{filled.url}?signing_keys={tmp_path}/keys"
    other = f"sqlite:///{tmp_path}/other.db"
    result = dmem("agents", "migrate", "--to", other, "--store", unreadable)
    assert (result.exit_code, result.stdout) == (1, "2 unreadable\n")
    assert "alice: unreadable Record of agent 'alice', version 2, is not protected" in result.stderr
    assert "--replace" not in result.stderr
    with open_store(other) as store:
        store.commit("alice", b"its own", expected=None)
    result = dmem("agents", "migrate", "--to", other, "--store", filled.url)
    assert (result.exit_code, result.stdout) == (1, "1 differs, 1 copied\n")
    assert "--replace" in result.stderr


def test_the_doctor_names_what_is_wrong_and_changes_nothing(dmem: Run, filled: Any) -> None:
    from dmem_agents.store.sqlite import SQLiteStateStore

    healthy = dmem("agents", "doctor", "--fingerprint", "f00d", "--store", filled.url)
    assert (healthy.exit_code, healthy.stdout) == (0, "")
    assert "2 records looked at, 0 problems" in healthy.stderr
    with SQLiteStateStore(filled.path) as store:
        store.commit("broken", b"no record", expected=None)
    with sqlite3.connect(filled.path) as raw:
        raw.execute("INSERT INTO records (agent_id, version, incarnation, record) VALUES ('text', 1, 'i', x'')")
    raw.close()
    result = dmem("agents", "doctor", "--fingerprint", "beef", "--json", "--store", filled.url)
    assert result.exit_code == 1
    problems = sorted(json.loads(row)["problem"] for row in result.stdout.splitlines())
    assert problems == ["corrupt", "foreign", "wrong model", "wrong model"]
    assert filled.versions()["broken"] == 1
