"""Tools on offer, and which of them may be chosen. Plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dmem_agents.errors import ConfigError

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
