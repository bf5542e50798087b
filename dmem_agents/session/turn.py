"""One turn as a generator of commands: lease → load → align → absorb → generate → commit (design.md §5).

The head it commits is a function of the base and the shown messages alone: every turn is run from its start state,
however many calls it took to get there. Nothing is committed before the engine is done, and an error at any point,
the consumer's going away included, leaves the stored record as it was.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
import warnings
from collections.abc import Collection, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dmem_agents.engine import Engine, Generation, GenerationRequest, GenerationResult, Prompt, SamplingParams
from dmem_agents.errors import (
    AgentIdError,
    ConfigError,
    ContextOverflowError,
    LeaseTimeoutError,
    MessageError,
    StoreError,
)
from dmem_agents.messages import Message
from dmem_agents.session.answer import AnswerText
from dmem_agents.session.commands import (
    CallStore,
    Command,
    Commands,
    Emit,
    Events,
    LoadRuntime,
    NextEvent,
    Sleep,
)
from dmem_agents.session.options import HistoryDivergedWarning, Reply, ReplyChunk, SessionConfig, TurnOptions
from dmem_agents.session.prompts import closed_prompt, open_prompt
from dmem_agents.state import AgentRecord, MemoryState, decode_record, encode_record, require_fingerprint
from dmem_agents.store.base import StoredRecord
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.turns import TurnPlan, Watermark, align, next_watermark, shown_context

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Flow = Generator[Command, Any, _T]

_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """A loaded model, as far as turns need it."""

    engine: Engine
    chat: ChatTokenizer
    fingerprint: str
    max_context: int
    """Tokens that a prompt and its answer may have together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnInput:
    """One call: whose memory, which messages, and how."""

    messages: tuple[Message, ...]
    agent_id: str | None
    options: TurnOptions
    generate: bool
    """False absorbs the messages and answers nothing."""
    stream: bool
    """Whether text is handed over while it is generated."""

    def __post_init__(self) -> None:
        for message in self.messages:
            if not isinstance(message, Message):
                raise MessageError(f"Expected `Message` objects, got `{type(message).__name__}`.")
        if not self.generate and self.options.read_only:
            raise ConfigError("Expected read_only=False to absorb messages: a read-only call writes nothing.")
        if self.agent_id is None and self.options.require_agent:
            raise AgentIdError(
                "Expected an agent id, got none, and require_agent is set. Pass agent_id=..., or wrap the call in "
                '`with dmem_agents.agent("..."):`.'
            )


class Turn:
    """One call's way from messages to a committed state.

    Args:
        call: what was asked.
        config: lease times.
        events: where the engine's thread leaves tokens and results.
    """

    def __init__(self, call: TurnInput, *, config: SessionConfig, events: Events) -> None:
        self._call = call
        self._options = call.options
        self._config = config
        self._events = events
        self._owner = secrets.token_hex(16)
        self._leased = call.agent_id is not None and not call.options.read_only
        self._renew_at = 0.0
        self._generation: Generation | None = None
        self._runtime: Runtime

    def run(self) -> Commands:
        """The turn. Its last command emits the chunk that carries the reply, after everything is stored."""
        self._runtime = yield LoadRuntime()
        try:
            if self._leased:
                yield from self._acquire()
            last = yield from self._work()
        finally:
            if self._generation is not None:
                self._generation.cancel()
            if self._leased:
                yield from self._release()
        yield Emit(last)

    def _work(self) -> Flow[ReplyChunk]:
        """Everything between taking and giving back the lease."""
        agent_id = self._call.agent_id
        stored: StoredRecord | None = None
        if agent_id is not None:
            stored = yield CallStore(lambda store: store.load(agent_id))
        record = self._open(stored)
        plan = self._align(record)
        job = _Job(self._call, plan, self._runtime)
        job.check_fits()
        base = record.base if plan.start == "base" else record.head
        if plan.start == "empty":
            base = MemoryState.zeros(record.head.layout)
        if not self._options.read_only:
            for prompt in job.older:
                base = yield from self._write(prompt, base)
        answer = AnswerText(self._runtime.chat.stream_decoder(), self._options.stop)
        version = 0 if stored is None else stored.version
        if not self._call.generate and not plan.appended:
            return ReplyChunk(text="", reply=job.reply(None, answer, version, base))  # all of it was known
        if self._call.generate:
            result = yield from self._generate(job, base, answer)
            tail, head = answer.finish(), result.state
        else:
            result, tail = None, ""
            head = yield from self._write(job.prompt, base)
        if self._leased and head is not None:
            following = self._following(record, plan, base, head, answer if self._call.generate else None)
            data = encode_record(following)
            stored = yield CallStore(lambda store: store.commit(agent_id, data, expected=stored))
            version = stored.version
        return ReplyChunk(text=tail, reply=job.reply(result, answer, version, base))

    def _open(self, stored: StoredRecord | None) -> AgentRecord:
        """The agent's record, checked; a fresh one where there is none."""
        if stored is None:
            empty = MemoryState.zeros(self._runtime.engine.layout)
            return AgentRecord(fingerprint=self._runtime.fingerprint, base=empty, head=empty)
        agent_id = str(self._call.agent_id)
        record = decode_record(stored.data, agent_id=agent_id)
        require_fingerprint(record, self._runtime.fingerprint, agent_id=agent_id)
        return record

    def _align(self, record: AgentRecord) -> TurnPlan:
        watermark = Watermark(
            digests=record.digests, absorbed=record.absorbed, turn_length=record.turn_length
        )
        read_only = self._options.read_only
        plan = align(
            self._call.messages,
            watermark,
            on_divergence="absorb_new" if read_only else self._options.on_divergence,
            regenerate=self._options.regenerate,
        )
        if plan.diverged and not read_only:
            who = "A chat" if self._call.agent_id is None else f"The chat of agent {self._call.agent_id!r}"
            warnings.warn(f"{who}: {plan.reason}", HistoryDivergedWarning, stacklevel=2)
        return plan

    def _write(self, prompt: Prompt, state: MemoryState) -> Flow[MemoryState]:
        """Run a prompt for the sake of its writes."""
        request = GenerationRequest(prompt=prompt, state=state, sampling=None)
        result = yield from self._run(request)
        return state if result.state is None else result.state

    def _generate(self, job: _Job, base: MemoryState, answer: AnswerText) -> Flow[GenerationResult]:
        """Run the turn's prompt and its answer."""
        stream, events = self._call.stream, self._events

        def on_token(token_id: int) -> bool:
            piece = answer.push(token_id)
            if stream and piece:
                events.put(piece)
            return answer.stopped

        def closed_turn(_: list[int]) -> Prompt:
            if (rest := answer.finish()) and stream:
                events.put(rest)
            return job.closed(answer.text)

        write = not self._options.read_only
        request = GenerationRequest(
            prompt=job.prompt,
            state=base,
            write=write,
            write_generated="assistant" in self._options.write_roles,
            sampling=job.sampling,
            stop_ids=self._runtime.chat.eos_ids,
            on_token=on_token,
            closed_turn=closed_turn if write else None,
        )
        return (yield from self._run(request))

    def _run(self, request: GenerationRequest) -> Flow[GenerationResult]:
        """Submit a request and wait for it, handing on text and renewing the lease meanwhile."""
        self._generation = self._runtime.engine.submit(request)
        self._generation.future.add_done_callback(self._events.put)
        while True:
            event = yield NextEvent(self._config.lease_ttl_seconds / 3)
            if self._leased and time.monotonic() >= self._renew_at:
                # A lease lost to somebody else is no reason to stop: the commit's comparison decides.
                yield from self._lease()
            if isinstance(event, str):
                yield Emit(ReplyChunk(text=event))
            elif isinstance(event, Future):
                self._generation = None
                done: GenerationResult = event.result()
                return done

    def _following(
        self,
        record: AgentRecord,
        plan: TurnPlan,
        base: MemoryState,
        head: MemoryState,
        answer: AnswerText | None,
    ) -> AgentRecord:
        """The record after this turn."""
        said = None if answer is None else Message(role="assistant", content=answer.text).digest()
        watermark = next_watermark(plan, [m.digest() for m in self._call.messages], said)
        return replace(
            record,
            base=base,
            head=head,
            digests=watermark.digests,
            absorbed=watermark.absorbed,
            turn_length=watermark.turn_length,
            turns=record.turns + 1,
            updated_at=time.time(),
        )

    def _lease(self) -> Flow[bool]:
        """Take or renew the agent's lease."""
        agent_id, ttl = self._call.agent_id, self._config.lease_ttl_seconds
        self._renew_at = time.monotonic() + ttl / 3
        taken: bool = yield CallStore(
            lambda store: store.acquire_lease(agent_id, self._owner, ttl_seconds=ttl)
        )
        return taken

    def _acquire(self) -> Flow[None]:
        """Wait for the agent's lease, with growing, jittered pauses."""
        deadline = time.monotonic() + self._config.lease_timeout_seconds
        pause = _FIRST_WAIT_SECONDS
        while not (yield from self._lease()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise LeaseTimeoutError(
                    f"Another turn of agent {self._call.agent_id!r} was still running after "
                    f"{self._config.lease_timeout_seconds:g} seconds. Try again, or raise lease_timeout_seconds."
                )
            yield Sleep(min(left, pause * random.uniform(0.5, 1.0)))
            pause = min(2 * pause, _LONGEST_WAIT_SECONDS)

    def _release(self) -> Flow[None]:
        agent_id = self._call.agent_id
        try:
            yield CallStore(lambda store: store.release_lease(agent_id, self._owner))
        except StoreError as error:
            # The turn itself is decided; the lease runs out by itself.
            _log.warning("The lease of agent %r could not be given back: %s", agent_id, error)


class _Job:
    """A plan's prompts, and the numbers of the reply.

    Args:
        call: what was asked.
        plan: what is new in it.
        runtime: renders, and knows the context window.
    """

    def __init__(self, call: TurnInput, plan: TurnPlan, runtime: Runtime) -> None:
        self._call = call
        self._plan = plan
        self._chat = runtime.chat
        self._max_context = runtime.max_context
        self._roles = call.options.write_roles
        context = shown_context(call.messages, plan, call.options.context)
        self._shown = self._with_system((*context, *plan.turn), up_to=len(call.messages))
        written = self._written(self._shown, plan.write)
        shown = [call.messages[index] for index in self._shown]
        write_answer = "assistant" in self._roles
        if call.generate:
            self.prompt = open_prompt(self._chat, shown, written, write_answer=write_answer)
        else:
            self.prompt = closed_prompt(self._chat, shown, written)
        self.older = [] if call.options.read_only else [self._older(turn) for turn in plan.absorb]

    @property
    def sampling(self) -> SamplingParams:
        """The caller's sampling, with no more tokens than the context window has left."""
        asked = self._call.options.sampling
        return replace(asked, max_new_tokens=min(asked.max_new_tokens, self._max_context - len(self.prompt)))

    def check_fits(self) -> None:
        """Refuse what the context window can't hold.

        Raises:
            ContextOverflowError: the shown messages and one token more, or an older turn, are too long.
        """
        for prompt, more in [(self.prompt, int(self._call.generate)), *((p, 0) for p in self.older)]:
            if (excess := len(prompt) + more - self._max_context) > 0:
                raise ContextOverflowError(
                    f"Expected at most {self._max_context} tokens in one turn, got {len(prompt)}"
                    f"{' and at least one for the answer' if more else ''}: {excess} too many. Nothing was stored. "
                    "Shorten the system prompt, the tool results or the `context`, or split long text over "
                    "several turns."
                )

    def closed(self, text: str) -> Prompt:
        """The whole turn in its canonical form, this answer included."""
        shown = [self._call.messages[index] for index in self._shown]
        written = self._written(self._shown, self._plan.write)
        if "assistant" in self._roles:
            written = {*written, len(shown)}
        return closed_prompt(self._chat, [*shown, Message(role="assistant", content=text)], written)

    def reply(
        self, result: GenerationResult | None, answer: AnswerText, version: int, base: MemoryState
    ) -> Reply:
        """What the caller gets."""
        wrote = not self._call.options.read_only
        older = sum(map(len, self.older))
        return Reply(
            text=answer.text,
            finish_reason="length" if result is not None and self._cut(result, answer) else "stop",
            agent_id=self._call.agent_id,
            version=version,
            prompt_tokens=0 if result is None else len(self.prompt),
            completion_tokens=0 if result is None else len(result.token_ids),
            absorbed_messages=len(self._plan.appended) + int(result is not None) if wrote else 0,
            absorbed_tokens=older + (len(self.prompt) if result is None else 0),
            state_bytes=base.size_bytes,
        )

    @staticmethod
    def _cut(result: GenerationResult, answer: AnswerText) -> bool:
        return result.finish_reason == "length" and not answer.stopped

    def _older(self, turn: Sequence[int]) -> Prompt:
        indices = self._with_system(turn, up_to=turn[-1])
        shown = [self._call.messages[index] for index in indices]
        return closed_prompt(self._chat, shown, self._written(indices, turn))

    def _with_system(self, indices: Sequence[int], *, up_to: int) -> tuple[int, ...]:
        system = [i for i, m in enumerate(self._call.messages[:up_to]) if m.role == "system"]
        return tuple(sorted({*system, *indices}))

    def _written(self, shown: Sequence[int], written: Collection[int]) -> set[int]:
        """Positions in what is shown of the messages that are written."""
        return {
            position
            for position, index in enumerate(shown)
            if index in written and self._call.messages[index].role in self._roles
        }
