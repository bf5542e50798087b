from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from dmem_agents import __version__
from dmem_agents.cli import agents
from dmem_agents.errors import StoreConnectionError


def test_help_names_every_command_and_hides_the_demos_second_process(dmem: Callable[..., Any]) -> None:
    result = dmem("--help")
    assert result.exit_code == 0
    for command in ("chat", "agents", "inspect", "demo"):
        assert f"│ {command} " in result.stdout
    assert "demo-ask" not in result.stdout


def test_version_is_the_packages(dmem: Callable[..., Any]) -> None:
    assert dmem("--version").stdout == f"dmem-agents {__version__}\n"


def test_help_and_wrong_arguments_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from dmem_agents.cli.app import app\n"
        "app(['chat', '--help'], standalone_mode=False)\n"
        "heavy = ('torch', 'transformers', 'numpy', 'matplotlib', 'redis', 'langchain_core')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["chat"], ["agents", "show"], ["inspect"], ["chat", "--agent", "a", "--max-tokens", "0"], ["--fly"]],
)
def test_wrong_arguments_end_with_status_2_and_no_traceback(dmem: Callable[..., Any], arguments: list[str]) -> None:
    result = dmem(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert "Error" in result.stderr


def test_an_error_of_ours_is_one_message_on_stderr_and_status_1(
    dmem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str | None) -> None:
        raise StoreConnectionError("The store is away.")

    monkeypatch.setattr(agents, "opened_store", fail)
    result = dmem("agents", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: The store is away.\n")


def test_an_interrupt_ends_with_status_130_and_without_a_word(
    dmem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(url: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(agents, "opened_store", interrupt)
    result = dmem("agents", "list")
    assert (result.exit_code, result.output) == (130, "")


def test_a_warning_is_one_line_on_stderr(dmem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(url: str | None) -> None:
        warnings.simplefilter("always")
        warnings.warn("Mind the gap.", UserWarning, stacklevel=1)
        raise StoreConnectionError("Gone.")

    monkeypatch.setattr(agents, "opened_store", warn)
    assert dmem("agents", "list").stderr == "Warning: Mind the gap.\nError: Gone.\n"


def test_a_bug_is_not_dressed_up_as_a_users_error(dmem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str | None) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(agents, "opened_store", fail)
    assert isinstance(dmem("agents", "list").exception, RuntimeError)


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    code = "import sys; sys.modules['typer'] = None; from dmem_agents.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'dmem-agents[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_the_terminals_encoding_lacks_is_replaced_and_fails_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dmem_agents.cli", "chat", "--help"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0
    assert b"Trained ?-mem" in done.stdout
