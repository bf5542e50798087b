"""What an answer may look like, as a grammar for llguidance: free text, calls of tools on offer, JSON of a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dmem_agents.call_formats import HERMES, CallFormat
from dmem_agents.tool_calling.schemas import ToolSchema, check_tool_choice

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


def grammar(
    tools: Sequence[ToolSchema],
    tool_choice: str = "auto",
    response_schema: Mapping[str, Any] | None = None,
    *,
    parallel_calls: bool = False,
    lenient: bool = False,
    call_format: CallFormat = HERMES,
    marker_ids: Mapping[str, int] | None = None,
) -> str:
    """What an answer may look like, in llguidance's Lark dialect.

    Args:
        tools: on offer.
        tool_choice: "auto": free text, which a call may follow; "required": a call; "none": text without a call;
            or the name of the tool to call.
        response_schema: JSON schema of an answer that is no call; None is free text.
        parallel_calls: whether more calls may follow the first.
        lenient: leave out what the grammar can't express instead of failing to compile.
        call_format: how calls are spelt.
        marker_ids: those of the format's markers that are one special or added token of the model, with its id; the
            others are text.

    Raises:
        ConfigError: the choice and the tools don't fit.
    """
    check_tool_choice(tools, tool_choice)
    offered = [tool for tool in tools if tool_choice in ("auto", "required", tool.name)]
    if tool_choice == "none":
        offered = []
    spelling = _Spelling(call_format, marker_ids or {})
    forms: list[str] = []
    lines: list[str] = []
    if offered:
        lines += _call_rules(offered, spelling, parallel_calls, lenient)
        if tool_choice == "auto" and response_schema is None:
            forms += ["lead calls", *(["bare named_calls"] if call_format.opening_is_optional else [])]
            lines += spelling.lead_rules()
        else:
            forms.append(f"{spelling.opening} calls")
    if tool_choice in ("auto", "none") and response_schema is None:
        forms.append("TEXT")
        # Where the marker is a token, its text by other tokens would be read as a call that it isn't.
        unmarked = "" if offered and call_format.opening not in spelling.marker_ids else spelling.without_marker
        lines.append(f"TEXT: /(?s:.*)/{unmarked}")
    elif tool_choice in ("auto", "none"):
        forms.append("json")
        lines.append(f"json: %json {_compilable(response_schema or {}, lenient)}")
    return "\n".join([f"start: {' | '.join(forms)}", *lines]) + "\n"


class _Spelling:
    """A call format in Lark: its markers as tokens where the model has them as tokens, all else as text."""

    def __init__(self, call_format: CallFormat, marker_ids: Mapping[str, int]) -> None:
        self.format = call_format
        self.marker_ids = marker_ids

    @property
    def without_marker(self) -> str:
        """What keeps a text from holding the opening marker."""
        return f" & ~/(?s:.*){_escaped(self.format.opening)}(?s:.*)/"

    @property
    def opening(self) -> str:
        """What a call begins with where one must come."""
        return self.of("" if self.format.opening_is_optional else self.format.opening + self.format.lead)

    def lead_rules(self) -> list[str]:
        """Rules for how a call may begin where text may come as well."""
        marker = self.format.opening
        if marker in self.marker_ids:  # never part of a text
            rules = [f"lead: TEXT {self.of(marker + self.format.lead)}"]
        else:  # the marker begins a call whatever text goes before it
            rules = [f"lead: marked {self.of(self.format.lead)}", f"marked[lazy]: TEXT {_literal(marker)}"]
        if self.format.opening_is_optional:
            rules.append(f"bare[lazy]: {_literal(self.format.before_name)}")
        return rules

    def of(self, text: str) -> str:
        """A text as terminals, one after the other."""
        pattern = "|".join(map(re.escape, self.marker_ids)) or "(?!)"
        parts = [part for part in re.split(f"({pattern})", text) if part]
        return " ".join(f"<[{self.marker_ids[p]}]>" if p in self.marker_ids else _literal(p) for p in parts)


def _call_rules(tools: Sequence[ToolSchema], spelling: _Spelling, parallel_calls: bool, lenient: bool) -> list[str]:
    """Rules for what follows the opening; each tool's arguments are a schema of their own."""
    form = spelling.format
    calls, named, rules = [], [], []
    for number, tool in enumerate(tools):
        head = form.spelt(tool.name) + form.after_name
        calls.append(f"{spelling.of(form.before_name + head)} arguments_{number}")
        named.append(f"{spelling.of(head)} arguments_{number}")
        parameters = {"type": "object", **tool.parameters}
        rules.append(f"arguments_{number}: %json {_compilable(parameters, lenient)}")
    end, closing = spelling.of(form.after_arguments), spelling.of(form.closing)
    more = f"({spelling.of(form.separator)} call)*" if parallel_calls else ""
    rules += [f"calls: call {more} {closing}", f"call: ({' | '.join(calls)}) {end}"]
    if form.opening_is_optional:
        rules += [f"named_calls: named {more} {closing}", f"named: ({' | '.join(named)}) {end}"]
    return rules


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    """A text inside a regular expression of Lark's."""
    return re.escape(text).replace("/", r"\/")


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
