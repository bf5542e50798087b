"""Which tokens of a rendered chat are written."""

from __future__ import annotations

import pytest

from dmem_agents.messages import Message
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session.prompts import closed_prompt, open_prompt
from dmem_agents.tokenization import ChatTokenizer

SHOWN = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Old."),
    Message(role="user", content="New."),
)


@pytest.fixture
def chat(loaded: LoadedModel) -> ChatTokenizer:
    return ChatTokenizer(loaded.tokenizer)


def split(chat: ChatTokenizer, ids: tuple[int, ...], mask: tuple[bool, ...]) -> tuple[str, str]:
    """Text of the tokens that are only read, and of those that are written; headers included."""
    texts = [chat._tokenizer.decode([i]) for i in ids]
    return tuple("".join(t for t, w in zip(texts, mask, strict=True) if w is chosen) for chosen in (False, True))


def test_only_chosen_messages_are_written_with_their_headers_and_ends(chat: ChatTokenizer) -> None:
    prompt = closed_prompt(chat, SHOWN, {2})
    read, written = split(chat, prompt.input_ids, prompt.write_mask)
    assert written == "<|im_start|>user\nNew.<|im_end|>\n"
    assert read == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOld.<|im_end|>\n"
    assert [i >= 0 for i in prompt.message_ids] == list(prompt.write_mask)
    assert all(w or s < 0 for w, s in zip(prompt.write_mask, prompt.sentence_ids, strict=True))


@pytest.mark.parametrize("write_answer", [True, False])
def test_the_header_of_an_answer_is_written_when_the_answer_is(chat: ChatTokenizer, write_answer: bool) -> None:
    prompt = open_prompt(chat, SHOWN, {2}, write_answer=write_answer)
    _, written = split(chat, prompt.input_ids, prompt.write_mask)
    header = "<|im_start|>assistant\n" if write_answer else ""
    assert written == "<|im_start|>user\nNew.<|im_end|>\n" + header


def test_an_open_prompt_with_its_answer_is_the_beginning_of_the_closed_one(chat: ChatTokenizer) -> None:
    opened = open_prompt(chat, SHOWN, {2}, write_answer=True)
    closed = closed_prompt(chat, [*SHOWN, Message(role="assistant", content="Yes.")], {2, 3})
    assert closed.input_ids[: len(opened)] == opened.input_ids
    assert closed.write_mask[: len(opened)] == opened.write_mask
    assert chat.decode(closed.input_ids[len(opened) :]) == "Yes.\n"
