"""What the tests of agents share: a tiny real model that calls a tool first and then answers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig

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


@pytest.fixture
def tool_user(tiny: dict[str, Any]) -> ToolUser:
    return ToolUser(**{**tiny, "max_tokens": 100})


def of_thread(thread_id: str, **more: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, **more}}


@pytest.fixture(name="of_thread")
def of_thread_fixture() -> Any:
    """The config of a LangGraph thread."""
    return of_thread
