"""Requests that wait, and the engine's end. Owners take turns; those of one owner come in order."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from dmem_agents.engine.requests import Generation
from dmem_agents.errors import EngineBusyError, EngineClosedError


class RequestQueue:
    """Between any number of threads that submit and the one that runs.

    Args:
        max_waiting: most requests that wait.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[Generation]] = OrderedDict()
        self._running: list[Generation] = []
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return self._count()

    def put(self, generation: Generation) -> None:
        """Add one at its owner's end.

        Raises:
            EngineClosedError: nothing is taken any more.
            EngineBusyError: too many wait already.
        """
        with self._changed:
            if self._closed:
                raise EngineClosedError("The engine is closed. Open a new session to go on.")
            if self._count() >= self._max_waiting:
                raise EngineBusyError(
                    f"Expected at most {self._max_waiting} requests to wait for the model; this would be one more. "
                    "Nothing was stored. Try again later, or send fewer at a time."
                )
            self._waiting.setdefault(generation.request.owner, deque()).append(generation)
            self._changed.notify()

    def take(self, most: int, *, block: bool) -> list[Generation] | None:
        """The next requests, one owner after the other. Given-up ones are resolved and left out.

        Args:
            most: how many there is room for.
            block: wait until there is one.

        Returns:
            Perhaps none; None when the queue was closed.
        """
        with self._changed:
            self._running = [g for g in self._running if not g.future.done()]
            if block:
                self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            self._drop_cancelled()
            taken: list[Generation] = []
            while self._waiting and len(taken) < most:
                owner, requests = self._waiting.popitem(last=False)
                taken.append(requests.popleft())
                if requests:
                    self._waiting[owner] = requests  # behind the others
            self._running.extend(taken)
            return taken

    def close(self) -> None:
        """Fail what waits and what runs; take nothing more."""
        with self._changed:
            self._closed = True
            pending = [*(g for requests in self._waiting.values() for g in requests), *self._running]
            self._waiting.clear()
            self._running = []
            self._changed.notify_all()
        for generation in pending:
            generation.cancel()
            generation.fail(EngineClosedError("The engine was closed before this request finished."))

    def _count(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _drop_cancelled(self) -> None:
        for owner, requests in list(self._waiting.items()):
            for generation in [g for g in requests if g.cancelled]:
                requests.remove(generation)
                generation.finish_cancelled()
            if not requests:
                del self._waiting[owner]
