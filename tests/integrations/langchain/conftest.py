"""What the tests of agents share: a tiny real model that calls a tool first and then answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig

from dmem_agents import StateError
from dmem_agents.store import InMemoryStateStore
from dmem_agents.store.base import StoredRecord
from langchain_dmem import DeltaMemLLM


class ToolUser(DeltaMemLLM):
    """Calls some tool that is on offer, and answers when a result is there, as a larger model would."""

    def _turn(self, stop: Any, kwargs: dict[str, Any]) -> Any:
        answers = kwargs.pop("answers")
        return super()._turn(stop, {**kwargs, **({"max_tokens": 4} if answers else {})})

    def _generate(self, messages: Any, *arguments: Any, **kwargs: Any) -> Any:
        return super()._generate(messages, *arguments, **self._choice(messages, kwargs))

    async def _agenerate(self, messages: Any, *arguments: Any, **kwargs: Any) -> Any:
        return await super()._agenerate(messages, *arguments, **self._choice(messages, kwargs))

    def _stream(self, messages: Any, *arguments: Any, **kwargs: Any) -> Any:
        return super()._stream(messages, *arguments, **self._choice(messages, kwargs))

    @staticmethod
    def _choice(messages: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        offered = bool(kwargs.get("tools"))
        answers = not offered or isinstance(messages[-1], ToolMessage)
        return {**kwargs, "answers": answers, **({} if answers else {"tool_choice": "required"})}


class KeepingStore(InMemoryStateStore):
    """Keeps every version of every agent."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[tuple[str, int], bytes] = {}

    def commit(self, agent_id: str, data: bytes, **more: Any) -> StoredRecord:
        stored = super().commit(agent_id, data, **more)
        self._versions[agent_id, stored.version] = data
        return stored

    def restore(self, agent_id: str, version: int) -> StoredRecord:
        if (agent_id, version) not in self._versions:
            raise StateError(f"version {version} is not kept")
        return self.commit(agent_id, self._versions[agent_id, version], expected=self.load(agent_id))

    def drop_versions(self) -> None:
        self._versions.clear()


@pytest.fixture
def keeping() -> KeepingStore:
    return KeepingStore()


@pytest.fixture
def traveller(tiny_folders: dict[str, str], keeping: KeepingStore) -> Iterator[ToolUser]:
    """A tool user over a store that keeps all versions."""
    llm = ToolUser(**tiny_folders, store=keeping, dtype="float32", max_tokens=100)
    yield llm
    llm._memory_session().close()


@pytest.fixture
def tool_user(tiny: dict[str, Any]) -> ToolUser:
    return ToolUser(**{**tiny, "max_tokens": 100})


def of_thread(thread_id: str, **more: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, **more}}


@pytest.fixture(name="of_thread")
def of_thread_fixture() -> Any:
    """The config of a LangGraph thread."""
    return of_thread
