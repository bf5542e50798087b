"""What the integration tests share: a session that only takes notes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, NamedTuple

import pytest

from dmem_agents import Message, Reply, ReplyChunk, TurnOptions


class Turn(NamedTuple):
    """What a chat model asked the session for."""

    messages: list[Message]
    agent_id: str | None
    options: TurnOptions


class NotingSession:
    """Answers "Hello Tom" to everything, in two pieces when streamed, and keeps what it was asked for."""

    model_name = "noting"
    max_context = 1234

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.finished = 0

    def reply(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions
    ) -> Reply:
        self.turns.append(Turn(list(messages), agent_id, options))
        self.finished += 1
        return self._reply(agent_id)

    def stream(self, messages: Sequence[Message], **turn: Any) -> Generator[ReplyChunk]:
        self.turns.append(Turn(list(messages), **turn))
        yield ReplyChunk(text="Hello ")
        yield ReplyChunk(text="Tom")
        self.finished += 1
        yield ReplyChunk(text="", reply=self._reply(turn["agent_id"]))

    async def areply(self, messages: Sequence[Message], **turn: Any) -> Reply:
        return self.reply(messages, **turn)

    async def astream(self, messages: Sequence[Message], **turn: Any) -> AsyncGenerator[ReplyChunk]:
        for chunk in self.stream(messages, **turn):
            yield chunk

    @property
    def agents(self) -> list[str | None]:
        return [turn.agent_id for turn in self.turns]

    @property
    def last(self) -> Turn:
        return self.turns[-1]

    @staticmethod
    def _reply(agent_id: str | None) -> Reply:
        return Reply(
            text="Hello Tom",
            finish_reason="stop",
            agent_id=agent_id,
            version=7,
            prompt_tokens=11,
            completion_tokens=3,
            absorbed_messages=2,
            absorbed_tokens=0,
            state_bytes=1024,
        )


@pytest.fixture
def noting() -> NotingSession:
    return NotingSession()
