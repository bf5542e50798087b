"""Whose memory a call is about: agent ids and the agent of the running context.

Knows nothing of messages, stores or states.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dmem_agents.errors import AgentIdError

MAX_AGENT_ID_BYTES = 4096
"""Longest agent id, in bytes of UTF-8."""

_AGENT: ContextVar[str | None] = ContextVar("dmem_agent", default=None)


def check_agent_id(agent_id: object) -> str:
    """The id itself when it can name an agent: a non-empty string of at most 4096 bytes in UTF-8.

    Spaces, slashes, colons, quotes and every other character that UTF-8 can hold are fine.

    Raises:
        AgentIdError: It is not a string, is empty, too long, or holds an unpaired surrogate.
    """
    if not isinstance(agent_id, str):
        raise AgentIdError(
            f"Expected an agent id as `str`, got `{type(agent_id).__name__}`. Pass a string such as a user "
            "or session id; str(...) turns a number or UUID into one."
        )
    if not agent_id:
        raise AgentIdError(
            "Expected a non-empty agent id, got ''. Pass the id of the user or session whose memory this "
            "is, or leave the agent out to run without a stored memory."
        )
    try:
        size_bytes = len(agent_id.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise AgentIdError(
            f"Expected an agent id that UTF-8 can hold; character {error.start} is an unpaired surrogate. "
            "Decode the id properly, or drop that character."
        ) from None
    if size_bytes > MAX_AGENT_ID_BYTES:
        raise AgentIdError(
            f"Expected an agent id of at most {MAX_AGENT_ID_BYTES} bytes in UTF-8, got {size_bytes}. "
            "Use a shorter id, for example a hash of this one."
        )
    return agent_id


@contextmanager
def agent(agent_id: str) -> Iterator[str]:
    """Make `agent_id` the agent of every call inside the block that names none itself.

    Blocks nest, the innermost counts. The value lives in a `ContextVar`: an asyncio task started inside
    the block inherits it, a thread does so only when started with a copy of the context.

    Raises:
        AgentIdError: The id can't name an agent.

    Example:
        with agent("alice"):
            llm.invoke("My cat is called Tom.")
    """
    token = _AGENT.set(check_agent_id(agent_id))
    try:
        yield agent_id
    finally:
        _AGENT.reset(token)


def current_agent() -> str | None:
    """The agent of the innermost `with agent(...)` block around the caller, or None outside of one."""
    return _AGENT.get()
