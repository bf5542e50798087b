from __future__ import annotations

import pytest

from dmem_agents.cli.console import printable, safe_lines, size


def test_an_id_is_shown_on_one_line_without_control_characters() -> None:
    assert printable("bob\n\x1b[2Jü") == "bob\\n\\x1b[2Jü"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * 300, limit=10) == "x" * 9 + "…"
    assert printable("x" * 10, limit=10) == "x" * 10


def test_an_answer_keeps_its_lines_and_loses_what_would_move_the_cursor() -> None:
    assert safe_lines("one\n\ttwo\x1b[2J\r") == "one\n\ttwo[2J"


@pytest.mark.parametrize(("size_bytes", "text"), [(1023, "1023 B"), (30720, "30.0 KiB"), (2**21, "2.0 MiB")])
def test_sizes_are_in_powers_of_1024(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text
