"""Turns: load → absorb → generate → commit, wholly or not at all.

- `session`   `MemorySession` and `open_session`: one model, one store, many agents
- `options`   what goes in and comes out, as plain values
- `turn`      one turn as a generator of commands
- `commands`  the commands, and the two drivers (blocking, asyncio) that carry them out
- `job`       one call's plan as tokens: what is shown, what is written, and the numbers of the reply
- `prompts`   shown messages → tokens, and which of them are written
- `answer`    the answer's text as it grows: decoding, stop strings, tool calls
"""

from __future__ import annotations

from dmem_agents.session.options import (
    AgentInfo,
    HistoryDivergedWarning,
    Reply,
    ReplyChunk,
    SchemaNotEnforcedWarning,
    SessionConfig,
    TurnOptions,
)
from dmem_agents.session.session import MemorySession, open_session

__all__ = [
    "AgentInfo",
    "HistoryDivergedWarning",
    "MemorySession",
    "Reply",
    "ReplyChunk",
    "SchemaNotEnforcedWarning",
    "SessionConfig",
    "TurnOptions",
    "open_session",
]
