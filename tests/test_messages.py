from __future__ import annotations

from typing import Any

import pytest

from dmem_agents.errors import MessageError
from dmem_agents.messages import Message, ToolCall


def call(**arguments: Any) -> ToolCall:
    return ToolCall(id="c1", name="look", arguments=arguments)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(MessageError, match="system, user, assistant, tool; got 'human'"):
        Message(role="human")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [None, ["text"], {"type": "image"}, b"text"])
def test_content_that_is_not_text_is_refused_with_advice(content: Any) -> None:
    with pytest.raises(MessageError, match=r"user message as `str`.*join the text parts"):
        Message(role="user", content=content)


def test_a_digest_is_16_bytes_and_stays_the_same_over_releases() -> None:
    message = Message(role="assistant", content="é", tool_calls=(call(b=1, a=[None, "x"]),))
    assert message.digest().hex() == "523195ce60c93a04e13d4ae3b18c7467"


def test_a_digest_depends_on_all_that_was_said() -> None:
    messages = [
        Message(role="user", content="a"),
        Message(role="assistant", content="a"),
        Message(role="user", content="b"),
        Message(role="assistant", content="a", tool_calls=(call(),)),
        Message(role="assistant", content="a", tool_calls=(call(x=1),)),
        Message(role="assistant", content="a", tool_calls=(call(), call())),
        Message(role="tool", content="a"),
        Message(role="tool", content="a", tool_call_id="c1"),
    ]
    assert len({message.digest() for message in messages}) == len(messages)


def test_a_digest_ignores_the_order_of_arguments_and_the_speakers_name() -> None:
    one = Message(role="assistant", tool_calls=(call(a=1, b=2),))
    other = Message(role="assistant", tool_calls=(call(b=2, a=1),), name="bot")
    assert one.digest() == other.digest()


def test_text_that_utf8_cannot_hold_still_has_a_digest() -> None:
    assert len(Message(role="user", content="\ud800").digest()) == 16


def test_arguments_that_are_not_json_are_refused() -> None:
    with pytest.raises(MessageError, match="Expected JSON values as tool-call arguments"):
        Message(role="assistant", tool_calls=(call(when=object()),)).digest()


def test_white_space_around_an_answer_does_not_make_it_another_message() -> None:
    said, sent_back = (Message(role="assistant", content=text) for text in (" Yes.\n", "Yes."))
    assert said.digest() == sent_back.digest()
    assert Message(role="user", content=" Yes.\n").digest() != Message(role="user", content="Yes.").digest()
