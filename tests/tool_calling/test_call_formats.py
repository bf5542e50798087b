"""The spellings of tool calls that models were trained on: told from the template, forced, offered, and read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from transformers import AutoTokenizer

from dmem_agents.call_formats import HERMES, LLAMA, MISTRAL, MISTRAL_ARGS, CallFormat
from dmem_agents.messages import ToolCall
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.tool_calling import ToolSchema, content_length, grammar, parse_tool_calls

TEMPLATES = Path(__file__).parents[1] / "tokenization" / "templates"
LATER_MISTRAL = (
    "{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}{% for m in messages %}"
    "{{ '[' + m['role'] + ']' + m['content'] }}"
    "{% for c in m.get('tool_calls', []) %}"
    "{{ '[TOOL_CALLS]' + c.function.name + '[ARGS]' + c.function.arguments | tojson }}"
    "{% endfor %}{% endfor %}"
)
FORMATS = {"hermes": HERMES, "llama": LLAMA, "mistral": MISTRAL, "mistral, later": MISTRAL_ARGS}
WEATHER = ToolSchema(
    name="weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CALLS = {
    "hermes": '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>',
    "llama": '{"name": "weather", "parameters": {"city": "Zürich"}}',
    "mistral": '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Zürich"}}]',
    "mistral, later": '[TOOL_CALLS]weather[ARGS]{"city": "Zürich"}',
}
TWO = {
    "hermes": f"{CALLS['hermes']}\n{CALLS['hermes']}",
    "llama": f"{CALLS['llama']}; {CALLS['llama']}",
    "mistral": f"{CALLS['mistral'][:-1]}, {CALLS['mistral'][13:]}",
    "mistral, later": CALLS["mistral, later"] * 2,
}


@pytest.fixture(scope="module", params=[(f, kind) for f in FORMATS for kind in ("special", "added", "text")], ids=str)
def case(request: Any, make_writer: Any) -> tuple[str, CallFormat, Any, dict[str, Any]]:
    """A format, a writer whose markers are special tokens, added ones (Qwen's) or text, and the grammar's arguments."""
    name, kind = request.param
    writer = make_writer(() if kind == "text" else FORMATS[name].markers, special=kind == "special")
    return name, FORMATS[name], writer, {"call_format": FORMATS[name], "marker_ids": writer.marker_ids}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("qwen25", HERMES),
        ("qwen3", HERMES),
        ("smollm2", HERMES),
        ("llama3", LLAMA),
        ("mistral_v3", MISTRAL),
        (LATER_MISTRAL, MISTRAL_ARGS),
    ],
)
def test_the_format_is_told_from_the_chat_template(golden: Path, template: str, expected: CallFormat) -> None:
    tokenizer = AutoTokenizer.from_pretrained(golden / "toy_tokenizer")
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    named = TEMPLATES / f"{template[:40]}.jinja"
    tokenizer.chat_template = named.read_text() if named.exists() else template
    found = ChatTokenizer(tokenizer).call_format
    assert (found.opening, found.after_name, found.closing) == (expected.opening, expected.after_name, expected.closing)
    assert found.lead.strip() == expected.lead.strip()


def test_forced_calls_in_every_format_parse_and_are_valid(
    case: Any, make_tools: Callable[..., list[ToolSchema]]
) -> None:
    _, form, writer, arguments = case
    for tool in make_tools(40, seed=2):
        content, calls, invalid = parse_tool_calls(
            writer.write(grammar([tool], tool.name, **arguments)), call_format=form
        )
        assert (content, len(calls), invalid) == ("", 1, ())
        assert calls[0].name == tool.name
        jsonschema.Draft202012Validator(tool.parameters).validate(dict(calls[0].arguments))


def test_free_text_and_valid_calls_may_come_where_both_are_allowed(case: Any) -> None:
    name, form, writer, arguments = case
    auto = grammar([WEATHER], "auto", **arguments)
    assert writer.accepts(auto, "It rains.")
    assert writer.accepts(auto, CALLS[name])
    behind_text = CALLS[name] if name != "llama" else f"{form.opening}{CALLS[name]}"
    assert writer.accepts(auto, f"Let me see. {behind_text}")
    for wrong in (CALLS[name].replace("weather", "wether"), CALLS[name].replace('"city"', '"town"')):
        assert not writer.accepts(auto, wrong)
    assert not writer.accepts(auto, TWO[name])
    required = grammar([WEATHER], "required", **arguments)
    assert writer.accepts(required, CALLS[name])
    assert not writer.accepts(required, "It rains.")


@pytest.mark.parametrize("form", [HERMES, LLAMA, MISTRAL, MISTRAL_ARGS], ids=list(FORMATS))
def test_the_text_of_a_marker_by_other_tokens_does_not_come_out(make_writer: Any, form: CallFormat) -> None:
    writer = make_writer(form.markers, special=False)
    constraint = writer.compiler.constraint(grammar([WEATHER], "auto", call_format=form, marker_ids=writer.marker_ids))
    for sign in form.opening[:-1]:
        constraint.advance(writer.tokenizer.encode(sign, add_special_tokens=False)[0])
    last = writer.tokenizer.encode(form.opening[-1], add_special_tokens=False)[0]
    assert constraint.allowed(torch.zeros(len(writer.tokenizer)))[last] == float("-inf")


def test_several_calls_come_out_and_are_read_where_they_may(case: Any) -> None:
    name, form, writer, arguments = case
    several = grammar([WEATHER], "required", parallel_calls=True, **arguments)
    assert writer.accepts(several, TWO[name])
    content, calls, invalid = parse_tool_calls(TWO[name], call_format=form)
    assert (content, [call.name for call in calls], invalid) == ("", ["weather"] * 2, ())


@pytest.mark.parametrize("name", FORMATS)
def test_a_call_behind_text_is_told_from_it(name: str) -> None:
    form = FORMATS[name]
    text = f"Let me see. {'' if name != 'llama' else form.opening}{CALLS[name]}"
    call = ToolCall(id="abcdefg00", name="weather", arguments={"city": "Zürich"})
    assert parse_tool_calls(text, id_prefix="abcdefg", call_format=form) == ("Let me see.", (call,), ())


@pytest.mark.parametrize("name", FORMATS)
def test_a_call_cut_anywhere_is_invalid_or_whole_and_never_shown_as_text(name: str) -> None:
    form, text = FORMATS[name], f"  {CALLS[name]}"
    for end in range(len(text) + 1):
        content, calls, invalid = parse_tool_calls(text[:end], call_format=form)
        assert len(calls) + len(invalid) <= 1
        assert content_length(text[:end], call_format=form) == 0
        if calls:
            assert json.dumps(dict(calls[0].arguments), ensure_ascii=False) in text[:end]
        if not calls and not invalid:
            assert content.strip() in text


def test_an_answer_in_json_that_is_no_call_stays_text() -> None:
    text = '{"name": "Tom", "age": 3}'
    assert parse_tool_calls(text, call_format=LLAMA) == (text, (), ())


def test_an_id_that_a_mistral_model_writes_itself_is_left_out() -> None:
    _, calls, _ = parse_tool_calls(
        '[TOOL_CALLS]weather[CALL_ID]abc123def[ARGS]{"city": "Rome"}', call_format=MISTRAL_ARGS
    )
    assert (calls[0].name, dict(calls[0].arguments)) == ("weather", {"city": "Rome"})


def test_markers_that_are_special_tokens_survive_decoding_and_others_do_not(golden: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(golden / "toy_tokenizer")
    tokenizer.add_special_tokens(
        {"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": ["[TOOL_CALLS]", "[OTHER]"]}
    )
    tokenizer.chat_template = (TEMPLATES / "mistral_v3.jinja").read_text()
    chat = ChatTokenizer(tokenizer)
    assert list(chat.marker_ids) == ["[TOOL_CALLS]"]
    ids = tokenizer.encode("a[TOOL_CALLS] [b][OTHER]</s>", add_special_tokens=False)
    assert chat.decode(ids) == "a[TOOL_CALLS] [b]"
    decoder = chat.stream_decoder()
    assert "".join([*map(decoder.push, ids), decoder.flush()]) == "a[TOOL_CALLS] [b]"
