from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dmem_agents.store.sqlite import SQLiteStateStore

Run = Callable[..., Any]


@pytest.fixture
def talk(dmem: Run, tiny: list[str], tmp_path: Path) -> Run:
    """`dmem chat` with agent `ada` of a tiny model, fed with lines as a pipe would."""

    def run(*lines: str, options: tuple[str, ...] = ()) -> Any:
        store = f"sqlite:///{tmp_path}/agents.db"
        arguments = ["chat", "--agent", "ada", "--store", store, "--max-tokens", "4", *tiny, *options]
        return dmem(*arguments, input="".join(f"{line}\n" for line in lines))

    return run


def version_of(agent_id: str, path: Path) -> int:
    with SQLiteStateStore(path) as store:
        stored = store.load(agent_id)
    return 0 if stored is None else stored.version


def test_a_pipe_gets_one_answer_per_line_and_the_rest_on_stderr(talk: Run, tmp_path: Path) -> None:
    result = talk("Hello", "", "My cat is called Tom.")
    assert result.exit_code == 0
    assert "tokens" not in result.stdout
    states = [line for line in result.stderr.splitlines() if line.startswith("[prompt")]
    assert len(states) == 2
    assert "memory 256 B, version 1]" in states[0]
    assert "memory 256 B, version 2]" in states[1]
    assert version_of("ada", tmp_path / "agents.db") == 2


def test_the_prompt_holds_the_newest_message_alone(talk: Run) -> None:
    result = talk("Hello", "Hello", "Hello")
    prompts = [line.split(",")[0] for line in result.stderr.splitlines() if line.startswith("[prompt")]
    assert len(prompts) == 3
    assert len(set(prompts)) == 1


def test_a_second_chat_goes_on_where_the_first_one_ended(talk: Run) -> None:
    assert "Agent 'ada' is new" in talk("Hello").stderr
    again = talk("Hello again").stderr
    assert "Agent 'ada': version 1, 1 turns, 2 messages absorbed" in again
    assert "version 2]" in again


def test_info_help_and_unknown_commands_are_no_turns(talk: Run, tmp_path: Path) -> None:
    result = talk("/info", "/help", "/frget")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "There is no command /frget." in result.stderr
    assert result.stderr.count("/read-only") == 2  # the help, once for each of them
    assert version_of("ada", tmp_path / "agents.db") == 0


def test_forget_empties_the_memory(talk: Run, tmp_path: Path) -> None:
    result = talk("Hello", "/forget", "/forget")
    assert "Forgotten" in result.stderr
    assert "There was nothing to forget." in result.stderr
    assert version_of("ada", tmp_path / "agents.db") == 0


def test_read_only_turns_leave_the_record_alone_until_it_is_switched_off(talk: Run, tmp_path: Path) -> None:
    result = talk("Hello", "/read-only", "Hi", "Ho", "/read-only", "Hello")
    assert result.stderr.count("nothing written]") == 2
    assert version_of("ada", tmp_path / "agents.db") == 2


def test_exit_ends_the_chat_before_what_follows(talk: Run) -> None:
    result = talk("/exit", "Hello")
    assert (result.exit_code, result.stdout) == (0, "")


def test_two_slashes_say_something_that_begins_with_one(talk: Run) -> None:
    assert "version 1]" in talk("//forget").stderr


def test_the_system_prompt_is_shown_at_every_turn(talk: Run) -> None:
    def prompt_tokens(result: Any) -> list[int]:
        return [int(line.split()[1]) for line in result.stderr.splitlines() if line.startswith("[prompt")]

    without = prompt_tokens(talk("Hello"))[0]
    first, second = prompt_tokens(talk("Hello", "Hello", options=("--system", "Be brief.")))
    # One token per byte, and one for each of the two marks around the turn.
    assert first == second == without + len("system\nBe brief.\n") + 2


def test_an_error_in_a_pipe_ends_the_chat_with_its_status(talk: Run, tmp_path: Path) -> None:
    result = talk("x" * 5000, "Hello")
    assert result.exit_code == 1
    assert "Error: Expected at most" in result.stderr
    assert version_of("ada", tmp_path / "agents.db") == 0


def test_an_empty_agent_id_and_a_missing_adapter_are_said_before_anything_runs(dmem: Run, tiny: list[str]) -> None:
    empty = dmem("chat", "--agent", "", *tiny, "--store", "memory://")
    assert empty.exit_code == 2
    assert "non-empty agent id" in empty.stderr
    missing = dmem("chat", "--agent", "ada", *tiny[:2], "--store", "memory://")
    assert missing.exit_code == 1
    assert "needs an adapter" in missing.stderr


def test_a_dead_server_is_one_message(dmem: Run, tiny: list[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result = dmem("chat", "--agent", "ada", *tiny, "--store", f"redis://127.0.0.1:{port}/0", input="Hello\n")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.stderr.splitlines()[-1]


def test_ctrl_c_during_an_answer_ends_quietly_with_130_and_stores_nothing_of_the_turn(
    dmem_process: Callable[..., subprocess.Popen[str]], tiny: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "agents.db"
    process = dmem_process(
        "chat", *tiny, "--max-tokens", "4000",
        DMEM_STORE=f"sqlite:///{path}", DMEM_AGENT="ada",
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("Tell me all you know.\n")
    process.stdin.flush()
    assert process.stdout.read(1)  # the answer has begun
    for _ in range(3):  # Python drops an interrupt that falls into a finaliser; a person presses the keys again
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "[prompt" not in errors
    assert version_of("ada", path) == 0
