"""Thoughts at the beginning of an answer: told apart from what it says, and put back as they were."""

from __future__ import annotations

from typing import NamedTuple

from llama_index.core.base.llms.types import ThinkingBlock

_OPENING, _CLOSING = "<think>", "</think>"
_AS_WRITTEN = "dmem_as_written"


class Answer(NamedTuple):
    """An answer, whole or so far: `written + said` is its text."""

    written: str
    """The thoughts with their marks and the space around them; empty without any."""
    said: str
    """The rest."""

    @property
    def thoughts(self) -> str:
        """The thoughts without marks, whole or begun, and without space around them."""
        text = self.written.strip()
        if _OPENING.startswith(text):
            return ""
        begun = next((n for n in range(len(_CLOSING), 0, -1) if text.endswith(_CLOSING[:n])), 0)
        return text[: len(text) - begun].removeprefix(_OPENING).strip()

    def block(self) -> ThinkingBlock | None:
        """The thoughts as LlamaIndex has them; None without any."""
        if not self.written:
            return None
        return ThinkingBlock(content=self.thoughts, additional_information={_AS_WRITTEN: self.written})


def split_thoughts(text: str, *, whole: bool = True) -> Answer:
    """Tell the thoughts that an answer may begin with from what it says.

    Args:
        text: the answer, whole or so far.
        whole: False: the answer goes on, and what may become the opening mark is held to be it.
    """
    begin = text.lstrip()
    if not begin.startswith(_OPENING) and (whole or not begin or not _OPENING.startswith(begin)):
        return Answer("", text)
    end = text.find(_CLOSING)
    if end < 0:
        return Answer(text, "")
    said = text[end + len(_CLOSING) :].lstrip()
    return Answer(text[: len(text) - len(said)], said)


def as_written(block: ThinkingBlock) -> str:
    """The text that `block` was made of; empty for thoughts of other models, which no template shows."""
    return str(block.additional_information.get(_AS_WRITTEN, ""))
