"""What the integration tests share: a session that only takes notes, and a tiny real model."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from dmem_agents import (
    DeltaMemConfig,
    Message,
    Reply,
    ReplyChunk,
    SessionConfig,
    TurnOptions,
    attach,
    open_session,
    save_adapter,
)
from dmem_agents.store import InMemoryStateStore
from dmem_agents.testing.tiny_model import save_tiny_model, tiny_model


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

    def reply(self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions) -> Reply:
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
            cached_tokens=5,
            completion_tokens=3,
            absorbed_messages=2,
            absorbed_tokens=0,
            state_bytes=1024,
        )


@pytest.fixture(autouse=True, scope="session")
def _no_event_loop_by_default() -> None:
    """LlamaIndex's synchronous methods and pytest-asyncio ask for the thread's loop, which makes one nobody closes."""
    with warnings.catch_warnings(), suppress(RuntimeError):
        warnings.simplefilter("ignore")
        asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


@pytest.fixture
def noting() -> NotingSession:
    return NotingSession()


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny model and an adapter whose corrections show in the answers."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = DeltaMemConfig(rank=4, num_state_heads=2, output_init="random", beta_bias_init=1.0)
        with_memory = attach(tiny_model(), config, backbone_id="tiny")
        with torch.no_grad():
            for parameter in with_memory.adapter_parameters().values():
                parameter.add_(0.3 * torch.randn(parameter.shape))
    save_adapter(with_memory, folder / "adapter")
    return {"model": str(save_tiny_model(folder / "model")), "adapter": str(folder / "adapter")}


@pytest.fixture
def tiny(tiny_folders: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Arguments of a `DeltaMemLLM` over a tiny model and a store of its own."""
    arguments: dict[str, Any] = {**tiny_folders, "store": InMemoryStateStore(), "dtype": "float32"}
    yield {**arguments, "max_tokens": 8}
    open_session(SessionConfig(**arguments)).close()
