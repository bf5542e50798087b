"""An answer's text as its tokens arrive: decoding, stop strings, and what may be shown already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Decoder(Protocol):
    """Ids in, complete text out."""

    def push(self, token_id: int) -> str:
        """Text that this id completes."""

    def flush(self) -> str:
        """What is left at the end."""


class AnswerText:
    """Collects one answer: joined, what `push` and `finish` return is its text up to the first stop string.

    Text that may be the beginning of a stop string is held back until it is known not to be.

    Args:
        decoder: fresh, for this answer alone.
        stops: non-empty texts.
    """

    def __init__(self, decoder: Decoder, stops: Sequence[str]) -> None:
        self._decoder = decoder
        self._stops = tuple(stops)
        self._shown = ""
        self._held = ""
        self._finished = False
        self.stopped = False
        """Whether a stop string ended the answer."""

    @property
    def text(self) -> str:
        """All text that may be shown so far; the whole answer after `finish`."""
        return self._shown

    def push(self, token_id: int) -> str:
        """One more token; returns the text that may be shown now."""
        return self._release(self._decoder.push(token_id), keep=True)

    def finish(self) -> str:
        """The answer is over; returns the rest of its text, the first time."""
        if self._finished:
            return ""
        self._finished = True
        return self._release(self._decoder.flush(), keep=False)

    def _release(self, more: str, *, keep: bool) -> str:
        if self.stopped:
            return ""
        self._held += more
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.stopped = True
            end = min(found)
        else:
            end = len(self._held) - (self._possible_stop() if keep else 0)
        released, self._held = self._held[:end], self._held[end:]
        self._shown += released
        return released

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
