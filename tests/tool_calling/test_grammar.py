"""What the grammar lets out, on the tiny tokenizer and with random scores instead of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.tool_calling import ToolSchema, grammar, parse_tool_calls

WEATHER = ToolSchema(
    name="weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = ToolSchema(name="clock")
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich }}"}}\n</tool_call>'


def test_every_forced_call_of_500_tools_parses_and_is_valid(
    writer: Any, make_tools: Callable[..., list[ToolSchema]]
) -> None:
    for tool in make_tools(500, seed=1):
        content, calls, invalid = parse_tool_calls(writer.write(grammar([tool], tool.name)))
        assert (content, len(calls), invalid) == ("", 1, ())
        assert calls[0].name == tool.name
        jsonschema.Draft202012Validator(tool.parameters).validate(dict(calls[0].arguments))


@pytest.mark.parametrize(
    ("choice", "answer", "accepted"),
    [
        ("auto", "It rains.", True),
        ("auto", CALL, True),
        ("auto", "Let me see.\n" + CALL, True),
        ("auto", CALL + CALL, False),
        ("auto", "<tool_call> is a tag", False),
        ("auto", CALL.replace("weather", "wether"), False),
        ("auto", CALL.replace('"city"', '"town"'), False),
        ("required", "It rains.", False),
        ("required", CALL, True),
        ("required", '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>', True),
        ("required", '<tool_call>\n{"name": "clock", "arguments": {"a": 1}}\n</tool_call>', False),
        ("clock", CALL, False),
        ("weather", CALL, True),
        ("none", "It rains.", True),
        ("none", CALL, False),
    ],
)
def test_only_what_the_choice_allows_comes_out(writer: Any, choice: str, answer: str, accepted: bool) -> None:
    assert writer.accepts(grammar([WEATHER, CLOCK], choice), answer) is accepted


def test_further_calls_come_out_where_they_may(writer: Any) -> None:
    several = grammar([WEATHER, CLOCK], "required", parallel_calls=True)
    assert writer.accepts(several, f"{CALL}\n{CALL}")
    assert not writer.accepts(several, f"{CALL}\nand so on")


def test_a_response_schema_lets_only_its_json_out(writer: Any) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    text = grammar([], "auto", schema)
    assert writer.accepts(text, '{"n": 3}')
    assert not writer.accepts(text, '{"n": "3"}')
    assert not writer.accepts(text, "three")
    with_tools = grammar([WEATHER], "auto", schema)
    assert writer.accepts(with_tools, '{"n": 3}')
    assert writer.accepts(with_tools, CALL)
    assert not writer.accepts(with_tools, "three")


def test_properties_that_are_put_together_from_parts_stay_open(writer: Any) -> None:
    parts = [{"properties": {name: {"type": "boolean"}}, "required": [name]} for name in "ab"]
    tool = ToolSchema(name="both", parameters={"type": "object", "allOf": parts})
    _, calls, _ = parse_tool_calls(writer.write(grammar([tool], "both")))
    assert {"a", "b"} <= set(calls[0].arguments)


def test_what_the_grammar_cannot_express_is_refused_unless_lenient(writer: Any) -> None:
    items = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    tool = ToolSchema(name="tags", parameters={"type": "object", "properties": {"tags": items}})
    with pytest.raises(ConfigError, match="uniqueItems"):
        writer.compiler.constraint(grammar([tool], "tags"))
    assert parse_tool_calls(writer.write(grammar([tool], "tags", lenient=True)))[1]


@pytest.mark.parametrize(
    ("tools", "choice"), [([], "required"), ([CLOCK], "weather"), ([CLOCK, CLOCK], "auto"), ([], "clock")]
)
def test_a_choice_without_its_tool_is_refused(tools: list[ToolSchema], choice: str) -> None:
    with pytest.raises(ConfigError):
        grammar(tools, choice)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "a", "parameters": {"type": "string"}},
        {"name": "a", "parameters": {"properties": {"x": {"default": {1, 2}}}}},
    ],
)
def test_a_tool_that_no_call_could_name_or_fill_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ToolSchema(**arguments)


def test_a_tool_survives_the_openai_format() -> None:
    assert ToolSchema.from_openai(WEATHER.as_openai()) == WEATHER
    with pytest.raises(ConfigError, match="function"):
        ToolSchema.from_openai({"type": "web_search"})
