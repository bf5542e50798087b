"""Tools a model may call: their schemas, a grammar that lets only valid calls out, and a parser for what came.

    tools, tool_choice, response_schema ─grammar─▶ text for llguidance
    answer's text ─parse_tool_calls─▶ content, calls, invalid calls

Calls are text as `hermes` defines it, on every model. Knows no chat template, tokenizer or framework.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dmem_agents.errors import ConfigError
from dmem_agents.hermes import CALL_CLOSING, CALL_OPENING
from dmem_agents.messages import ToolCall

# How JSON is written: as `json.dumps` does, so that an answer and the chat template's rendering of it are the same
# tokens. No `\\uXXXX`, which could spell half a character.
_JSON_STYLE = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nrbtf\\"',
    "coerce_one_of": True,
}
# Formats the grammar knows; a format is an annotation in JSON Schema, so others may be left out.
_KNOWN_FORMATS = frozenset(
    "date-time time date duration email hostname ipv4 ipv6 uuid uri".split(),
)
_MAPS_OF_SCHEMAS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties")
_COMPOSING = ("allOf", "anyOf", "oneOf", "$ref")
_ID_LETTERS = string.ascii_letters + string.digits
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSchema:
    """One tool on offer. Raises `ConfigError` without a name, or when the parameters are no JSON object schema."""

    name: str
    """What calls name it by."""
    description: str = ""
    """What it does, in words for the model."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NO_ARGUMENTS)
    """JSON schema of the arguments."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigError(f"Expected the name of a tool as a non-empty text, got {self.name!r}.")
        if not isinstance(self.parameters, Mapping) or self.parameters.get("type", "object") != "object":
            raise ConfigError(
                f"Expected the parameters of tool {self.name!r} as a JSON schema of type object. Wrap a single "
                'value: {"type": "object", "properties": {"value": ...}}.'
            )
        try:
            json.dumps(self.parameters)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Expected JSON values in the parameters of tool {self.name!r}: {error}.") from error

    @classmethod
    def from_openai(cls, tool: Mapping[str, Any]) -> ToolSchema:
        """A tool in the OpenAI function format: `{"type": "function", "function": {"name": ...}}`.

        Raises:
            ConfigError: `tool` is something else.
        """
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or "name" not in function:
            raise ConfigError(
                'Expected a tool as {"type": "function", "function": {"name": ..., "parameters": ...}}. Tools that '
                "a provider runs on its own servers don't exist for a local model."
            )
        return cls(
            name=function["name"],
            description=function.get("description") or "",
            parameters=function.get("parameters") or _NO_ARGUMENTS,
        )

    def as_openai(self) -> dict[str, Any]:
        """The OpenAI function format, which chat templates take."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True, kw_only=True, slots=True)
class InvalidToolCall:
    """A call that can't be made: cut off at the token limit, or not JSON. It is not part of the conversation."""

    id: str
    """As of a call."""
    name: str | None
    """The tool, when that much could be read."""
    text: str
    """What the model wrote."""
    error: str
    """What is wrong with it."""


ParsedCalls = tuple[str, tuple[ToolCall, ...], tuple[InvalidToolCall, ...]]


def check_tool_choice(tools: Sequence[ToolSchema], tool_choice: str) -> None:
    """Refuse a choice that these tools don't offer, and tools that calls could not tell apart.

    Raises:
        ConfigError: an unknown name, a forced call without tools, or two tools of one name.
    """
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise ConfigError(f"Expected tools of different names, got {', '.join(map(repr, names))}.")
    if tool_choice in ("auto", "none"):
        return
    if not tools or (tool_choice != "required" and tool_choice not in names):
        raise ConfigError(
            f'Expected tool_choice "auto", "none", "required" or the name of a tool out of '
            f"{', '.join(map(repr, names)) or '(none)'}; got {tool_choice!r}."
        )


def grammar(
    tools: Sequence[ToolSchema],
    tool_choice: str = "auto",
    response_schema: Mapping[str, Any] | None = None,
    *,
    parallel_calls: bool = False,
    lenient: bool = False,
) -> str:
    """What an answer may look like, in llguidance's Lark dialect.

    Args:
        tools: on offer.
        tool_choice: "auto": free text, which a call may follow; "required": a call; "none": text without a call;
            or the name of the tool to call.
        response_schema: JSON schema of an answer that is no call; None is free text.
        parallel_calls: whether more calls may follow the first.
        lenient: leave out what the grammar can't express instead of failing to compile.

    Raises:
        ConfigError: the choice and the tools don't fit.
    """
    check_tool_choice(tools, tool_choice)
    offered = [tool for tool in tools if tool_choice in ("auto", "required", tool.name)]
    if tool_choice in ("auto", "none"):
        forms = ["json"] if response_schema is not None else ["TEXT"]
    else:
        forms = []
    lines = []
    if offered and tool_choice != "none":
        lines = _call_rules(offered, parallel_calls, lenient)
        if tool_choice == "auto" and response_schema is None:
            forms.append("lead calls")
            lines.append(f"lead[lazy]: TEXT {_literal(CALL_OPENING)}")
        else:
            forms.append(f"{_literal(CALL_OPENING)} calls")
    if "TEXT" in forms:
        free = "/(?s:.*)/"
        lines.append(f"TEXT: {free}" if offered and tool_choice == "auto" else f"TEXT: {_without_calls(free)}")
    if "json" in forms:
        lines.append(f"json: %json {_compilable(response_schema or {}, lenient)}")
    return "\n".join([f"start: {' | '.join(forms)}", *lines]) + "\n"


def parse_tool_calls(text: str, *, id_prefix: str | None = None) -> ParsedCalls:
    """What an answer says, the calls in it, and the calls that can't be made. Never raises.

    Args:
        text: the answer, whole or so far.
        id_prefix: of the calls' ids; give the same for every parse of a growing answer. None draws one.
    """
    start = text.find(CALL_OPENING)
    if start < 0:
        return text, (), ()
    prefix = new_call_prefix() if id_prefix is None else id_prefix
    said = [text[:start].rstrip()]
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    while start >= 0:
        call_id = f"{prefix}{len(calls) + len(invalid):02d}"
        body = start + len(CALL_OPENING)
        call, end = _read_call(text, body, call_id)
        if isinstance(call, ToolCall):
            calls.append(call)
        else:
            invalid.append(call)
        start = text.find(CALL_OPENING, end)
        said.append(text[end : start if start >= 0 else len(text)].strip())
    return "\n".join(part for part in said if part), tuple(calls), tuple(invalid)


def new_call_prefix() -> str:
    """Seven random letters and digits: with two more they are an id that every known template takes."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(7))


def content_length(text: str) -> int:
    """How much of a growing answer is certainly content: not a call, its beginning, or the space before it."""
    end = text.find(CALL_OPENING)
    if end < 0:
        most = min(len(CALL_OPENING) - 1, len(text))
        held = next((n for n in range(most, 0, -1) if text.endswith(CALL_OPENING[:n])), 0)
        end = len(text) - held
    return len(text[:end].rstrip())


def _read_call(text: str, start: int, call_id: str) -> tuple[ToolCall | InvalidToolCall, int]:
    """The call whose JSON begins at `start`, and where the text after it goes on."""
    begin = _after_space(text, start)
    name = None
    try:
        value, end = _DECODER.raw_decode(text, begin)
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise ValueError("Expected a JSON object with the tool's name.")
        name = value["name"]
        arguments = value.get("arguments", value.get("parameters", {}))
        if not isinstance(arguments, dict):
            raise ValueError("Expected the arguments as a JSON object.")
        json.dumps([name, arguments], ensure_ascii=False).encode()  # half a character can't be stored or shown
        call = ToolCall(id=call_id, name=name, arguments=arguments)
    except (ValueError, RecursionError) as error:
        # A closing tag may stand inside a text that was cut off, so only the next call ends this one.
        following = text.find(CALL_OPENING, start)
        end = following if following >= 0 else len(text)
        said = text[start:end].strip().removesuffix(CALL_CLOSING).strip()
        found = name or _named(said)
        return InvalidToolCall(id=call_id, name=found, text=said, error=_reason(error)), end
    closing = text[_after_space(text, end) :][: len(CALL_CLOSING)]
    if CALL_CLOSING.startswith(closing):  # whole, cut off, or not there yet
        end = _after_space(text, end) + len(closing)
    return call, end


def _after_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _named(said: str) -> str | None:
    found = re.match(r'\{\s*"name":\s*"([^"\\]+)"', said)
    return found.group(1) if found else None


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"Expected JSON: {error.msg}."
    if isinstance(error, UnicodeEncodeError):
        return "Expected valid Unicode; the call has an unpaired surrogate."
    return str(error) if isinstance(error, ValueError) else "The JSON is nested too deeply."


def _finite(number: str) -> float:
    """A number beyond the range of a double is read as the largest one: JSON has no infinity."""
    value = float(number)
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"Expected JSON, which has no {name}.")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _call_rules(tools: Sequence[ToolSchema], parallel_calls: bool, lenient: bool) -> list[str]:
    """Rules for what follows the opening tag; each tool's arguments are a schema of their own."""
    bodies = []
    rules = []
    for number, tool in enumerate(tools):
        name = json.dumps(tool.name, ensure_ascii=False)
        head = _literal(f'\n{{"name": {name}, "arguments": ')
        bodies.append(f"{head} arguments_{number}")
        parameters = {"type": "object", **tool.parameters}
        rules.append(f"arguments_{number}: %json {_compilable(parameters, lenient)}")
    closing = _literal(f"}}\n{CALL_CLOSING}")
    more = f" ({_literal(chr(10) + CALL_OPENING)} call)*" if parallel_calls else ""
    return [f"calls: call{more}", f"call: ({' | '.join(bodies)}) {closing}", *rules]


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _without_calls(free: str) -> str:
    return f"{free} & ~/(?s:.*){CALL_OPENING}(?s:.*)/"


def _compilable(schema: Mapping[str, Any], lenient: bool) -> str:
    """The schema as the grammar compiler takes it, with how JSON is to be written."""
    style = {**_JSON_STYLE, **({"lenient": True} if lenient else {})}
    closing = not any(_composes(part) for part in _parts(schema))
    return json.dumps({**_adapted(schema, closing), "x-guidance": style}, ensure_ascii=False)


def _adapted(schema: Any, closing: bool) -> Any:
    """Without formats the grammar doesn't know; `closing` refuses properties that the schema doesn't name.

    JSON Schema lets any property in where none is forbidden, which no tool means and which a model could go on
    with for ever.
    """
    if not isinstance(schema, Mapping):
        return schema
    adapted = dict(schema)
    for key in _MAPS_OF_SCHEMAS:
        if isinstance(adapted.get(key), Mapping):
            adapted[key] = {name: _adapted(part, closing) for name, part in adapted[key].items()}
    for key in _LISTS_OF_SCHEMAS:
        if isinstance(adapted.get(key), list):
            adapted[key] = [_adapted(part, closing) for part in adapted[key]]
    for key in _SCHEMAS:
        if key in adapted:
            adapted[key] = _adapted(adapted[key], closing)
    if isinstance(adapted.get("format"), str) and adapted["format"] not in _KNOWN_FORMATS:
        del adapted["format"]
    if closing and "properties" in adapted and "patternProperties" not in adapted:
        adapted.setdefault("additionalProperties", False)
    return adapted


def _parts(schema: Any) -> Iterable[Mapping[str, Any]]:
    """A schema and all schemas inside it."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    inner: list[Any] = [schema.get(key) for key in _SCHEMAS]
    for key in _MAPS_OF_SCHEMAS:
        if isinstance(schema.get(key), Mapping):
            inner += schema[key].values()
    for key in _LISTS_OF_SCHEMAS:
        if isinstance(schema.get(key), list):
            inner += schema[key]
    for part in inner:
        yield from _parts(part)


def _composes(schema: Mapping[str, Any]) -> bool:
    """Whether properties come together from several places, so that closing one of them would shut out the rest."""
    several = isinstance(schema.get("allOf"), list) and len(schema["allOf"]) > 1
    return several or ("properties" in schema and any(key in schema for key in _COMPOSING))
