"""Seeded tool schemas of every shape people write: nested, enums, unions, unicode, no arguments, many properties."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from dmem_agents.tool_calling import ToolSchema

_WORDS = (
    "city",
    "größe",
    "日付",
    "user-id",
    "amount",
    "名前",
    "emoji 🙂",
    'quote"d',
    "path\\to",
    "ünits",
    "kind",
    "notes",
)


@pytest.fixture(scope="session")
def make_tools() -> Callable[..., list[ToolSchema]]:
    return tool_schemas


def tool_schemas(count: int, *, seed: int) -> list[ToolSchema]:
    """So many tools; the same for equal seeds."""
    generator = random.Random(seed)
    return [_tool(generator, number) for number in range(count)]


def _tool(generator: random.Random, number: int) -> ToolSchema:
    name = f"{generator.choice(('get', 'set', 'наити', 'do-it', 'tool.v2'))}_{number}"
    match number % 10:
        case 0:
            parameters: dict[str, Any] = {"type": "object", "properties": {}}
        case 1:
            parameters = _object(generator, properties=30, depth=0)
        case 2:
            parameters = _recursive(generator)
        case _:
            parameters = _object(generator, properties=generator.randint(1, 5), depth=3)
    return ToolSchema(name=name, description="Does things.", parameters=parameters)


def _object(generator: random.Random, *, properties: int, depth: int) -> dict[str, Any]:
    names = [f"{generator.choice(_WORDS)}{index or ''}" for index in range(properties)]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _value(generator, depth) for name in names},
        "required": [name for name in names if generator.random() < 0.7],
    }
    if generator.random() < 0.3:
        schema["additionalProperties"] = False
    return schema


def _value(generator: random.Random, depth: int) -> dict[str, Any]:
    leaves: list[dict[str, Any]] = [
        {"type": "string"},
        {"type": "string", "maxLength": 12, "description": "Kurz – 短い"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "password"},
        {"type": "integer"},
        {"type": "integer", "minimum": -3, "maximum": 40},
        {"type": "number"},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "boolean", "default": True},
        {"enum": ["rot", "grün", "青", 3, None]},
        {"const": "fixed ✓"},
        {"type": ["string", "null"]},
        {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"},
    ]
    if depth == 0 or generator.random() < 0.5:
        return generator.choice(leaves)
    match generator.randrange(4):
        case 0:
            return _object(generator, properties=generator.randint(0, 3), depth=depth - 1)
        case 1:
            return {"type": "array", "items": _value(generator, depth - 1), "maxItems": generator.randint(1, 4)}
        case 2:
            return {"anyOf": [_value(generator, depth - 1), {"type": "null"}, _value(generator, 0)]}
        case _:
            tagged = [
                {
                    "type": "object",
                    "properties": {"kind": {"const": kind}, "value": _value(generator, 0)},
                    "required": ["kind"],
                }
                for kind in ("a", "b")
            ]
            return {"oneOf": tagged, "discriminator": {"propertyName": "kind"}}


def _recursive(generator: random.Random) -> dict[str, Any]:
    node = {
        "type": "object",
        "properties": {"label": _value(generator, 0), "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
        "required": ["label", "next"],
    }
    return {"type": "object", "properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}
