from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmem_agents.store import open_store
from dmem_agents.store.protection import KeyRing

Run = Callable[..., Any]


def test_list_shows_each_agent_with_its_version_and_reads_no_id_as_markup(dmem: Run, filled: Any) -> None:
    result = dmem("agents", "list", "--store", filled.url)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["2", "agents"] in lines
    assert ["alice", "2"] in [line[:2] for line in lines]
    assert ["bob", "[red]", "1"] in [line[:3] for line in lines]


def test_list_takes_a_prefix_and_gives_programs_one_object_per_line(dmem: Run, filled: Any) -> None:
    result = dmem("agents", "list", "--store", filled.url, "--prefix", "bob", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["agent"], row["version"]) for row in rows] == [("bob [red]", 1)]


def test_an_empty_store_says_so(dmem: Run, tmp_path: Path) -> None:
    result = dmem("agents", "list", "--store", f"sqlite:///{tmp_path}/new.db")
    assert (result.exit_code, result.stdout) == (0, "No agents are stored here.\n")


def test_the_store_comes_from_the_environment_when_no_option_names_it(dmem: Run, filled: Any) -> None:
    result = dmem("agents", "list", "--json", env={"DMEM_STORE": filled.url})
    assert len(result.stdout.splitlines()) == 2


def test_show_tells_what_is_stored(dmem: Run, filled: Any) -> None:
    result = dmem("agents", "show", "alice", "--store", filled.url)
    assert result.exit_code == 0
    told = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    shown = {name.strip(): value.strip() for name, value in told.items()}
    assert shown["version"] == "2"
    assert shown["turns"] == "3"
    assert shown["model and adapter"] == "f00df00df00d"
    assert shown["memory"] == "2 layers × 3 heads of 4×4, 384 B"
    assert shown["norm of the memory"] == "9.798 (before the last turn 4.899)"


def test_show_gives_programs_the_same_as_json(dmem: Run, filled: Any) -> None:
    facts = json.loads(dmem("agents", "show", "alice", "--json", "--store", filled.url).stdout)
    assert (facts["version"], facts["absorbed_messages"], facts["updated_at"]) == (2, 6, 1e9)
    assert facts["norm"] == pytest.approx(96**0.5)


@pytest.mark.parametrize("command", [["show"], ["forget", "--yes"], ["export"]])
def test_an_unknown_agent_is_named_with_what_to_do(dmem: Run, filled: Any, command: list[str]) -> None:
    result = dmem("agents", *command, "carol", "--store", filled.url)
    assert result.exit_code == 2
    assert "There is no agent 'carol'" in result.stderr
    assert "dmem agents list" in result.stderr
    assert filled.versions() == {"alice": 2, "bob [red]": 1}


def test_forget_asks_and_deletes_only_after_a_yes(dmem: Run, filled: Any) -> None:
    refused = dmem("agents", "forget", "alice", "--store", filled.url, input="n\n")
    assert refused.exit_code == 1
    assert filled.versions() == {"alice": 2, "bob [red]": 1}
    agreed = dmem("agents", "forget", "alice", "--store", filled.url, input="y\n")
    assert agreed.exit_code == 0
    assert filled.versions() == {"bob [red]": 1}


def test_forget_without_anybody_to_ask_deletes_nothing(dmem: Run, filled: Any) -> None:
    assert dmem("agents", "forget", "alice", "--store", filled.url, input="").exit_code == 1
    assert filled.versions() == {"alice": 2, "bob [red]": 1}


def test_forget_with_yes_does_not_ask(dmem: Run, filled: Any) -> None:
    result = dmem("agents", "forget", "alice", "--yes", "--store", filled.url)
    assert (result.exit_code, result.stderr) == (0, "Forgot agent 'alice'.\n")
    assert filled.versions() == {"bob [red]": 1}


def test_an_agent_travels_as_a_file_into_another_store(dmem: Run, filled: Any, tmp_path: Path) -> None:
    file, other = tmp_path / "alice.dmem", f"sqlite:///{tmp_path}/other.db"
    assert dmem("agents", "export", "alice", "-o", file, "--store", filled.url).exit_code == 0
    assert dmem("agents", "import", file, "--store", other).exit_code == 0
    there = json.loads(dmem("agents", "show", "alice", "--json", "--store", other).stdout)
    here = json.loads(dmem("agents", "show", "alice", "--json", "--store", filled.url).stdout)
    assert there["norm"] == here["norm"]
    assert there["fingerprint"] == here["fingerprint"]


def test_an_agent_travels_through_a_pipe_under_another_id(dmem: Run, filled: Any) -> None:
    blob = dmem("agents", "export", "alice", "--store", filled.url).stdout_bytes
    result = dmem("agents", "import", "-", "--as", "carol", "--store", filled.url, input=blob)
    assert result.exit_code == 0
    assert filled.versions() == {"alice": 2, "bob [red]": 1, "carol": 1}


def test_import_overwrites_an_agent_only_when_told_to(dmem: Run, filled: Any, tmp_path: Path) -> None:
    file = tmp_path / "alice.dmem"
    dmem("agents", "export", "alice", "-o", file, "--store", filled.url)
    refused = dmem("agents", "import", file, "--store", filled.url)
    assert refused.exit_code == 1
    assert "already an agent 'alice'" in refused.stderr
    assert "`--as`" in refused.stderr
    assert "`--replace`" in refused.stderr
    assert filled.versions()["alice"] == 2
    assert dmem("agents", "import", file, "--replace", "--store", filled.url).exit_code == 0
    assert filled.versions()["alice"] == 3


def test_export_overwrites_no_file(dmem: Run, filled: Any, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("mine")
    result = dmem("agents", "export", "alice", "-o", file, "--store", filled.url)
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert file.read_text() == "mine"


def test_import_of_something_else_is_refused(dmem: Run, filled: Any, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\x00" * 100)
    result = dmem("agents", "import", tmp_path / "noise", "--store", filled.url)
    assert result.exit_code == 1
    assert "can't be read" in result.stderr
    missing = dmem("agents", "import", tmp_path / "nowhere", "--store", filled.url)
    assert missing.exit_code == 2
    assert "nowhere can't be read" in missing.stderr


def test_a_dead_server_is_one_message(dmem: Run) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result = dmem("agents", "list", "--store", f"redis://:secret@127.0.0.1:{port}/0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert f"127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_a_url_of_another_form_is_refused_with_the_forms_there_are(dmem: Run) -> None:
    result = dmem("agents", "list", "--store", "mysql://here")
    assert result.exit_code == 2
    assert "redis://" in result.stderr


def test_a_damaged_record_is_an_error_that_names_the_agent_and_leaves_it(dmem: Run, filled: Any) -> None:
    from dmem_agents.store.sqlite import SQLiteStateStore

    with SQLiteStateStore(filled.path) as store:
        store.commit("broken", b"no record", expected=None)
    result = dmem("agents", "show", "broken", "--store", filled.url)
    assert result.exit_code == 1
    assert "agent 'broken'" in result.stderr
    assert filled.versions()["broken"] == 1


@pytest.fixture
def unreadable(filled: Any, tmp_path: Path) -> str:
    """The URL of `filled` as a signed store, which opens neither of its agents, with `carol`, whom it opens."""
    (tmp_path / "keys").write_text(KeyRing.new_line("k"))
    url = f"{filled.url}?signing_keys={tmp_path}/keys"
    with open_store(url) as store:
        store.commit("carol", b"1", expected=None)
    return url


def test_list_shows_what_does_not_open_as_unreadable_beside_the_rest(dmem: Run, unreadable: str) -> None:
    result = dmem("agents", "list", "--store", unreadable)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["3", "agents"] in lines
    assert ["alice", "-", "unreadable"] in lines
    assert ["carol", "1", "1", "B"] in lines
    assert result.stderr == "2 records don't open. `dmem agents doctor` says why.\n"
    rows = [json.loads(line) for line in dmem("agents", "list", "--json", "--store", unreadable).stdout.splitlines()]
    assert [(row["agent"], row["version"], row["record_bytes"]) for row in rows] == [
        ("alice", None, None),
        ("bob [red]", None, None),
        ("carol", 1, 1),
    ]
    assert ["not protected" in row.get("unreadable", "") for row in rows] == [True, True, False]


def test_forget_says_why_an_agent_does_not_open_and_deletes_it_after_a_yes(
    dmem: Run, filled: Any, unreadable: str
) -> None:
    refused = dmem("agents", "forget", "alice", "--store", unreadable, input="n\n")
    assert refused.exit_code == 1
    assert "Record of agent 'alice', version 2, is not protected by" in refused.stderr
    assert "Delete the memory of agent 'alice' all the same?" in refused.stderr
    assert "alice" in filled.versions()
    assert dmem("agents", "forget", "alice", "--store", unreadable, input="y\n").exit_code == 0
    assert dmem("agents", "forget", "bob [red]", "--yes", "--store", unreadable).exit_code == 0
    assert filled.versions() == {"carol": 1}
