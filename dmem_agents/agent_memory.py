"""An agent's memory by itself: tell it something, ask it, look at it, copy it, delete it.

`MemoryHelpers` is what the chat models of every framework have beside their framework's own methods. Knows no
framework and no message but ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dmem_agents.errors import AgentIdError
from dmem_agents.messages import Message

if TYPE_CHECKING:
    from dmem_agents.session import AgentInfo, MemorySession, Reply, TurnOptions


class AgentMemory:
    """What the store keeps of one agent. Loads no model.

    Args:
        session: whose store.
        agent_id: whose memory.
    """

    def __init__(self, session: MemorySession, agent_id: str) -> None:
        self._session = session
        self.agent_id = agent_id

    def info(self) -> AgentInfo | None:
        """Counters, sizes and both states; None when nothing is stored.

        Raises:
            StateCorruptError: the stored record is damaged.
        """
        return self._session.info(self.agent_id)

    def forget(self) -> bool:
        """Delete everything stored of the agent; a running turn of it fails, and is not repeated.

        Returns:
            Whether there was anything.
        """
        return self._session.forget(self.agent_id)

    def snapshot(self) -> bytes:
        """The memory as it is now, sealed with a checksum: keep it, and `restore` it later or elsewhere.

        Raises:
            AgentIdError: nothing is stored of this agent.
        """
        return self._session.snapshot(self.agent_id)

    def restore(self, snapshot: bytes) -> AgentInfo:
        """Make a snapshot the agent's memory, as one more commit: its version goes on counting.

        Raises:
            StateCorruptError: the snapshot is damaged or something else.
            StateMismatchError: it was written under another model or adapter than what is stored.
            StateConflictError: a turn was committed meanwhile; nothing was written.
        """
        return self._session.restore(self.agent_id, snapshot)


class MemoryHelpers:
    """`remember`, `recall` and `memory`, for a chat model that resolves agents and has a session."""

    if TYPE_CHECKING:

        def _memory_session(self) -> MemorySession: ...

        def _resolve_agent(self, call: object, further: Iterable[object] = ()) -> str | None: ...

        def _turn_options(self, call: Mapping[str, Any]) -> TurnOptions: ...

    def remember(self, content: str | Sequence[Any], *, agent_id: str | None = None) -> Reply:
        """Absorb a text, or messages of the framework, without answering.

        Args:
            content: a text, absorbed as a user's message of its own, as a single user's message is; or several
                messages, of which those that the agent has absorbed before are left out.
            agent_id: whose memory; None: as for every call.

        Returns:
            A reply without text: `absorbed_messages` and `version` say what came of it.

        Raises:
            AgentIdError: nobody is named.
            MessageError: there is nothing to absorb, or it is no text.
        """
        who, options = self._owner(agent_id), self._absorbing()
        return self._memory_session().absorb(self._contents(content), agent_id=who, options=options)

    async def aremember(self, content: str | Sequence[Any], *, agent_id: str | None = None) -> Reply:
        """`remember` for asyncio."""
        who, options = self._owner(agent_id), self._absorbing()
        return await self._memory_session().aabsorb(self._contents(content), agent_id=who, options=options)

    def recall(self, question: str, *, agent_id: str | None = None, **call: Any) -> str:
        """Ask an agent's memory; nothing is written.

        Args:
            question: shown to the model alone, as a user's message.
            agent_id: whose memory; None: as for every call.
            **call: arguments of a call, such as `max_tokens`.

        Raises:
            AgentIdError: nobody is named.
        """
        who, options = self._owner(agent_id), self._turn_options({**call, "read_only": True})
        return self._memory_session().reply(_said(question), agent_id=who, options=options).text

    async def arecall(self, question: str, *, agent_id: str | None = None, **call: Any) -> str:
        """`recall` for asyncio."""
        who, options = self._owner(agent_id), self._turn_options({**call, "read_only": True})
        reply = await self._memory_session().areply(_said(question), agent_id=who, options=options)
        return reply.text

    @property
    def memory(self) -> AgentMemory:
        """What is stored of this model's agent: `info`, `forget`, `snapshot`, `restore`.

        Raises:
            AgentIdError: nobody is named.
        """
        return AgentMemory(self._memory_session(), self._owner(None))

    def _owner(self, agent_id: str | None) -> str:
        who = self._resolve_agent(agent_id, self._agents_around())
        if who is None:
            raise AgentIdError(
                "Expected an agent whose memory this is about, got none. Bind the model to one with "
                'llm.for_agent("..."), pass agent_id=..., or wrap the call in `with dmem_agents.agent("..."):`.'
            )
        return who

    def _agents_around(self) -> Iterable[object]:
        """Agents that the framework names where a call is made; frameworks that do override this."""
        return ()

    def _absorbing(self) -> TurnOptions:
        return replace(self._turn_options({}), read_only=False)

    def _contents(self, content: str | Sequence[Any]) -> list[Message]:
        return _said(content) if isinstance(content, str) else self._as_messages(content)

    def _as_messages(self, messages: Sequence[Any]) -> list[Message]:
        """The framework's messages as ours."""
        return list(messages)


def _said(text: str) -> list[Message]:
    return [Message(role="user", content=text)]
