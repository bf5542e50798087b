"""The session: one model, one store, and the turns of many agents on them; sync and async from one flow."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dmem_agents.agents import check_agent_id, current_agent
from dmem_agents.engine import Engine
from dmem_agents.errors import (
    ConfigError,
    EngineClosedError,
    StateConflictError,
    StateCorruptError,
    StateError,
)
from dmem_agents.messages import Message
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.session.commands import AsyncEvents, Events, SyncEvents, drive, drive_async
from dmem_agents.session.job import Runtime, TurnInput
from dmem_agents.session.options import AgentInfo, Reply, ReplyChunk, SessionConfig, TurnOptions
from dmem_agents.session.turn import Turn
from dmem_agents.state import AgentRecord, MemoryState, decode_record, encode_record, require_fingerprint
from dmem_agents.store import AsyncStateStore, StateStore, ThreadedStateStore, default_store_url, open_store
from dmem_agents.store.portable import export_agent, exported_record, import_agent
from dmem_agents.tokenization import ChatTokenizer

if TYPE_CHECKING:
    from dmem_agents.model.loading import LoadedModel


class MemorySession:
    """Turns of many agents over one model and one store. Safe to use from several threads and event loops.

    Opening loads nothing: the model comes with the first turn, the store with its first use. `open_session`
    shares sessions of equal configs within the process; construct one directly to have your own.

    Args:
        config: which model and store.
        loaded: a model that is in memory already, such as one just trained; `config` then names none.
    """

    def __init__(self, config: SessionConfig | None = None, *, loaded: LoadedModel | None = None) -> None:
        self.config = config or SessionConfig()
        self._loaded = loaded
        self._lock = threading.RLock()
        self._runtime: Runtime | None = None
        self._store: StateStore | None = None
        self._closed = False

    def reply(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> Reply:
        """Run one turn: answer these messages with the agent's memory, and commit what it became.

        Args:
            messages: as much of the chat as the caller has; what is new in it is worked out.
            agent_id: whose memory; None takes the agent of the running `with agent(...)` block. Without
                any, an empty memory is used and thrown away.
            options: sampling, stop texts, context, what is written; the defaults when None.

        Raises:
            AgentIdError: the id is unusable, or missing while `require_agent` is set.
            MessageError: there is nothing to answer, or it can't be shown to the model.
            ContextOverflowError: the shown messages don't fit the context window.
            HistoryDivergedError: the messages contradict the absorbed ones, and `on_divergence` is "error".
            StateMismatchError: the agent's state was written under another model or adapter.
            StateCorruptError: the stored record is damaged.
            LeaseTimeoutError: another turn of this agent runs for too long.
            StateConflictError: somebody else changed the record meanwhile; repeat the turn. It is a
                `StateDeletedError` when they deleted it.
            TurnTimeoutError: it took longer than `timeout_seconds`.
            EngineError: the model failed.
            StoreError: the store can't be reached or did not do its work. When it was lost after the commit was sent,
                or replicas did not confirm it in time (`wait_replicas`), the turn may be stored: `info` tells by its
                version, or send the messages again as a history. In every other case the record is as it was.
        """
        return _last(self._turn(messages, agent_id, options, generate=True, stream=False))

    def stream(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> Generator[ReplyChunk]:
        """`reply`, with the text as it comes; the last chunk, after the commit, carries the `Reply`.

        Closing the iterator before its last chunk ends the turn and commits nothing.
        """
        return self._turn(messages, agent_id, options, generate=True, stream=True)

    def absorb(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> Reply:
        """Write messages into the agent's memory without answering. Raises what `reply` raises.

        Messages that were absorbed before are not written again. The reply has no text.
        """
        return _last(self._turn(messages, agent_id, options, generate=False, stream=False))

    async def areply(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> Reply:
        """See `reply`. A cancelled task ends the turn."""
        return await _alast(self._aturn(messages, agent_id, options, generate=True, stream=False))

    def astream(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> AsyncGenerator[ReplyChunk]:
        """See `stream`."""
        return self._aturn(messages, agent_id, options, generate=True, stream=True)

    async def aabsorb(
        self, messages: Sequence[Message], *, agent_id: str | None = None, options: TurnOptions | None = None
    ) -> Reply:
        """See `absorb`."""
        return await _alast(self._aturn(messages, agent_id, options, generate=False, stream=False))

    def info(self, agent_id: str) -> AgentInfo | None:
        """What the store knows about an agent; None when it knows none. Loads no model.

        Raises:
            StateCorruptError: the stored record is damaged.
        """
        stored = self.store.load(check_agent_id(agent_id))
        if stored is None:
            return None
        record = decode_record(stored.data, agent_id=agent_id)
        return AgentInfo(
            agent_id=agent_id,
            version=stored.version,
            incarnation=stored.incarnation,
            fingerprint=record.fingerprint,
            turns=record.turns,
            absorbed_messages=record.absorbed,
            updated_at=record.updated_at,
            record_bytes=len(stored.data),
            base=record.base,
            head=record.head,
        )

    def forget(self, agent_id: str) -> bool:
        """Delete everything stored of an agent.

        A running turn of it will fail with `StateDeletedError`, its first one with `LeaseLostError`.

        Returns:
            Whether there was anything.
        """
        return self.store.delete(check_agent_id(agent_id))

    def snapshot(self, agent_id: str) -> bytes:
        """The agent's record as one sealed file, for `restore` or `dmem agents import`. Loads no model.

        Raises:
            AgentIdError: nothing is stored of this agent.
        """
        return export_agent(self.store, check_agent_id(agent_id))

    def restore(self, agent_id: str, snapshot: bytes) -> AgentInfo:
        """Make a snapshot the agent's record, as one more commit, whoever it was taken of. Loads no model.

        Raises:
            StateCorruptError: the snapshot is damaged or something else.
            StateMismatchError: it was written under another model or adapter than the stored record.
            StateConflictError: a turn was committed meanwhile; nothing was written.
        """
        record = decode_record(exported_record(snapshot), agent_id=check_agent_id(agent_id))
        try:
            existing = self.info(agent_id)
        except StateCorruptError:  # a snapshot is what repairs it
            existing = None
        if existing is not None:
            require_fingerprint(record, existing.fingerprint, agent_id=agent_id)
        import_agent(self.store, snapshot, agent_id=agent_id, replace=True)
        restored = self.info(agent_id)
        if restored is None:
            raise StateConflictError(f"Agent {agent_id!r} was deleted right after its snapshot was restored.")
        return restored

    def rewind(self, agent_id: str, version: int) -> bool:
        """Make an earlier version of the agent's record the newest, as one more commit. Loads no model.

        Args:
            agent_id: whose memory.
            version: one that the store still keeps; 0 is the empty memory before the first.

        Returns:
            False when the store does not keep that version: nothing was written.

        Raises:
            StateConflictError: a turn was committed meanwhile; nothing was written.
        """
        stored = self.store.load(check_agent_id(agent_id))
        if stored is None:
            return version == 0
        if version == 0:
            record = decode_record(stored.data, agent_id=agent_id)
            empty = MemoryState.zeros(record.head.layout)
            fresh = AgentRecord(fingerprint=record.fingerprint, base=empty, head=empty, updated_at=time.time())
            self.store.commit(agent_id, encode_record(fresh), expected=stored)
            return True
        try:
            self.store.restore(agent_id, version)
        except StateCorruptError:
            raise
        except StateError:  # not kept any more
            return False
        return True

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """Ids of the stored agents that start with `prefix`, in no order."""
        return self.store.list_agents(prefix)

    @property
    def store(self) -> StateStore:
        """The session's store, opened at the first use.

        Raises:
            ConfigError: the session was given an `AsyncStateStore`.
        """
        with self._lock:
            self._require_open()
            if self._store is None:
                configured = self.config.store
                if isinstance(configured, AsyncStateStore):
                    raise ConfigError(
                        "This session has an AsyncStateStore, which serves areply, astream and aabsorb only. "
                        "Pass a store URL or a StateStore to use the sync methods."
                    )
                url = default_store_url() if configured is None else configured
                self._store = open_store(url) if isinstance(url, str) else url
            return self._store

    @property
    def fingerprint(self) -> str:
        """Identity of the model and adapter; loads them."""
        return self._load().fingerprint

    @property
    def model_name(self) -> str:
        """What the backbone is called: its hub id, folder or the embedded model's name. Loads nothing."""
        if self._loaded is not None:
            return self._loaded.model.backbone_id
        from dmem_agents.model.embedded import EMBEDDED_MODEL_ID

        return EMBEDDED_MODEL_ID if self.config.model is None else str(self.config.model)

    @property
    def max_context(self) -> int:
        """Tokens that a prompt and its answer may have together; loads the model."""
        return self._load().max_context

    def encode(self, text: str) -> list[int]:
        """The backbone's ids of a text, without special tokens around it; for counting. Loads the model."""
        return self._load().chat.encode(text)

    def warm_up(self) -> None:
        """Load the model now rather than at the first turn."""
        self._load()

    def close(self) -> None:
        """End running turns with `EngineClosedError`, let the model go, close a store that a URL named."""
        with self._lock:
            self._closed = True
            runtime, store = self._runtime, self._store
            self._runtime = self._store = self._loaded = None
        with _registry_lock:
            if _registry.get(self.config) is self:
                del _registry[self.config]
        if runtime is not None:
            runtime.engine.close()
        if store is not None and store is not self.config.store:
            store.close()

    async def aclose(self) -> None:
        """See `close`."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _turn(
        self,
        messages: Sequence[Message],
        agent_id: str | None,
        options: TurnOptions | None,
        *,
        generate: bool,
        stream: bool,
    ) -> Generator[ReplyChunk]:
        events = SyncEvents()
        turn = self._prepare(messages, agent_id, options, events, generate=generate, stream=stream)
        return drive(turn.run(), runtime=self._load, store=lambda: self.store, events=events)

    def _aturn(
        self,
        messages: Sequence[Message],
        agent_id: str | None,
        options: TurnOptions | None,
        *,
        generate: bool,
        stream: bool,
    ) -> AsyncGenerator[ReplyChunk]:
        events = AsyncEvents()
        turn = self._prepare(messages, agent_id, options, events, generate=generate, stream=stream)
        return drive_async(turn.run(), runtime=self._load, store=self._async_store, events=events)

    def _prepare(
        self,
        messages: Sequence[Message],
        agent_id: str | None,
        options: TurnOptions | None,
        events: Events,
        *,
        generate: bool,
        stream: bool,
    ) -> Turn:
        """Check a call before anything is loaded or waited for."""
        who = current_agent() if agent_id is None else check_agent_id(agent_id)
        call = TurnInput(
            messages=tuple(messages),
            agent_id=who,
            options=options or TurnOptions(),
            generate=generate,
            stream=stream,
        )
        return Turn(call, config=self.config, events=events)

    def _load(self) -> Runtime:
        """The model behind its engine; loaded once, whoever asks first."""
        with self._lock:
            self._require_open()
            if self._runtime is None:
                loaded, config = self._loaded, self.config
                if loaded is None:
                    from dmem_agents.model.loading import load_model

                    loaded = load_model(
                        config.model,
                        config.adapter,
                        dtype=config.dtype,
                        device=config.device,
                        attn_implementation=config.attn_implementation,
                        revision=config.revision,
                        hub_token=config.hub_token,
                    )
                chat = ChatTokenizer(loaded.tokenizer)
                self._runtime = Runtime(
                    engine=Engine(loaded.model, max_batch_size=config.max_batch_size),
                    chat=chat,
                    grammars=GrammarCompiler(loaded.tokenizer, chat.eos_ids),
                    fingerprint=loaded.model.fingerprint,
                    max_context=loaded.model.max_context,
                )
            return self._runtime

    def _async_store(self) -> AsyncStateStore:
        """The same data without blocking the event loop.

        A store that a URL names is called in threads, Redis too: its async client would be bound to one event loop,
        and a session serves all of them (`asyncio.run` twice, notebooks, web servers).
        """
        configured = self.config.store
        return configured if isinstance(configured, AsyncStateStore) else ThreadedStateStore(self.store)

    def _require_open(self) -> None:
        if self._closed:
            raise EngineClosedError("This session is closed. Open a new one with open_session(config).")


_registry: dict[SessionConfig, MemorySession] = {}
_registry_lock = threading.Lock()


def open_session(config: SessionConfig | None = None) -> MemorySession:
    """The process's session for this config: equal configs share one model, engine and store.

    Loads nothing yet. `close` on the session takes it out of the process; the next call opens a new one.
    """
    key = config or SessionConfig()
    with _registry_lock:
        if key not in _registry:
            _registry[key] = MemorySession(key)
        return _registry[key]


@atexit.register
def _close_all() -> None:
    """End the engines' threads while the interpreter still runs."""
    for session in list(_registry.values()):
        session.close()


def _last(chunks: Iterator[ReplyChunk]) -> Reply:
    reply = None
    for chunk in chunks:
        reply = chunk.reply
    if reply is None:
        raise RuntimeError("The turn ended without a reply.")  # unreachable: a turn emits one or raises
    return reply


async def _alast(chunks: AsyncIterator[ReplyChunk]) -> Reply:
    reply = None
    async for chunk in chunks:
        reply = chunk.reply
    if reply is None:
        raise RuntimeError("The turn ended without a reply.")  # unreachable: a turn emits one or raises
    return reply
