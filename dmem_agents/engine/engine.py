"""The thread that owns the model: takes requests from any thread and runs them in batches.

Knows token ids, masks and states; knows nothing of messages, agents, stores or text.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch

from dmem_agents.engine.batch import Batch
from dmem_agents.engine.requests import Generation, GenerationRequest
from dmem_agents.engine.rows import Row
from dmem_agents.errors import ConfigError, EngineClosedError, StateMismatchError

if TYPE_CHECKING:
    from dmem_agents.model.attach import DeltaMemModel


class Engine:
    """Batched generation for many agents on one model.

    Requests that wait when a batch begins share it; later ones wait for the next. Idle, the thread blocks.
    It ends with `close`, or when nobody holds the engine or one of its generations any more.

    Args:
        model: used by the engine's thread alone from now on.
        max_batch_size: most rows in one forward pass.

    Raises:
        ConfigError: `max_batch_size` is not a positive integer.
    """

    def __init__(self, model: DeltaMemModel, *, max_batch_size: int = 8) -> None:
        if max_batch_size < 1:
            raise ConfigError(f"Expected max_batch_size from 1 on, got {max_batch_size}.")
        self.layout = model.layout
        self._queue = _Queue()
        self._thread = threading.Thread(
            target=_work, args=(model, self._queue, max_batch_size), name="dmem-engine", daemon=True
        )
        self._thread.start()
        # The thread holds the queue and the model, never the engine: dropping the engine ends the thread.
        self._finalizer = weakref.finalize(self, self._queue.close)

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request; returns at once.

        Raises:
            EngineClosedError: the engine was closed.
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


class _Queue:
    """Requests that wait or run, in order of arrival, and whether more may come."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Generation] = deque()
        self._running: list[Generation] = []
        self._closed = False

    def put(self, generation: Generation) -> None:
        with self._changed:
            if self._closed:
                raise EngineClosedError("The engine is closed. Open a new session to go on.")
            self._waiting.append(generation)
            self._changed.notify()

    def take(self, most: int) -> list[Generation]:
        """Block until there is work: the oldest request and those of its kind behind it. Empty: closed."""
        with self._changed:
            self._running = []
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return []
            only_writes = self._waiting[0].request.sampling is None
            chosen = [g for g in self._waiting if (g.request.sampling is None) is only_writes][:most]
            self._waiting = deque(g for g in self._waiting if g not in chosen)
            self._running = chosen
            return list(chosen)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            pending = [*self._waiting, *self._running]
            self._waiting.clear()
            self._changed.notify_all()
        for generation in pending:
            generation.cancel()
            generation.fail(EngineClosedError("The engine was closed before this request finished."))


def _work(model: DeltaMemModel, queue: _Queue, max_batch_size: int) -> None:
    """The engine's thread: batch after batch until the queue closes."""
    try:
        while generations := queue.take(max_batch_size):
            with torch.inference_mode():
                Batch(model, [Row(generation) for generation in generations]).run()
            del generations  # a waiting thread must not keep the last requests alive
    finally:
        queue.close()
