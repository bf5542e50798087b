"""`dmem eval`: numbers beside their controls, kept when interrupted, and errors that say what to do."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from dmem_agents.cli.evaluation import _distances
from dmem_agents.evaluate import recall as recall_module
from dmem_agents.train.data.cells import CELLS

LINES = ["User 1: My turtle {i} sleeps.", "User 2: Cute!"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data sets of three records each, as published."""
    rows = [
        {
            "user 1 personas": f"I have a turtle {i}.",
            "user 2 personas": "I run.",
            "Best Generated Conversation": "\n".join(LINES).format(i=i),
        }
        for i in range(3)
    ]
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    questions = [
        {
            "question_id": f"q{i}",
            "question_type": "multi-session",
            "question": "How many?",
            "answer": i,
            "haystack_dates": ["2023/04/01"],
            "haystack_sessions": [[{"role": "user", "content": f"I have {i} bikes.", "has_answer": True}]],
        }
        for i in range(3)
    ]
    texts = [{"context": [["A", [f"word{i} " * 60]]]} for i in range(3)]
    folder = tmp_path / "data"
    write(folder / "synthetic_persona_chat/Synthetic-Persona-Chat_test.csv.gz", table.getvalue())
    write(folder / "longmemeval/longmemeval_oracle.json.gz", json.dumps(questions))
    write(folder / "hotpotqa/dev_distractor_500.jsonl.gz", "\n".join(map(json.dumps, texts)))
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def evaluate(dmem: Any, tiny: list[str], tmp_path: Path) -> Any:
    """Run one evaluation on the tiny model; its JSON is `result.json`."""

    def run(command: str, *arguments: object) -> Any:
        return dmem("eval", command, "-o", tmp_path / "result.json", *arguments, *tiny)

    return run


def stored(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "result.json").read_text("utf-8"))
    return content


RECALL = ("recall", "-n", 2, "--cell", "1 fact", "--control", "own")


def test_recall_writes_numbers_samples_and_a_picture(evaluate, tmp_path):
    result = evaluate(*RECALL, "--control", "stranger")
    assert result.exit_code == 0, result.output
    assert "a stranger" in result.output or "another past's state" in result.output
    content = stored(tmp_path)
    assert content["what"] == "recall"
    found = content["results"]["1 fact"]
    assert set(found["controls"]) == {"own", "stranger"}
    assert found["controls"]["own"]["n"] == 2
    assert {"own", "stranger", "told"} <= set(found["samples"][0])
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")


def test_recall_over_distance_holds_cells_that_differ_in_distance_alone():
    along = _distances(CELLS)
    assert along == {"1 fact": 0, "1 fact, 3 turns ago": 3, "1 fact, 10 turns ago": 10, "1 fact, 30 turns ago": 30}


def test_an_interrupted_recall_keeps_finished_cells_and_goes_on(evaluate, tmp_path, monkeypatch):
    measured: list[object] = []
    real = recall_module.measure_recall

    def measure(*arguments: Any, **options: Any) -> Any:
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(options["controls"])
        return real(*arguments, **options)

    monkeypatch.setattr(recall_module, "measure_recall", measure)
    both = (*RECALL, "--cell", "unseen value")
    assert evaluate(*both).exit_code == 130
    first = stored(tmp_path)["results"]
    assert list(first) == ["1 fact"]
    monkeypatch.setattr(recall_module, "measure_recall", real)
    assert evaluate(*both).exit_code == 0
    second = stored(tmp_path)["results"]
    assert list(second) == ["1 fact", "unseen value"]
    assert second["1 fact"] == first["1 fact"]


def test_a_control_added_later_joins_the_earlier_ones(evaluate, tmp_path):
    evaluate(*RECALL)
    before = stored(tmp_path)["results"]["1 fact"]
    result = evaluate("recall", "-n", 2, "--cell", "1 fact", "--control", "none")
    assert result.exit_code == 0, result.output
    after = stored(tmp_path)["results"]["1 fact"]
    assert after["controls"]["own"] == before["controls"]["own"]
    assert set(after["controls"]) == {"own", "none"}
    assert after["samples"][0].keys() == before["samples"][0].keys() | {"none"}


def test_results_of_other_settings_are_refused_and_stay(evaluate, tmp_path):
    evaluate(*RECALL)
    before = (tmp_path / "result.json").read_bytes()
    result = evaluate(*RECALL, "--seed", 1)
    assert result.exit_code == 2
    assert "another seed" in result.stderr
    assert "--output" in result.stderr
    assert (tmp_path / "result.json").read_bytes() == before


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"what": "general", "settings": {}, "results": {}}'])
def test_a_file_of_something_else_is_refused_and_stays(content, evaluate, tmp_path):
    (tmp_path / "result.json").write_text(content)
    result = evaluate(*RECALL)
    assert result.exit_code == 2
    assert "not of `dmem eval recall`" in result.stderr
    assert (tmp_path / "result.json").read_text() == content


def test_a_folder_as_output_is_refused(dmem, tiny, tmp_path):
    result = dmem("eval", *RECALL, "-o", tmp_path, *tiny)
    assert result.exit_code == 2
    assert "is a folder" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--cell", "2 facts"), "3 facts, 3 distractors"),
        (("--control", "owned"), "stranger"),
        (("--split", "dev"), "validation"),
        (("--cell", "unseen value", "--split", "train"), "1 fact"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(arguments, named, evaluate, tmp_path):
    result = evaluate("recall", *arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert arguments[1] in result.stderr
    assert not (tmp_path / "result.json").exists()


def test_likelihood_measures_both_data_sets_in_every_view(evaluate, data, tmp_path):
    result = evaluate("likelihood", "--data", data)
    assert result.exit_code == 0, result.output
    results = stored(tmp_path)["results"]
    assert {name: found["n"] for name, found in results.items()} == {"persona": 3, "longmemeval": 3}
    assert all(len(set(found["nll"].values())) == 4 for found in results.values())
    assert "stranger − own" in result.output


def test_likelihood_keeps_a_finished_data_set(evaluate, data, tmp_path):
    assert evaluate("likelihood", "--data", data, "--set", "persona").exit_code == 0
    persona = data / "synthetic_persona_chat/Synthetic-Persona-Chat_test.csv.gz"
    persona.unlink()  # so a second measurement of it would fail
    assert evaluate("likelihood", "--data", data).exit_code == 0
    assert list(stored(tmp_path)["results"]) == ["persona", "longmemeval"]


def test_a_missing_data_file_is_named(evaluate, tmp_path):
    result = evaluate("likelihood", "--data", tmp_path)
    assert result.exit_code == 2
    assert "synthetic_persona_chat/Synthetic-Persona-Chat_test.csv.gz" in result.stderr
    assert "Traceback" not in result.output


def test_data_without_two_usable_episodes_is_named(evaluate, data):
    result = evaluate("likelihood", "--data", data, "--max-message-tokens", 3)
    assert result.exit_code == 2
    assert "got 0" in result.stderr
    assert "Synthetic-Persona-Chat_test.csv.gz" in result.stderr


def test_general_measures_plain_text_without_the_checkers_of_ifeval(evaluate, data, tmp_path):
    result = evaluate("general", "--data", data, "--prompts", 0, "--strangers", 2, "--max-tokens", 40)
    assert result.exit_code == 0, result.output
    found = stored(tmp_path)["results"]["plain text"]
    assert (found["n"], found["tokens"]) == (3, 3 * 39)
    assert found["nll"]["frozen"] != found["nll"]["stranger"]
    assert "plain text" in result.output


def test_general_refuses_a_single_prompt(evaluate, data):
    result = evaluate("general", "--data", data, "--prompts", 1)
    assert result.exit_code == 2
    assert "at least 2" in result.stderr
