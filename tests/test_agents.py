from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from dmem_agents.agents import agent, check_agent_id, current_agent
from dmem_agents.errors import AgentIdError


@pytest.mark.parametrize("agent_id", ["a", " ", "a:b/c{d}*", "ä\n\0'\"", "x" * 4096, "é" * 2048])
def test_any_non_empty_string_names_an_agent(agent_id: str) -> None:
    assert check_agent_id(agent_id) == agent_id


@pytest.mark.parametrize(
    ("agent_id", "said"),
    [
        ("", "non-empty"),
        (None, "`NoneType`"),
        (7, "`int`"),
        (b"alice", "`bytes`"),
        ("x" * 4097, "at most 4096 bytes"),
        ("é" * 2049, "got 4098"),
        ("ab\ud800", "character 2 is an unpaired surrogate"),
    ],
)
def test_what_cannot_name_an_agent_is_refused_with_advice(agent_id: Any, said: str) -> None:
    with pytest.raises(AgentIdError, match=said):
        check_agent_id(agent_id)


def test_the_innermost_agent_counts_and_blocks_end_even_on_errors() -> None:
    assert current_agent() is None
    with agent("alice") as outer:
        assert (outer, current_agent()) == ("alice", "alice")
        with pytest.raises(RuntimeError, match="bob"), agent("bob"):
            raise RuntimeError(current_agent())
        assert current_agent() == "alice"
    assert current_agent() is None


def test_an_unusable_id_leaves_the_running_agent_alone() -> None:
    with agent("alice"):
        with pytest.raises(AgentIdError), agent(""):
            pass
        assert current_agent() == "alice"


async def test_concurrent_tasks_keep_their_own_agent() -> None:
    async def run(name: str) -> str | None:
        with agent(name):
            await asyncio.sleep(0)
            return current_agent()

    assert await asyncio.gather(run("alice"), run("bob")) == ["alice", "bob"]
    assert current_agent() is None


def test_a_copied_context_carries_the_agent_elsewhere() -> None:
    with agent("alice"):
        context = contextvars.copy_context()
    assert context.run(current_agent) == "alice"
