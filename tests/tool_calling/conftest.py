"""Seeded tool schemas of every shape people write, and a writer of random text that a grammar allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from transformers import AddedToken

from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.testing.tiny_model import tiny_tokenizer
from dmem_agents.tool_calling import ToolSchema

EOS = 2
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


class RandomWriter:
    """Writes what a grammar allows, with a liking for the signs that end things."""

    def __init__(self, markers: Sequence[str] = (), *, special: bool = True) -> None:
        self.tokenizer = tiny_tokenizer()
        self.tokenizer.add_tokens([AddedToken(mark, special=special, normalized=False) for mark in markers], special)
        self.marker_ids = {mark: self.tokenizer.convert_tokens_to_ids(mark) for mark in markers}
        self.compiler = GrammarCompiler(self.tokenizer, {EOS})
        liking = torch.zeros(len(self.tokenizer))
        liking[[self.tokenizer.convert_tokens_to_ids(sign) for sign in '"}],']] = 4.0
        liking[EOS] = 8.0
        generator = torch.Generator().manual_seed(0)
        self._scores = 1.3 * torch.randn(997, len(liking), generator=generator) + liking
        self._step = 0

    def write(self, text: str, *, most: int = 4000) -> str:
        constraint = self.compiler.constraint(text)
        ids: list[int] = []
        while not constraint.stopped and len(ids) < most:
            self._step += 1
            token = int(constraint.allowed(self._scores[self._step % len(self._scores)]).argmax())
            constraint.advance(token)
            if token == EOS:
                break
            ids.append(token)
        return str(self.tokenizer.decode(ids))

    def accepts(self, text: str, answer: str) -> bool:
        """Whether `answer` can come out, and be the whole answer."""
        constraint = self.compiler.constraint(text)
        scores = torch.zeros(len(self.tokenizer))
        for token in [*self.tokenizer.encode(answer, add_special_tokens=False), EOS]:
            if constraint.stopped:
                return token == EOS
            if constraint.allowed(scores)[token] == float("-inf"):
                return False
            constraint.advance(token)
        return True


@pytest.fixture(scope="module")
def writer() -> RandomWriter:
    return RandomWriter()


@pytest.fixture(scope="session")
def make_writer() -> type[RandomWriter]:
    return RandomWriter


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
