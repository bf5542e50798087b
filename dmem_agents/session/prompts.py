"""Shown messages as the engine's prompts: which tokens are run, and which of them are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dmem_agents.engine import Prompt
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer, RenderedChat, segment_ids


def open_prompt(
    chat: ChatTokenizer,
    shown: Sequence[Message],
    written: Collection[int],
    *,
    write_answer: bool,
    tools: Sequence[Mapping[str, Any]] = (),
) -> Prompt:
    """Messages with the header of the answer to come.

    Args:
        chat: renders.
        shown: all messages the model reads, in order.
        written: positions in `shown` of those that are written too.
        write_answer: whether the answer, and so its header, is written.
        tools: on offer, in the OpenAI function format; shown and never written.
    """
    rendered = chat.render(shown, tools=tools, add_generation_prompt=True)
    tokens = len(rendered.message_index)
    header_from = tokens
    while write_answer and header_from and rendered.message_index[header_from - 1] < 0:
        header_from -= 1
    return _prompt(rendered, shown, written, header_from)


def closed_prompt(
    chat: ChatTokenizer,
    shown: Sequence[Message],
    written: Collection[int],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
) -> Prompt:
    """Messages as they stand, the last one closed: the canonical form that a state is a function of."""
    rendered = chat.render(shown, tools=tools, add_generation_prompt=False)
    return _prompt(rendered, shown, written, len(rendered.message_index))


def _prompt(rendered: RenderedChat, shown: Sequence[Message], written: Collection[int], header_from: int) -> Prompt:
    message_ids, sentence_ids = segment_ids(rendered, shown, written)
    return Prompt(
        input_ids=rendered.input_ids,
        write_mask=tuple(
            owner in written or token >= header_from for token, owner in enumerate(rendered.message_index)
        ),
        message_ids=message_ids,
        sentence_ids=sentence_ids,
    )
