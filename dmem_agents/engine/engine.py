"""The thread that owns the model: takes requests from any thread and runs them in batches.

Knows token ids, masks and states; knows nothing of messages, agents, stores or text.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch

from dmem_agents.engine.queue import RequestQueue
from dmem_agents.engine.requests import Generation, GenerationRequest
from dmem_agents.engine.rows import Row
from dmem_agents.engine.scheduler import Scheduler
from dmem_agents.errors import ConfigError, StateMismatchError

if TYPE_CHECKING:
    from dmem_agents.model.attach import DeltaMemModel


@dataclass(slots=True)
class EngineStats:
    """What an engine is doing; counters grow from its start."""

    waiting: int = 0
    """Requests in the queue."""
    running: int = 0
    """Rows in slots, and prompts on their way in."""
    steps: int = 0
    """Rounds: at most one chunk of a prompt and one token of each row."""
    kv_bytes: int = 0
    """Keys and values of the slots."""
    prefix_bytes: int = 0
    """Keys and values of turns that may go on."""
    prefix_hits: int = 0
    """Prompts that went on from one."""


class Engine:
    """Batched generation for many agents on one model.

    Requests join the rows that run as soon as a slot is free, and leave at their end; owners take turns. Idle, the
    thread blocks. It ends with `close`, or when nobody holds the engine or one of its generations any more.

    Args:
        model: used by the engine's thread alone from now on.
        max_batch_size: slots: most rows in one forward pass.
        max_waiting: most requests that wait for a slot.
        prefix_cache_bytes: what keys and values of turns with tools may take between their steps; 0 keeps none.

    Raises:
        ConfigError: `max_batch_size` or `max_waiting` is not a positive integer, or the bytes are negative.
    """

    def __init__(
        self,
        model: DeltaMemModel,
        *,
        max_batch_size: int = 8,
        max_waiting: int = 1024,
        prefix_cache_bytes: int = 256 * 2**20,
    ) -> None:
        for name, value, least in (
            ("max_batch_size", max_batch_size, 1),
            ("max_waiting", max_waiting, 1),
            ("prefix_cache_bytes", prefix_cache_bytes, 0),
        ):
            if value < least:
                raise ConfigError(f"Expected {name} from {least} on, got {value}.")
        self.layout = model.layout
        self._queue = RequestQueue(max_waiting)
        self._stats = EngineStats()
        scheduler = Scheduler(model, slots=max_batch_size, prefix_bytes=prefix_cache_bytes)
        self._thread = threading.Thread(
            target=_work, args=(scheduler, self._queue, self._stats), name="dmem-engine", daemon=True
        )
        self._thread.start()
        # The thread holds the queue and the model, never the engine: dropping the engine ends the thread.
        self._finalizer = weakref.finalize(self, self._queue.close)

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request; returns at once.

        Raises:
            EngineClosedError: the engine was closed.
            EngineBusyError: too many requests wait.
            StateMismatchError: the state has another layout than the model.
        """
        if request.state.layout != self.layout:
            raise StateMismatchError(
                f"Expected a state of layout {list(self.layout.shape)} [layers, heads, rank, rank] of this "
                f"model's layers, got {list(request.state.layout.shape)} or other layers. "
                "Load the record's own adapter."
            )
        generation = Generation(request, self)
        self._queue.put(generation)
        return generation

    def stats(self) -> EngineStats:
        """What it is doing now, but for the rows of the step under way."""
        return replace(self._stats, waiting=len(self._queue))

    def close(self) -> None:
        """Fail what is pending with `EngineClosedError`, stop at the next step, and let the model go."""
        self._queue.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _work(scheduler: Scheduler, queue: RequestQueue, stats: EngineStats) -> None:
    """The engine's thread: step after step until the queue closes."""
    try:
        with torch.inference_mode():
            while (joining := queue.take(scheduler.free_slots, block=scheduler.idle)) is not None:
                scheduler.admit([Row(generation) for generation in joining])
                del joining  # a waiting thread must not keep the last requests alive
                scheduler.step()
                stats.running, stats.steps = scheduler.under_way, stats.steps + 1
                stats.kv_bytes, stats.prefix_bytes = scheduler.kv_bytes, scheduler.prefixes.size_bytes
                stats.prefix_hits = scheduler.prefixes.hits
    finally:
        queue.close()
