"""`DeltaMemMiddleware` for `create_agent`: whose memory a run is about, what the model is sent, and time travel.

The memory lives in our store and the messages in LangGraph's checkpoints. The middleware keeps the two together:
it writes into the graph's state which version of the memory its messages belong to. Knows nothing of tokens or
states.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ExtendedModelResponse
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.constants import CONFIG_KEY_CHECKPOINTER
from langgraph.types import Command
from typing_extensions import TypedDict  # pydantic asks for it where a schema is made of the state

from dmem_agents import AgentInfo, HistoryDivergedWarning, check_agent_id
from langchain_dmem.chat_models import DeltaMemLLM


class AgentMark(TypedDict):
    """How far one agent's memory knows the messages of a graph's state."""

    first: int
    """Version of the memory before this thread's first turn; 0: there was none."""
    absorbed_id: str
    """Id of the last message that was absorbed."""
    incarnation: NotRequired[str]
    """Which life of the memory that was (`AgentInfo.incarnation`); empty or absent: not known."""


def merge_agents(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """The reducer of both fields: each agent's newest value."""
    return {**(old or {}), **(new or {})}


class DeltaMemState(AgentState[Any]):
    """What `DeltaMemMiddleware` adds to a graph's state, by agent id.

    A graph of your own with agents as nodes needs these fields in its state as well (inherit from this class), or
    its checkpoints know nothing of its agents' memories.
    """

    dmem_version: NotRequired[Annotated[dict[str, int], merge_agents]]
    """Version of the agent's memory that goes with these messages."""
    dmem_marks: NotRequired[Annotated[dict[str, AgentMark], merge_agents]]
    """How far the agent's memory knows these messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """One call of the model, as far as the memory is concerned."""

    llm: DeltaMemLLM
    agent_id: str
    version: int | None
    """Version that the graph's state goes with; None: this thread has no turn of the agent yet."""
    mark: AgentMark | None
    saver: BaseCheckpointSaver[Any] | None
    thread: RunnableConfig

    @property
    def incarnation(self) -> str:
        """Which life of the memory the graph's state goes with; empty: not known."""
        return self.mark.get("incarnation", "") if self.mark else ""


class DeltaMemMiddleware(AgentMiddleware[DeltaMemState, Any, Any]):
    """Ties a `create_agent` graph to one agent's memory.

    Every call of the model is one of this agent. Messages that its memory holds are not sent again: what goes out
    is the current turn, with each tool call beside its result, and whatever the memory has not seen. With
    `context=` on the model they are sent, to be shown.

    With a checkpointer, the state's `dmem_version` says which version of the memory goes with its messages. A run
    from an earlier checkpoint (time travel, a fork, an edited state) first restores that version, provided that the
    store still keeps it; otherwise the messages are aligned with the memory as `on_divergence` says. A run that
    goes on where its thread stopped (a new message, a resumed interrupt) takes the memory as it is, with what other
    threads have added to it since.

    A graph that runs a different model (a fallback, say) is left alone.

    Args:
        agent_id: whose memory; None: what the model itself resolves (its own field, `with agent(...)`, the config).

    Raises:
        AgentIdError: the id can't name an agent.

    Example:
        graph = create_agent(DeltaMemLLM(), tools, middleware=[DeltaMemMiddleware("alice")], checkpointer=saver)
    """

    state_schema = DeltaMemState

    def __init__(self, agent_id: str | None = None) -> None:
        super().__init__()
        self.agent_id = None if agent_id is None else check_agent_id(agent_id)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """One call of the model: restore if this is time travel, send what is new, note the version."""
        call = self._call(request)
        if call is None:
            return handler(request)
        found = _stored(call) if call.saver else None
        search = _Travel(call, found)
        if call.saver and not search.over:
            for checkpoint in call.saver.list(call.thread):
                if search.sees(checkpoint):
                    break
        fits = search.target is None or _restore(call, search.target)
        response = handler(_request(request, call, whole=not fits))
        if found is None and call.saver:  # the turn may have begun a memory: it has a name from now on
            found = _stored(call)
        return _marked(call, found, response)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """`wrap_model_call` for asyncio."""
        call = self._call(request)
        if call is None:
            return await handler(request)
        found = await asyncio.to_thread(_stored, call) if call.saver else None
        search = _Travel(call, found)
        if call.saver and not search.over:
            async for checkpoint in call.saver.alist(call.thread):
                if search.sees(checkpoint):
                    break
        fits = search.target is None or await asyncio.to_thread(_restore, call, search.target)
        response = await handler(_request(request, call, whole=not fits))
        if found is None and call.saver:
            found = await asyncio.to_thread(_stored, call)
        return _marked(call, found, response)

    def _call(self, request: ModelRequest[Any]) -> _Call | None:
        """What this call is about; None when it is not ours or has no agent."""
        llm = request.model
        if not isinstance(llm, DeltaMemLLM):
            return None
        config = ensure_config()
        named = self.agent_id or request.model_settings.get("agent_id")
        agent_id = llm._resolve_agent(named, llm._agents_in(config))
        if agent_id is None:
            return None
        configurable = config.get("configurable", {})
        saver = configurable.get(CONFIG_KEY_CHECKPOINTER)
        return _Call(
            llm=llm,
            agent_id=agent_id,
            version=_of(request.state, "dmem_version").get(agent_id),
            mark=_of(request.state, "dmem_marks").get(agent_id),
            saver=saver if isinstance(saver, BaseCheckpointSaver) else None,
            # The root graph's checkpoints: a sub-graph's own are new at every call.
            thread={"configurable": {"thread_id": configurable.get("thread_id"), "checkpoint_ns": ""}},
        )


class _Travel:
    """Looks through a thread's checkpoints, newest first, for a later turn than the one this run starts from.

    The memory may be ahead of the graph's state for two reasons: the run starts from an earlier checkpoint, or other
    threads of the same agent went on meanwhile. Only in the first case has this very thread seen a later version.
    What belongs to a memory that was forgotten since says nothing about the one there is now.
    """

    def __init__(self, call: _Call, found: AgentInfo | None) -> None:
        self._call = call
        self._lives = ("", found.incarnation) if found else ("",)
        self.over = (found and found.version) == call.version or call.incarnation not in self._lives
        """Whether nothing more can be learnt."""
        self.target: int | None = None
        """The version to restore; None: take the memory as it is."""

    def sees(self, saved: CheckpointTuple) -> bool:
        """One more checkpoint. Returns whether it was enough."""
        values, agent_id = saved.checkpoint["channel_values"], self._call.agent_id
        other = values.get("dmem_version", {}).get(agent_id)
        mark = values.get("dmem_marks", {}).get(agent_id, {})
        if other is not None and other != self._call.version and mark.get("incarnation", "") in self._lives:
            self.over = True
            if self._call.version is None:
                self.target = mark["first"]
            elif other > self._call.version:
                self.target = self._call.version
        return self.over


def _of(state: Mapping[str, Any], field: str) -> dict[str, Any]:
    found: dict[str, Any] = state.get(field) or {}
    return found


def _stored(call: _Call) -> AgentInfo | None:
    return call.llm._memory_session().info(call.agent_id)


def _restore(call: _Call, version: int) -> bool:
    """Bring the memory back to a version. False, with a warning, when the store does not keep that one."""
    if call.llm._memory_session().rewind(call.agent_id, version):
        return True
    warnings.warn(
        f"This run goes on from version {version} of the memory of agent {call.agent_id!r}, which the store does not "
        "keep any more. The run's messages are aligned with the memory as it is now (on_divergence).",
        HistoryDivergedWarning,
        stacklevel=2,
    )
    return False


def _request(request: ModelRequest[Any], call: _Call, *, whole: bool) -> ModelRequest[Any]:
    """The request for this agent, without what its memory holds already unless `whole`."""
    messages = request.messages
    if not whole and call.mark is not None and call.llm.context == "turn":
        messages = unabsorbed(messages, call.mark["absorbed_id"])
    return request.override(messages=messages, model_settings={**request.model_settings, "agent_id": call.agent_id})


def unabsorbed(messages: Sequence[AnyMessage], absorbed_id: str) -> list[AnyMessage]:
    """The current turn and what comes after the last absorbed message; system messages stay.

    Always from the opening of a turn on, so that no tool result comes without its call. All of them when the last
    absorbed message is not there (it was trimmed or summarised).
    """
    last = next((p for p in reversed(range(len(messages))) if messages[p].id == absorbed_id), None)
    if last is None:
        return list(messages)
    first = _opening(messages, min(last + 1, _opening(messages, len(messages) - 1)))
    return [m for p, m in enumerate(messages) if p >= first or isinstance(m, SystemMessage)]


def _opening(messages: Sequence[BaseMessage], position: int) -> int:
    """Where the turn around `position` opens: at a user message that follows none."""
    humans = [isinstance(message, HumanMessage) for message in messages]
    return next((p for p in range(position, 0, -1) if humans[p] and not humans[p - 1]), 0)


def _marked(
    call: _Call, found: AgentInfo | None, response: ModelResponse[Any]
) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
    """The response, and the version it came with for the graph's state; a read-only call leaves no mark."""
    answer = next((m for m in reversed(response.result) if isinstance(m, AIMessage)), None)
    facts = {} if answer is None else answer.response_metadata
    if answer is None or not facts.get("dmem_absorbed_messages"):
        return response
    version, life = facts["dmem_version"], found.incarnation if found else ""
    earlier = call.mark if call.incarnation in ("", life) else None
    mark = AgentMark(
        first=version - 1 if earlier is None else earlier["first"],
        absorbed_id=answer.id or "",
        incarnation=life,
    )
    update = {"dmem_version": {call.agent_id: version}, "dmem_marks": {call.agent_id: mark}}
    return ExtendedModelResponse(model_response=response, command=Command(update=update))
