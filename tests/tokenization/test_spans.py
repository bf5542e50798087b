from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dmem_agents.errors import TemplateError
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.tokenization.spans import attribute

Under = Callable[[str], ChatTokenizer]
EVERY = ["gemma", "llama3", "mistral", "mistral_v3", "phi3", "qwen25", "qwen3", "smollm2"]
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {}}}]
SYSTEM = Message(role="system", content="Be brief")


def user(text: str) -> Message:
    return Message(role="user", content=text)


def said(text: str) -> Message:
    return Message(role="assistant", content=text)


def owned(chat: ChatTokenizer, messages: list[Message], **options: Any) -> list[tuple[int, str]]:
    text, owners = attribute(chat._template, messages, **options)
    assert len(text) == len(owners)
    pairs = zip(owners, text, strict=True)
    return [(owner, "".join(c for _, c in run)) for owner, run in groupby(pairs, key=lambda pair: pair[0])]


def test_headers_and_end_marks_belong_to_their_message(under: Under) -> None:
    spans = owned(under("smollm2"), [SYSTEM, user("u"), said("a")], add_generation_prompt=True)
    assert spans == [
        (0, "<|im_start|>system\nBe brief<|im_end|>\n"),
        (1, "<|im_start|>user\nu<|im_end|>\n"),
        (2, "<|im_start|>assistant\na<|im_end|>\n"),
        (-1, "<|im_start|>assistant\n"),
    ]


@pytest.mark.parametrize(
    ("name", "preamble", "own"),
    [
        ("smollm2", "<|im_start|>system\nYou are a helpful AI assistant", "<|im_start|>user\nu<|im_end|>\n"),
        ("qwen25", "<|im_start|>system\nYou are Qwen", "<|im_start|>user\nu<|im_end|>\n"),
        ("llama3", "<s><|start_header_id|>system", "<|start_header_id|>user<|end_header_id|>\n\nu<|eot_id|>"),
        ("mistral", "<s>", "[INST] u [/INST]"),
        ("gemma", "<s>", "<start_of_turn>user\nu<end_of_turn>\n"),
    ],
)
def test_what_the_template_puts_first_by_itself_belongs_to_nobody(
    under: Under, name: str, preamble: str, own: str
) -> None:
    (first, before), (second, message) = owned(under(name), [user("u")])
    assert (first, second, message) == (-1, 0, own)
    assert before.startswith(preamble)


def test_a_bos_that_is_also_the_start_of_a_header_stays_with_its_message(toy: Any) -> None:
    toy.bos_token = "<|im_start|>"  # as SmolLM2's is
    assert owned(ChatTokenizer(toy), [user("u")]) == [(0, "<|im_start|>user\nu<|im_end|>\n")]


def test_a_preamble_is_told_apart_before_an_answer_too(under: Under) -> None:
    assert owned(under("smollm2"), [said("a")])[-1] == (0, "<|im_start|>assistant\na<|im_end|>\n")
    assert owned(under("mistral"), [said("a")]) == [(-1, "<s>[INST]  [/INST]"), (0, "a</s> ")]


def test_folded_system_text_is_not_counted_to_the_user(under: Under) -> None:
    spans = owned(under("gemma"), [SYSTEM, user("u"), said("a")])
    assert spans[1][0] == 0
    assert spans[1][1].startswith("<start_of_turn>user\nBe brief\n")
    assert spans[2] == (1, "\nu<end_of_turn>\n")


def test_joined_messages_keep_their_own_text(under: Under) -> None:
    spans = dict(owned(under("mistral"), [user("one"), user("two"), said("a")]))
    assert (spans[0], spans[1], spans[2]) == ("[INST] one", "\n\ntwo [/INST]", "a</s> ")


def test_an_answer_that_loses_its_think_block_later_keeps_its_text(under: Under) -> None:
    spans = dict(owned(under("qwen3"), [user("u"), said("an answer of some length"), user("v")]))
    assert spans[1] == "<|im_start|>assistant\nan answer of some length<|im_end|>\n"
    assert spans[2] == "<|im_start|>user\nv<|im_end|>\n"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("system", [True, False])
def test_tool_schemas_belong_to_nobody_and_messages_keep_their_content(under: Under, name: str, system: bool) -> None:
    messages = [*([SYSTEM] if system else []), user("What is it"), said("Let me look"), user("Well")]
    spans = owned(under(name), messages, tools=TOOLS)
    for index, message in enumerate(messages):
        own = "".join(text for owner, text in spans if owner == index)
        if message.role != "system":
            assert message.content in own
            assert "Looks" not in own
    assert any("Looks" in text for owner, text in spans if owner == -1 or messages[owner].role == "system")


def test_a_template_that_rewrites_the_past_is_refused(under: Under) -> None:
    backwards = under("{% for m in messages[::-1] %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}")
    with pytest.raises(TemplateError, match="adding message 1 changed the last"):
        attribute(backwards._template, [user("x" * 200), said("y" * 200)])


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(roles=st.lists(st.sampled_from(["user", "assistant", "tool", "system"]), min_size=1, max_size=6))
def test_every_message_owns_its_text_under_every_template(under: Under, name: str, roles: list[Any]) -> None:
    words = ("Alfa.", "Beta!", "Gamma?", "Delta;", "Epsilon:", "Zeta")
    messages = [Message(role=role, content=word) for role, word in zip(roles, words, strict=False)]
    text, owners = attribute(under(name)._template, messages, add_generation_prompt=True)
    for index, message in enumerate(messages):
        if message.role != "system":
            own = "".join(c for c, owner in zip(text, owners, strict=True) if owner == index)
            assert message.content in own
            assert not any(other.content in own for other in messages if other is not message)
