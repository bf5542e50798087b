"""Chat messages as plain values: what frameworks hand over, before any tokenizer or tensor.

Knows roles, tool calls and digests; knows nothing of templates, torch or stores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dmem_agents.errors import MessageError

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One call that the model asked for."""

    id: str
    """The caller's handle, repeated by the tool's answer."""
    name: str
    """The tool's name."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments, JSON values only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat message. Raises `MessageError` for an unknown role or content that is not text."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls an assistant message asks for."""
    tool_call_id: str | None = None
    """On a tool message: which call it answers."""
    name: str | None = None
    """Speaker or tool name; shown when the template has a place for it."""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise MessageError(f"Expected a role out of {', '.join(ROLES)}; got {self.role!r}.")
        if not isinstance(self.content, str):
            raise MessageError(
                f"Expected the content of a {self.role} message as `str`, got "
                f"`{type(self.content).__name__}`. This model reads text only: join the text parts "
                "into one string and leave images and other parts out."
            )

    def digest(self) -> bytes:
        """16 bytes that identify what was said: role, content, tool calls and tool_call_id.

        White space around an answer doesn't count: chat engines strip it before they send the answer back.
        """
        payload: list[Any] = [
            self.role,
            self.content.strip() if self.role == "assistant" else self.content,
            [[c.id, c.name, dict(c.arguments)] for c in self.tool_calls],
            self.tool_call_id,
        ]
        try:
            text = json.dumps(payload, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise MessageError(
                f"Expected JSON values as tool-call arguments of a {self.role} message: {error}."
            ) from error
        return hashlib.blake2b(text.encode(), digest_size=16).digest()
