"""What a turn asks for while it runs, and the two drivers that do it: one blocking, one for asyncio.

A turn is a generator of commands (the way httpx writes its auth flows): it holds all the logic and does no
waiting itself. A driver carries out a command and sends the result back, or throws the error in. A consumer
that goes away (closed stream, cancelled task, Ctrl-C) is an error thrown in as well, so a turn has one
place to clean up.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from dmem_agents.engine import GenerationResult
from dmem_agents.session.options import ReplyChunk
from dmem_agents.store.base import AsyncStateStore, StateStore

Event = str | Future[GenerationResult]
"""A piece of text, or the future of a generation that is over."""


@dataclass(frozen=True, slots=True)
class LoadRuntime:
    """Give the loaded model; loads it the first time."""


@dataclass(frozen=True, slots=True)
class CallStore:
    """Call the store: sync or async, the method names are the same."""

    call: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Compute:
    """Call something that takes a while and waits for nobody; not in the event loop's thread."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Give the next event of the running generation, or None when there was none for so long."""

    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a chunk to the consumer."""

    chunk: ReplyChunk


Command = LoadRuntime | CallStore | Compute | Sleep | NextEvent | Emit
Commands = Generator[Command, Any, None]


class Events(Protocol):
    """Where the engine's thread leaves what it has for a turn."""

    def put(self, event: Event) -> None:
        """Called in the engine's thread; never blocks."""


class SyncEvents:
    """Events for a thread that waits."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        """Called in the engine's thread."""
        self._queue.put(event)

    def get(self, timeout_seconds: float) -> Event | None:
        """The next event; None after so many seconds without one."""
        try:
            return self._queue.get(timeout=timeout_seconds)
        except queue.Empty:
            return None


class AsyncEvents:
    """Events for a task of the running event loop."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def put(self, event: Event) -> None:
        """Called in the engine's thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    async def get(self, timeout_seconds: float) -> Event | None:
        """The next event; None after so many seconds without one."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._queue.get()
        except TimeoutError:
            return None


def drive(
    turn: Commands, *, runtime: Callable[[], object], store: Callable[[], StateStore], events: SyncEvents
) -> Generator[ReplyChunk]:
    """Carry out a turn in this thread; gives its chunks as they come."""
    step = partial(turn.send, None)
    opened: StateStore | None = None
    while True:
        try:
            command = step()
        except StopIteration:
            return
        result: object = None
        try:
            match command:
                case Emit(chunk):
                    yield chunk
                case LoadRuntime():
                    result = runtime()
                case CallStore(call):
                    opened = opened or store()  # one for the turn: a closed session must not keep the lease from it
                    result = call(opened)
                case Compute(call):
                    result = call()
                case Sleep(seconds):
                    time.sleep(seconds)
                case NextEvent(timeout_seconds):
                    result = events.get(timeout_seconds)
        except BaseException as error:
            step = partial(turn.throw, error)
        else:
            step = partial(turn.send, result)


async def drive_async(
    turn: Commands,
    *,
    runtime: Callable[[], object],
    store: Callable[[], AsyncStateStore],
    events: AsyncEvents,
) -> AsyncGenerator[ReplyChunk]:
    """Carry out a turn in this task; gives its chunks as they come."""
    step = partial(turn.send, None)
    opened: AsyncStateStore | None = None
    while True:
        try:
            command = step()
        except StopIteration:
            return
        result: object = None
        try:
            match command:
                case Emit(chunk):
                    yield chunk
                case LoadRuntime():
                    result = await asyncio.to_thread(runtime)
                case CallStore(call):
                    opened = opened or await asyncio.to_thread(store)  # opening may wait for a disk
                    result = await _to_its_end(call(opened))
                case Compute(call):
                    result = await asyncio.to_thread(call)
                case Sleep(seconds):
                    await asyncio.sleep(seconds)
                case NextEvent(timeout_seconds):
                    result = await events.get(timeout_seconds)
        except BaseException as error:
            step = partial(turn.throw, error)
        else:
            step = partial(turn.send, result)


async def _to_its_end(call: Awaitable[Any]) -> Any:
    """Await a call of the store; a cancelled caller learns of it when the store is done, not half-way."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(Exception):
            await task
        raise
