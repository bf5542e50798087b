"""Reading calls out of answers, whole, cut off and malformed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from dmem_agents.hermes import call_text
from dmem_agents.messages import Message, ToolCall
from dmem_agents.tool_calling import content_length, parse_tool_calls

CALL = ToolCall(id="prefix100", name="weather", arguments={"city": "Zürich </tool_call>", "days": [1, 2.5, None]})
TEXT = f"Let me see.\n{call_text(CALL)}"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_content_and_call_are_told_apart() -> None:
    assert parse_tool_calls(TEXT, id_prefix="prefix1") == ("Let me see.", (CALL,), ())


def test_text_without_a_call_stays_as_it_is() -> None:
    assert parse_tool_calls(" It rains. <tool") == (" It rains. <tool", (), ())


@given(name=st.text(min_size=1), arguments=st.dictionaries(st.text(), json_values, max_size=4))
def test_what_was_written_is_read_back(name: str, arguments: dict[str, object]) -> None:
    call = ToolCall(id="abcdefg00", name=name, arguments=arguments)
    _, calls, invalid = parse_tool_calls(call_text(call), id_prefix="abcdefg")
    assert (calls, invalid) == ((call,), ())


@pytest.mark.parametrize("end", range(len(TEXT) + 1))
def test_a_text_cut_anywhere_gives_an_invalid_call_and_no_error(end: int) -> None:
    content, calls, invalid = parse_tool_calls(TEXT[:end])
    opened = "<tool_call>" in TEXT[:end]
    complete = end >= len(TEXT) - len("\n</tool_call>")
    assert (len(calls), len(invalid)) == (int(complete), int(opened and not complete))
    assert content == ("Let me see." if opened else TEXT[:end])


@given(st.text(alphabet='<tool_call>/{}":, \nnameargumts1', max_size=80).map(lambda text: "<tool_call>" + text))
def test_nothing_that_a_model_writes_raises(text: str) -> None:
    _, calls, invalid = parse_tool_calls(text)
    assert calls or invalid


@pytest.mark.parametrize(
    "body",
    [
        "[1]",
        '{"arguments": {}}',
        '{"name": "a", "arguments": [1]}',
        '{"name": "a", "arguments": {"x": NaN}}',
        '{"name": "a", "arguments": {"x": "\\ud800"}}',
        '{"name": "a", "arguments": ' + "[" * 100_000,
        '{"name": "a", "arguments": {"x": ' + "1" * 5000 + "}}",
    ],
)
def test_what_is_no_call_is_kept_as_invalid_with_a_reason(body: str) -> None:
    content, calls, invalid = parse_tool_calls(f"<tool_call>\n{body}\n</tool_call>")
    assert (content, calls, len(invalid)) == ("", (), 1)
    assert invalid[0].text == body
    assert invalid[0].error
    assert invalid[0].name == ("a" if '"name"' in body else None)


def test_a_number_beyond_all_doubles_is_the_largest_one() -> None:
    _, calls, _ = parse_tool_calls('<tool_call>\n{"name": "a", "arguments": {"x": -1e999}}\n</tool_call>')
    assert calls[0].arguments["x"] == -1.7976931348623157e308
    json.dumps(calls[0].arguments, allow_nan=False)


def test_several_calls_have_ids_of_nine_letters_and_digits_each_its_own() -> None:
    _, calls, _ = parse_tool_calls(TEXT + "\n" + call_text(CALL))
    assert len({call.id for call in calls}) == 2
    assert all(len(call.id) == 9 and call.id.isalnum() for call in calls)


def test_a_growing_answer_keeps_its_ids() -> None:
    one, two = (parse_tool_calls(text, id_prefix="abcdefg") for text in (TEXT, TEXT + call_text(CALL)))
    assert one[1][0] == two[1][0]


def test_content_is_handed_out_only_when_it_cannot_be_a_call() -> None:
    handed = 0
    for end in range(len(TEXT) + 1):
        length = content_length(TEXT[:end])
        assert length >= handed
        handed = length
    assert TEXT[:handed] == parse_tool_calls(TEXT)[0]
    assert content_length("a <tool") == content_length("a ") == 1


def test_a_message_of_the_parsed_call_has_the_digest_of_the_original() -> None:
    content, calls, _ = parse_tool_calls(TEXT, id_prefix="prefix1")
    parsed = Message(role="assistant", content=content, tool_calls=calls)
    assert parsed.digest() == Message(role="assistant", content="Let me see.", tool_calls=(CALL,)).digest()
