from __future__ import annotations

from hypothesis import given, strategies as st

from dmem_agents.session.answer import AnswerText


class Pieces:
    """Token n is the n-th piece of a text; the rest comes at the end, as with incomplete characters."""

    def __init__(self, pieces: list[str], rest: str = "") -> None:
        self._pieces = pieces
        self._rest = rest

    def push(self, token_id: int) -> str:
        return self._pieces[token_id]

    def flush(self) -> str:
        return self._rest


def collect(pieces: list[str], stops: list[str], rest: str = "") -> tuple[list[str], AnswerText]:
    answer = AnswerText(Pieces(pieces, rest), stops)
    shown = []
    for token in range(len(pieces)):
        shown.append(answer.push(token))
        if answer.stopped:
            break
    return [*shown, answer.finish()], answer


def test_text_that_may_begin_a_stop_string_is_held_back_until_it_is_known() -> None:
    shown, answer = collect(["one ", "<", "e", "nd", "s>", " two"], ["<end>"])
    assert shown == ["one ", "", "", "", "<ends>", " two", ""]
    assert not answer.stopped


def test_the_answer_is_cut_before_a_stop_string_that_spans_tokens() -> None:
    shown, answer = collect(["one <", "en", "d> two"], ["<end>"])
    assert shown == ["one ", "", "", ""]
    assert answer.stopped
    assert answer.text == "one "


def test_what_is_held_back_comes_at_the_end_when_no_stop_string_came() -> None:
    shown, answer = collect(["one <en"], ["<end>"])
    assert shown == ["one ", "<en"]
    assert answer.text == "one <en"
    assert not answer.stopped


def test_a_stop_string_that_only_the_last_flush_completes_still_cuts() -> None:
    shown, answer = collect(["one <en"], ["<end>"], rest="d> two")
    assert "".join(shown) == answer.text == "one "
    assert answer.stopped


def test_finish_gives_the_rest_once() -> None:
    answer = AnswerText(Pieces(["a"], "b"), ["c"])
    assert answer.push(0) + answer.finish() + answer.finish() == "ab"


LETTERS = st.text(alphabet="ab", max_size=4)


@given(pieces=st.lists(LETTERS, max_size=8), stop=LETTERS.filter(bool), rest=LETTERS)
def test_joined_it_is_the_text_before_the_stop_string_however_it_is_cut(
    pieces: list[str], stop: str, rest: str
) -> None:
    whole = "".join(pieces) + rest
    shown, answer = collect(pieces, [stop], rest)
    assert "".join(shown) == answer.text == whole.partition(stop)[0]
    assert answer.stopped == (stop in whole)


@given(pieces=st.lists(LETTERS, max_size=8), stops=st.lists(LETTERS.filter(bool), max_size=3))
def test_no_stop_string_is_ever_shown(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    shown, answer = collect(pieces, stops)
    assert "".join(shown) == answer.text
    assert whole.startswith(answer.text)
    assert not any(stop in answer.text for stop in stops)
    assert answer.stopped == any(stop in whole for stop in stops)
