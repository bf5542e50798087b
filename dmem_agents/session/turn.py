"""One turn as a generator of commands: lease → load → align → absorb → generate → commit (design.md §5).

The head it commits is a function of the base and the shown messages alone: every turn is run from its start
state, however many calls it took to get there. Nothing is committed before the engine is done, and an error
at any point, the consumer's going away included, leaves the stored record as it was.
"""

from __future__ import annotations

import logging
import math
import random
import secrets
import time
import warnings
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from dmem_agents.engine import Generation, GenerationRequest, GenerationResult, Prompt, TokenConstraint
from dmem_agents.errors import ConfigError, LeaseTimeoutError, StoreError, TurnTimeoutError
from dmem_agents.session.answer import AnswerText
from dmem_agents.session.commands import (
    CallStore,
    Command,
    Commands,
    Compute,
    Emit,
    Events,
    LoadRuntime,
    NextEvent,
    Sleep,
)
from dmem_agents.session.job import Job, Runtime, TurnInput
from dmem_agents.session.options import HistoryDivergedWarning, ReplyChunk, SchemaNotEnforcedWarning, SessionConfig
from dmem_agents.state import AgentRecord, MemoryState, decode_record, encode_record, require_fingerprint
from dmem_agents.store.base import StoredRecord
from dmem_agents.tool_calling import grammar
from dmem_agents.turns import TurnPlan, Watermark, align, next_watermark

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Flow = Generator[Command, Any, _T]

_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0


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
        self._deadline = math.inf
        self._fence: int | None = None
        self._generation: Generation | None = None
        self._runtime: Runtime
        self._constraint: TokenConstraint | None = None

    def run(self) -> Commands:
        """The turn. Its last command emits the chunk that carries the reply, after everything is stored."""
        self._runtime = yield LoadRuntime()
        if self._options.timeout_seconds is not None:
            self._deadline = time.monotonic() + self._options.timeout_seconds
        self._constraint = (yield Compute(self._compile)) if self._is_constrained() else None
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
        version = 0 if stored is None else stored.version
        plan = self._align(record, version)
        job = Job(self._call, plan, self._runtime)
        job.check_fits()
        base = record.base if plan.start == "base" else record.head
        if plan.start == "empty":
            base = MemoryState.zeros(record.head.layout)
        if not self._options.read_only:
            for prompt in job.older:
                base = yield from self._write(prompt, base)
        chat = self._runtime.chat
        spelling = chat.call_format if self._options.tools else None
        answer = AnswerText(chat.stream_decoder(), self._options.stop, call_format=spelling)
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
            stored = yield CallStore(lambda store: store.commit(agent_id, data, expected=stored, fence=self._fence))
            version = stored.version
        return ReplyChunk(text=tail, reply=job.reply(result, answer, version, base))

    def _is_constrained(self) -> bool:
        return self._call.generate and (bool(self._options.tools) or self._options.response_schema is not None)

    def _compile(self) -> TokenConstraint:
        """What the answer is kept to, with a warning where that is less than its schema says."""
        options = self._options
        spelt = partial(
            grammar,
            options.tools,
            options.tool_choice,
            options.response_schema,
            parallel_calls=options.parallel_tool_calls,
            call_format=self._runtime.chat.call_format,
            marker_ids=self._runtime.chat.marker_ids,
        )
        try:
            return self._runtime.grammars.constraint(spelt())
        except ConfigError as error:
            constraint = self._runtime.grammars.constraint(spelt(lenient=True))  # raises what no leniency helps
            warnings.warn(f"{error} The rest of it is kept to.", SchemaNotEnforcedWarning, stacklevel=2)
            return constraint

    def _open(self, stored: StoredRecord | None) -> AgentRecord:
        """The agent's record, checked; a fresh one where there is none."""
        if stored is None:
            empty = MemoryState.zeros(self._runtime.engine.layout)
            return AgentRecord(fingerprint=self._runtime.fingerprint, base=empty, head=empty)
        agent_id = str(self._call.agent_id)
        record = decode_record(stored.data, agent_id=agent_id)
        require_fingerprint(record, self._runtime.fingerprint, agent_id=agent_id)
        return record

    def _align(self, record: AgentRecord, version: int) -> TurnPlan:
        watermark = Watermark(digests=record.digests, absorbed=record.absorbed, turn_length=record.turn_length)
        read_only, replaces = self._options.read_only, self._options.replaces_version
        since = replaces if self._call.generate else self._options.absorbed_until
        plan = align(
            self._call.messages,
            watermark,
            on_divergence="absorb_new" if read_only else self._options.on_divergence,
            regenerate=self._options.regenerate or replaces == version,
            answering=self._call.generate,
            may_be_last_turn=since is not None and since < version,
        )
        if plan.reason and not read_only:
            who = "A chat" if self._call.agent_id is None else f"The chat of agent {self._call.agent_id!r}"
            warnings.warn(f"{who}: {plan.reason}", HistoryDivergedWarning, stacklevel=2)
        return plan

    def _write(self, prompt: Prompt, state: MemoryState) -> Flow[MemoryState]:
        """Run a prompt for the sake of its writes."""
        request = GenerationRequest(prompt=prompt, state=state, sampling=None, owner=self._call.agent_id or "")
        result = yield from self._run(request)
        return state if result.state is None else result.state

    def _generate(self, job: Job, base: MemoryState, answer: AnswerText) -> Flow[GenerationResult]:
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
            return job.closed(answer.message())

        write = not self._options.read_only
        request = GenerationRequest(
            prompt=job.prompt,
            state=base,
            write=write,
            write_generated="assistant" in self._options.write_roles,
            sampling=job.sampling,
            stop_ids=self._runtime.chat.eos_ids,
            constraint=self._constraint,
            on_token=on_token,
            keep_prefix=bool(self._options.tools),
            owner=self._call.agent_id or "",
            closed_turn=closed_turn if write else None,
        )
        return (yield from self._run(request))

    def _run(self, request: GenerationRequest) -> Flow[GenerationResult]:
        """Submit a request and wait for it, handing on text and renewing the lease meanwhile."""
        self._generation = self._runtime.engine.submit(request)
        self._generation.future.add_done_callback(self._events.put)
        while True:
            event = yield NextEvent(min(self._config.lease_ttl_seconds / 3, self._time_left()))
            if self._leased and time.monotonic() >= self._renew_at:
                # A lease lost to somebody else is no reason to stop: the commit's fencing token decides.
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
        said = None if answer is None else answer.message().digest()
        messages = self._call.messages
        asked = answer is None and self._options.absorbed_until is not None and messages[-1].role == "user"
        watermark = next_watermark(plan, [m.digest() for m in messages], said, asked=asked)
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
        """Take or renew the agent's lease; the commit is fenced by the last one that was had."""
        agent_id, ttl = self._call.agent_id, self._config.lease_ttl_seconds
        self._renew_at = time.monotonic() + ttl / 3
        fence: int | None = yield CallStore(lambda store: store.acquire_lease(agent_id, self._owner, ttl_seconds=ttl))
        self._fence = self._fence if fence is None else fence
        return fence is not None

    def _acquire(self) -> Flow[None]:
        """Wait for the agent's lease, with growing, jittered pauses."""
        deadline = time.monotonic() + self._config.lease_timeout_seconds
        pause = _FIRST_WAIT_SECONDS
        while not (yield from self._lease()):
            left = min(deadline - time.monotonic(), self._time_left())
            if left <= 0:
                raise LeaseTimeoutError(
                    f"Another turn of agent {self._call.agent_id!r} was still running after "
                    f"{self._config.lease_timeout_seconds:g} seconds. "
                    "Try again, or raise lease_timeout_seconds."
                )
            yield Sleep(min(left, pause * random.uniform(0.5, 1.0)))
            pause = min(2 * pause, _LONGEST_WAIT_SECONDS)

    def _time_left(self) -> float:
        """Seconds until the caller gives up; raises when that is now."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TurnTimeoutError(
                f"The turn took longer than the {self._options.timeout_seconds:g} seconds of its timeout. Nothing was "
                "stored. Allow more time, fewer tokens (max_tokens) or a shorter prompt."
            )
        return left

    def _release(self) -> Flow[None]:
        agent_id = self._call.agent_id
        try:
            yield CallStore(lambda store: store.release_lease(agent_id, self._owner))
        except StoreError as error:
            # The turn itself is decided; the lease runs out by itself.
            _log.warning("The lease of agent %r could not be given back: %s", agent_id, error)
