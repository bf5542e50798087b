"""An answer's text as its tokens arrive: decoding, stop strings, calls, and what may be shown already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dmem_agents.call_formats import CallFormat
from dmem_agents.messages import Message, ToolCall
from dmem_agents.tool_calling import InvalidToolCall, content_length, parse_tool_calls


class Decoder(Protocol):
    """Ids in, complete text out."""

    def push(self, token_id: int) -> str:
        """Text that this id completes."""

    def flush(self) -> str:
        """What is left at the end."""


class AnswerText:
    """Collects one answer: joined, what `push` and `finish` return is its text up to the first stop string.

    Text that may be the beginning of a stop string is held back until it is known not to be, and so is what may
    be a tool call where tools are on offer: calls are no part of the text.

    Args:
        decoder: fresh, for this answer alone.
        stops: non-empty texts.
        call_format: how calls are spelt; None when no tools are on offer.
    """

    def __init__(self, decoder: Decoder, stops: Sequence[str], *, call_format: CallFormat | None = None) -> None:
        self._decoder = decoder
        self._stops = tuple(stops)
        self._call_format = call_format
        self._written = ""
        self._shown = ""
        self._held = ""
        self._finished = False
        self.stopped = False
        """Whether a stop string ended the answer."""
        self.tool_calls: tuple[ToolCall, ...] = ()
        """After `finish`: the calls."""
        self.invalid_tool_calls: tuple[InvalidToolCall, ...] = ()
        """After `finish`: what was to be a call and is none."""

    @property
    def text(self) -> str:
        """All text that may be shown so far; the whole answer after `finish`."""
        return self._shown

    def push(self, token_id: int) -> str:
        """One more token; returns the text that may be shown now."""
        self._written += self._release(self._decoder.push(token_id), keep=True)
        if self._call_format is None:
            return self._show(self._written)
        return self._show(self._written[: content_length(self._written, call_format=self._call_format)])

    def finish(self) -> str:
        """The answer is over; returns the rest of its text, the first time."""
        if self._finished:
            return ""
        self._finished = True
        self._written += self._release(self._decoder.flush(), keep=False)
        content = self._written
        if self._call_format is not None:
            parsed = parse_tool_calls(self._written, call_format=self._call_format)
            content, self.tool_calls, self.invalid_tool_calls = parsed
        return self._show(content)

    def message(self) -> Message:
        """The answer as frameworks send it back."""
        return Message(role="assistant", content=self._shown, tool_calls=self.tool_calls)

    def _show(self, content: str) -> str:
        """What `content` has beyond what was shown."""
        more = content[len(self._shown) :]
        self._shown += more
        return more

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
        return released

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
