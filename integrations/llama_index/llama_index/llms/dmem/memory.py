"""`DeltaMemMemory`: an agent's learned memory as a LlamaIndex memory component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.memory import BaseMemory
from llama_index.core.settings import Settings
from pydantic import Field, field_validator

from dmem_agents import ConfigError
from llama_index.llms.dmem.base import DeltaMemLLM
from llama_index.llms.dmem.conversion import to_messages
from llama_index.llms.dmem.internal import marked

if TYPE_CHECKING:  # importing it would load torch
    from dmem_agents import Reply, TurnOptions

_SYSTEM = (MessageRole.SYSTEM, MessageRole.DEVELOPER)


class DeltaMemMemory(BaseMemory):
    """Memory in the model's state instead of in the prompt: `put` absorbs, `get` returns only the current turn.

    For chat engines and agents that speak through a `DeltaMemLLM`: what the model absorbed while it answered is not
    absorbed again when the engine puts it. Whose memory it is about is settled at each call, as by the model; so one
    object serves many agents. A read-only model's memory keeps the current turn and absorbs nothing.

    `reset` deletes what is stored of the agent, as LlamaIndex's other memories do.

    Args:
        llm: the model, bound to an agent or used inside `with agent(...)`.

    Example:
        alice = DeltaMemLLM().for_agent("alice")
        engine = SimpleChatEngine.from_defaults(llm=alice, memory=DeltaMemMemory(llm=alice))

    Raises:
        AgentIdError: from every method, when nobody's memory is meant.
    """

    llm: DeltaMemLLM
    turns: dict[str, list[ChatMessage]] = Field(default_factory=dict)
    """The last turn of each agent, whole or so far."""
    versions: dict[str, int] = Field(default_factory=dict)
    """Version of each agent's memory after the last put: later ones are the model's."""

    @field_validator("llm", mode="before")
    @classmethod
    def _from_its_dictionary(cls, llm: Any) -> Any:
        return DeltaMemLLM.from_dict(llm) if isinstance(llm, dict) else llm

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls this class in its serialised forms."""
        return "DeltaMemMemory"

    @classmethod
    def from_defaults(
        cls, llm: Any = None, chat_history: Sequence[ChatMessage] | None = None, **kwargs: Any
    ) -> DeltaMemMemory:
        """A memory of `Settings.llm`, unless `llm` is given; a `chat_history` is absorbed. Sizes have no meaning here.

        Raises:
            ConfigError: the model is no `DeltaMemLLM`.
        """
        model = llm or Settings.llm
        if not isinstance(model, DeltaMemLLM):
            raise ConfigError(
                f"Expected a DeltaMemLLM, whose state this memory is; got `{type(model).__name__}`. Pass llm=..., or "
                "set Settings.llm."
            )
        memory = cls(llm=model)
        if chat_history:
            memory.set(list(chat_history))
        return memory

    def get(self, input: str | None = None, **kwargs: Any) -> list[ChatMessage]:
        """The messages of the current turn; none of one with its final answer when a new `input` is about to follow.

        Agents that make an object of a finished turn (`output_cls`) ask without one.
        """
        turn = self._last_turn()
        return [] if (input is not None or kwargs) and _is_over(turn) else list(turn)

    async def aget(self, input: str | None = None, **kwargs: Any) -> list[ChatMessage]:
        """See `get`."""
        return self.get(input, **kwargs)

    def get_all(self) -> list[ChatMessage]:
        """The messages of the last turn; what came before is no text any more."""
        return list(self._last_turn())

    async def aget_all(self) -> list[ChatMessage]:
        """See `get_all`."""
        return self.get_all()

    def put(self, message: ChatMessage) -> None:
        """Absorb a message, unless the model did."""
        self.put_messages([message])

    async def aput(self, message: ChatMessage) -> None:
        """See `put`."""
        await self.aput_messages([message])

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """Absorb messages, in order, but those that the model absorbed already."""
        agent_id, said = self._following(messages)
        reply = None
        if self._absorbs(said):
            options = self._options(agent_id)
            reply = self.llm._memory_session().absorb(to_messages(said), agent_id=agent_id, options=options)
        self._keep(agent_id, said, reply)

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """See `put_messages`."""
        agent_id, said = self._following(messages)
        reply = None
        if self._absorbs(said):
            options = self._options(agent_id)
            reply = await self.llm._memory_session().aabsorb(to_messages(said), agent_id=agent_id, options=options)
        self._keep(agent_id, said, reply)

    def set(self, messages: list[ChatMessage]) -> None:
        """Take a whole history: what is new in it is absorbed, what contradicts the memory as `on_divergence` says."""
        self._forget_turn()
        self.put_messages(messages)

    async def aset(self, messages: list[ChatMessage]) -> None:
        """See `set`."""
        self._forget_turn()
        await self.aput_messages(messages)

    def reset(self) -> None:
        """Delete everything stored of the agent."""
        self._forget_turn()
        self.llm.memory.forget()

    def _last_turn(self) -> list[ChatMessage]:
        return self.turns.get(self.llm._owner(None), [])

    def _following(self, messages: Sequence[ChatMessage]) -> tuple[str, list[ChatMessage]]:
        """Whose memory this is about, and the current turn with `messages` after it."""
        agent_id = self.llm._owner(None)
        turn = self.turns.get(agent_id, [])
        return agent_id, [*([] if _is_over(turn) else turn), *messages]

    def _absorbs(self, messages: Sequence[ChatMessage]) -> bool:
        return not self.llm.read_only and any(message.role not in _SYSTEM for message in messages)

    def _options(self, agent_id: str) -> TurnOptions:
        return replace(self.llm._turn_options({}), absorbed_until=self.versions.get(agent_id, 0))

    def _keep(self, agent_id: str, said: list[ChatMessage], reply: Reply | None) -> None:
        """Remember the turn; a question that was absorbed as it came is marked, to be answered in its place."""
        if reply is not None:
            self.versions[agent_id] = reply.version
            if reply.absorbed_messages and said[-1].role == MessageRole.USER:
                said = [*said[:-1], marked(said[-1], agent_id, reply.version)]
        self.turns[agent_id] = _last_turn_of(said)

    def _forget_turn(self) -> None:
        agent_id = self.llm._owner(None)
        self.turns.pop(agent_id, None)
        self.versions.pop(agent_id, None)


def _is_over(turn: Sequence[ChatMessage]) -> bool:
    """Whether the turn has its final answer."""
    return (
        bool(turn)
        and turn[-1].role in (MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL)
        and not any(isinstance(block, ToolCallBlock) for block in turn[-1].blocks)
    )


def _last_turn_of(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """From the last user message on that follows none."""
    users = [message.role == MessageRole.USER for message in messages]
    first = next((p for p in reversed(range(len(users))) if users[p] and not (p and users[p - 1])), 0)
    return list(messages[first:])
