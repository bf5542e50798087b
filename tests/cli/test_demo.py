from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dmem_agents.cli import demo as demo_module
from dmem_agents.cli.demo import Answer, Finding, conclude, demo_adapter
from dmem_agents.cli.demo_script import CHARACTERS, Question
from dmem_agents.errors import AdapterError
from dmem_agents.model import loading
from dmem_agents.store import SQLiteStateStore, open_store

Run = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

ANNA = CHARACTERS[0]
QUESTIONS = sum(len(character.questions) for character in CHARACTERS)


def found(memory: str, text: str) -> Finding:
    question = Question(text="Where?", value="Lisbon")
    return Finding(character=ANNA, question=question, memory=memory, answer=Answer(text=text, prompt_tokens=9))


OWN, OTHERS, NONE = found("own", "In lisbon."), found("another's", "A cat."), found("none", "I am a model.")


def test_facts_from_the_own_memory_alone_are_what_is_to_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude([OWN, OTHERS, NONE]) is True
    said = capsys.readouterr().out
    assert said.startswith("Shown: 1 of 1 answers from the agent's own memory hold the fact, 0 from another")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "findings",
    [
        [replace(OWN, answer=Answer(text="In Rome.", prompt_tokens=9)), OTHERS, NONE],
        [OWN, OTHERS, NONE, replace(OWN, answer=Answer(text="", prompt_tokens=9)), OTHERS, NONE],
        [OWN, OTHERS, replace(NONE, answer=Answer(text="Lisbon?", prompt_tokens=9))],
    ],
)
def test_a_fact_that_is_missing_or_known_without_a_memory_is_said_to_show_nothing(
    findings: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude(findings) is False
    assert capsys.readouterr().out.startswith("Not shown: ")


def test_no_agent_of_the_script_knows_what_another_is_asked() -> None:
    for character in CHARACTERS:
        others = " ".join(said for other in CHARACTERS if other is not character for said in other.told).lower()
        for question in character.questions:
            assert sum(question.answered_by(said) for said in character.told) == 1
            assert question.value.lower() not in others
            assert question.value.lower() not in question.text.lower()


def test_the_adapter_is_the_chosen_one_then_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "packaged_adapter_folder", lambda: tmp_path / "wheel")
    assert demo_adapter("mine") == "mine"
    assert demo_adapter(None) == tmp_path / "wheel"
    monkeypatch.setattr(loading, "packaged_adapter_folder", lambda: None)
    with pytest.raises(AdapterError, match="DMEM_ADAPTER"):
        demo_adapter(None)


def test_a_store_that_two_processes_can_not_share_is_refused(dmem: Run) -> None:
    result = dmem("demo", "--store", "memory://")
    assert result.exit_code == 2
    assert "two processes" in result.stderr


@pytest.mark.parametrize("command", ["demo", "demo-ask"])
def test_without_langchain_it_says_how_to_install_it_and_touches_nothing(
    dmem: Run, filled: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("langchain_core", "langchain_dmem")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "langchain_core", None)
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("the model was loaded"))
    with open_store(filled.url) as store:
        store.commit(ANNA.agent_id, b"left by an earlier demo", expected=None)
    place = ["--model", "m", "--adapter", "a", "--store", filled.url] if command == "demo" else []
    result = dmem(command, *place, input="{}")
    assert result.exit_code == 2
    assert "pip install 'dmem-agents[langchain]'" in result.stderr
    assert "Loading" not in result.stderr
    assert ANNA.agent_id in filled.versions()


def test_its_own_store_lies_in_the_temporary_folder_whatever_its_name(
    dmem: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a%20b?c"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    opened: list[Path] = []

    def tell(chosen: object, url: str) -> None:
        with open_store(url) as store:
            assert isinstance(store, SQLiteStateStore)
            opened.append(store.path)

    monkeypatch.setattr(demo_module, "_tell", tell)
    monkeypatch.setattr(demo_module, "_ask", lambda *_: [OWN, OTHERS, NONE])
    result = dmem("demo", "--model", "m", "--adapter", "a")
    assert result.exit_code == 0, result.output
    assert [path.parent.parent for path in opened] == [folder]
    assert list(folder.iterdir()) == []


def test_the_second_process_only_reads(dmem: Run, tiny: list[str], filled: Any) -> None:
    llm = {"model": tiny[1], "adapter": tiny[3], "store": filled.url}
    asks = [{"question": "Where?", "agent_id": None}, {"question": "Where?", "agent_id": "new"}]
    result = dmem("demo-ask", input=json.dumps({"llm": llm, "asks": asks}))
    assert result.exit_code == 0
    answers = json.loads(result.stdout)
    assert answers[0] == answers[1]  # both memories are empty
    assert answers[0]["prompt_tokens"] > 0
    assert filled.versions() == {"alice": 2, "bob [red]": 1}


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_model_that_remembers_nothing_is_found_out(
    dmem: Run, tiny: list[str], tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/demo.db"
    if kind == "redis":
        url = request.getfixturevalue("redis_server").url + "?prefix=test-demo"
    with open_store(url) as store:
        store.commit(ANNA.agent_id, b"left by an earlier demo", expected=None)
    result = dmem("demo", *tiny, "--store", url)
    assert result.exit_code == 1
    assert f"Not shown: 0 of {QUESTIONS} answers" in result.stdout
    assert result.stdout.count("✗") == 3 * QUESTIONS
    with open_store(url) as store:
        versions = {c.agent_id: store.load(c.agent_id) for c in CHARACTERS}
    assert [v and v.version for v in versions.values()] == [len(c.told) for c in CHARACTERS]


def test_a_second_process_that_fails_ends_the_demo_with_its_status(
    dmem: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "_tell", lambda *_: None)
    result = dmem("demo", "--model", "/nowhere/model", *tiny[2:])
    assert result.exit_code == 1
    assert "The asking process failed with status 1." in result.stderr


@pytest.mark.timeout(600)  # the first use of the embedded model converts it, and a second process loads it again
def test_facts_told_in_one_process_are_known_in_another_through_a_trained_memory(dmem_process: Start) -> None:
    process = dmem_process("demo")
    output, errors = process.communicate(timeout=580)
    assert process.returncode == 0, output + errors
    assert f"Shown: {QUESTIONS} of {QUESTIONS} answers from the agent's own memory hold the fact" in output
    assert "and 0 without a memory" in output
