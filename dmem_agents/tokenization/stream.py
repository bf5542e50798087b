"""Token ids to text, one id at a time. Knows nothing of chats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class StreamDecoder:
    """Decodes a growing list of token ids; what it returns, joined, is the decoded list.

    A token may hold part of a character (byte-level and byte-fallback vocabularies). Such text is held
    back until the character is complete, or until `flush`.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._token_ids: list[int] = []
        self._window = 0
        self._read = 0

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes; "" while a character is incomplete."""
        self._token_ids.append(token_id)
        text = self._unread()
        if not text or text.endswith(_REPLACEMENT):
            return ""
        self._advance()
        return text

    def flush(self) -> str:
        """The rest, incomplete characters as U+FFFD. Call it after the last token."""
        text = self._unread()
        self._advance()
        return text

    def _unread(self) -> str:
        # Decoded together with the tokens read last: a tokenizer may strip a leading space or add one.
        known = self._decode(self._token_ids[self._window : self._read])
        return self._decode(self._token_ids[self._window :])[len(known) :]

    def _advance(self) -> None:
        self._window = self._read
        self._read = len(self._token_ids)
