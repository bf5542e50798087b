from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dmem_agents.errors import TemplateError
from dmem_agents.messages import Message, ToolCall
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.tokenization.template import ChatTemplate
from tests.tokenization.conftest import TEMPLATES

Under = Callable[[str], ChatTokenizer]


def chat_of(*roles_and_texts: tuple[str, str]) -> list[Message]:
    return [Message(role=role, content=text) for role, text in roles_and_texts]  # type: ignore[arg-type]


def shown(tokenizer: ChatTokenizer, messages: list[Message], **options: Any) -> str:
    return tokenizer._template.text(messages, **options)


TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {}}}]
CALLS = Message(
    role="assistant",
    content="hm",
    tool_calls=(ToolCall(id="c1", name="look", arguments={"at": "é"}), ToolCall(id="c2", name="look")),
)
TOOL_CHAT = [
    Message(role="user", content="Q"),
    CALLS,
    Message(role="tool", content="R1", tool_call_id="c1", name="look"),
    Message(role="tool", content="R2", tool_call_id="c2", name="look"),
    Message(role="assistant", content="A"),
]


def test_a_tokenizer_without_a_template_is_refused(toy: Any) -> None:
    toy.chat_template = None
    with pytest.raises(TemplateError, match="has no chat template"):
        ChatTokenizer(toy)


def test_a_template_that_refuses_a_user_message_is_refused(under: Under) -> None:
    with pytest.raises(TemplateError, match="roles user: nothing suits me"):
        under("{{ raise_exception('nothing suits me') }}")


def test_chats_that_the_template_takes_are_not_reshaped(under: Under) -> None:
    messages = chat_of(("system", "S"), ("system", "T"), ("user", "u"), ("user", "v"), ("assistant", "a"))
    marks = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
    assert shown(under("smollm2"), messages) == marks


@pytest.mark.parametrize("name", ["gemma", "mistral", "mistral_v3"])
def test_a_system_prompt_is_folded_into_the_first_user_message_where_the_template_has_no_place_for_it(
    under: Under, name: str
) -> None:
    chat = under(name)
    folded = shown(chat, chat_of(("system", "S"), ("system", "T"), ("user", "u"), ("assistant", "a"), ("user", "v")))
    assert folded == shown(chat, chat_of(("user", "S\n\nT\n\nu"), ("assistant", "a"), ("user", "v")))


def test_a_later_system_message_is_folded_into_the_next_user_message(under: Under) -> None:
    chat = under("gemma")
    folded = shown(chat, chat_of(("user", "u"), ("assistant", "a"), ("system", "S"), ("user", "v")))
    assert folded == shown(chat, chat_of(("user", "u"), ("assistant", "a"), ("user", "S\n\nv")))
    ended = shown(chat, chat_of(("user", "u"), ("assistant", "a"), ("system", "S")))
    assert ended == shown(chat, chat_of(("user", "u"), ("assistant", "a"), ("user", "S")))


def test_a_system_message_before_an_answer_becomes_a_user_message_of_its_own(under: Under) -> None:
    chat = under("gemma")
    folded = shown(chat, chat_of(("system", "S"), ("assistant", "a")))
    assert folded == shown(chat, chat_of(("user", "S"), ("assistant", "a")))


def test_neighbours_of_one_role_are_joined_where_roles_must_alternate(under: Under) -> None:
    chat = under("gemma")
    joined = shown(chat, chat_of(("user", "u"), ("user", "v"), ("assistant", "a"), ("assistant", "b")))
    assert joined == shown(chat, chat_of(("user", "u\n\nv"), ("assistant", "a\n\nb")))


def test_an_empty_answer_stands_for_one_that_never_followed_a_tool_result(under: Under) -> None:
    text = shown(under("mistral_v3"), [*TOOL_CHAT[:4], Message(role="user", content="never mind")])
    assert text.endswith("[/TOOL_RESULTS] </s>[INST] never mind[/INST]")


def test_an_empty_user_message_opens_a_chat_where_the_template_wants_one(under: Under) -> None:
    assert shown(under("mistral"), chat_of(("assistant", "a"))) == "<s>[INST]  [/INST]a</s> "


@pytest.mark.parametrize(
    ("name", "supported"),
    [
        ("qwen25", True),
        ("llama3", True),
        ("mistral_v3", True),
        ("smollm2", False),
        ("phi3", False),
        ("gemma", False),
    ],
)
def test_tool_support_is_told_from_the_template(under: Under, name: str, supported: bool) -> None:
    assert under(name).supports_tools is supported


@pytest.mark.parametrize("name", ["qwen25", "llama3", "mistral_v3", "smollm2", "phi3", "gemma", "mistral", "qwen3"])
def test_tools_calls_and_results_are_shown_under_every_template(under: Under, name: str) -> None:
    text = shown(under(name), TOOL_CHAT, tools=TOOLS)
    for expected in ("Looks", '"at"', "R1", "R2", "A"):
        assert expected in text
    assert text.count('{"name": "look"') >= 2


def test_a_template_without_tools_shows_calls_and_results_as_text(under: Under) -> None:
    text = shown(under("smollm2"), TOOL_CHAT)
    assert (
        '<|im_start|>assistant\nhm\n<tool_call>\n{"name": "look", "arguments": {"at": "é"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nR1\n</tool_response><|im_end|>\n"
    ) in text


def test_a_template_without_tools_lists_them_after_the_system_prompt(under: Under) -> None:
    chat = under("smollm2")
    with_prompt = shown(chat, chat_of(("system", "S"), ("user", "u")), tools=TOOLS)
    assert with_prompt.startswith("<|im_start|>system\nS\n\n# Tools\n")
    assert '<tools>\n{"type": "function", "function": {"name": "look"' in with_prompt
    without = shown(chat, chat_of(("user", "u")), tools=TOOLS)
    assert without.startswith("<|im_start|>system\n# Tools\n")


def test_a_template_for_single_calls_gets_one_message_per_call(under: Under) -> None:
    text = shown(under("llama3"), TOOL_CHAT)
    assert text.count("<|start_header_id|>assistant<|end_header_id|>\n\n{") == 2


def test_tools_never_make_a_user_message_of_another_message(under: Under) -> None:
    messages = chat_of(("system", "S"), ("system", "T"), ("assistant", "a"), ("user", "u"))
    text = shown(under("llama3"), messages, tools=TOOLS)
    assert "assistant<|end_header_id|>\n\na<|eot_id|>" in text
    assert "S\n\nT<|eot_id|>" in text


def test_thinking_is_switched_off(under: Under) -> None:
    text = shown(under("qwen3"), chat_of(("user", "u")), add_generation_prompt=True)
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_messages_that_a_template_still_refuses_raise_without_quoting_them(under: Under) -> None:
    picky = under("{% for m in messages %}{% if loop.index > 9 %}{{ raise_exception('too long') }}{% endif %}"
                  "{{ m['role'] + m['content'] }}{% endfor %}")  # fmt: skip
    with pytest.raises(TemplateError, match="too long") as caught:
        shown(picky, chat_of(*[("user", "secret")] * 10))
    assert "secret" not in str(caught.value)


def test_traits_describe_a_strict_template(under: Under) -> None:
    template = under("mistral")._template
    assert isinstance(template, ChatTemplate)
    traits = template.traits
    assert not any((traits.system, traits.later_system, traits.repeated_roles, traits.assistant_first, traits.tools))


@pytest.mark.parametrize("name", ["qwen25", "llama3", "mistral_v3", "smollm2", "phi3", "gemma", "mistral", "qwen3"])
def test_a_result_whose_call_is_text_is_shown_under_every_template(under: Under, name: str) -> None:
    template = (TEMPLATES / f"{name}.jinja").read_text()
    # As the published template of Mistral 7B Instruct v0.3 has it.
    refusal = "{{- raise_exception('no id') if message.tool_call_id|length != 9 else '' }}"
    strict = template.replace("{{- '[TOOL_RESULTS]", refusal + "{{- '[TOOL_RESULTS]")
    chat = chat_of(("system", "Be brief."), ("user", "Where?"), ("assistant", "Action: look"), ("tool", "Seen: a cat"))
    text = shown(under(strict), [*chat, *chat_of(("assistant", "Action: stroke"), ("tool", "Felt: purring"))])
    places = [text.index(part) for part in ("Where?", "Action: look", "Seen: a cat", "Action: stroke", "Felt: purring")]
    assert places == sorted(places)
