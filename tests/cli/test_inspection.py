from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_inspect_writes_a_picture_and_says_what_it_shows(dmem: Run, filled: Any, tmp_path: Path) -> None:
    picture = tmp_path / "memory.png"
    result = dmem("inspect", "alice", "-o", picture, "--store", filled.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{picture}: version 2, 2 layers × 3 heads, norms 4 to 4.\n"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_inspect_of_an_unknown_agent_writes_nothing(dmem: Run, filled: Any, tmp_path: Path) -> None:
    result = dmem("inspect", "carol", "-o", tmp_path / "memory.png", "--store", filled.url)
    assert result.exit_code == 2
    assert "There is no agent 'carol'" in result.stderr
    assert not (tmp_path / "memory.png").exists()


def test_inspect_refuses_a_format_it_can_not_write(dmem: Run, filled: Any) -> None:
    result = dmem("inspect", "alice", "-o", "memory.gif", "--store", filled.url)
    assert result.exit_code == 2
    assert ".png, .svg, .pdf" in result.stderr
