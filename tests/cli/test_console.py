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


def test_an_answer_keeps_spaces_of_every_kind_and_joined_signs() -> None:
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    text = f"10\N{NO-BREAK SPACE}km\N{IDEOGRAPHIC SPACE}東京 {family} می\N{ZERO WIDTH NON-JOINER}خواهم"
    assert safe_lines(text) == text


def test_an_answer_loses_every_control_character_and_what_turns_the_direction_of_text() -> None:
    controls = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
    turning = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    assert safe_lines("|".join(["", *controls, *turning, ""])) == "|" * (len(controls) + len(turning) + 1)


@pytest.mark.parametrize(("size_bytes", "text"), [(1023, "1023 B"), (30720, "30.0 KiB"), (2**21, "2.0 MiB")])
def test_sizes_are_in_powers_of_1024(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text
