from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AddedToken, AutoTokenizer

from dmem_agents.errors import ConfigError, MessageError
from dmem_agents.messages import Message, ToolCall
from dmem_agents.model.embedded import embedded_gguf, embedded_model_folder
from dmem_agents.tokenization import ChatTokenizer, RenderedChat, label_ids, segment_ids

Under = Callable[[str], ChatTokenizer]
TEMPLATES = Path(__file__).parent / "templates"


@pytest.fixture
def expected(golden: Path) -> Any:
    return json.loads((golden / "tokenization.json").read_text())


def chat_of(messages: Sequence[dict[str, str]]) -> list[Message]:
    return [Message(**message) for message in messages]  # type: ignore[arg-type]


def assistants(messages: Sequence[Message], mode: str) -> list[int]:
    turns = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return turns if mode == "all_assistant_turns" else turns[-1:]


def written(chat: ChatTokenizer, messages: list[Message]) -> tuple[list[int], list[int], list[int]]:
    rendered = chat.render(messages, add_generation_prompt=False)
    message_ids, sentence_ids = segment_ids(rendered, messages, range(len(messages)))
    return list(rendered.input_ids), list(message_ids), list(sentence_ids)


def test_spans_are_those_of_the_reference(chat: ChatTokenizer, expected: Any) -> None:
    assert expected["spans"]
    for case in expected["spans"]:
        messages = chat_of(case["messages"])
        rendered = chat.render(messages, add_generation_prompt=case["add_generation_prompt"])
        message_ids, sentence_ids = segment_ids(rendered, messages, range(len(messages)))
        assert list(rendered.input_ids) == case["input_ids"]
        assert list(message_ids) == case["message_ids"]
        if case["include_sentence_ids"]:
            assert list(sentence_ids) == case["sentence_ids"]


def test_labels_are_those_of_the_reference(chat: ChatTokenizer, expected: Any) -> None:
    assert expected["sft"]
    for case in expected["sft"]:
        messages = chat_of(case["messages"])
        rendered = chat.render(messages, add_generation_prompt=False)
        labels = label_ids(rendered, assistants(messages, case["assistant_loss_mode"]))
        tail = case["max_length"]
        assert list(rendered.input_ids[-tail:]) == case["out"]["input_ids"]
        assert list(labels[-tail:]) == case["out"]["labels"]


def test_episodes_of_the_reference_are_made_of_renders_ids_and_labels(chat: ChatTokenizer, expected: Any) -> None:
    assert expected["episodes"]
    for case in expected["episodes"]:
        messages = chat_of(case["messages"])
        systems = [message for message in messages if message.role == "system"]
        targets = assistants(messages, case["assistant_loss_mode"])
        assert [out["episode_target_message_index"] for out in case["out"]] == targets
        for out in case["out"]:
            target = out["episode_target_message_index"]
            before = [message for message in messages[:target] if message.role != "system"]
            views = {"": case["episode_recent_messages"], "state_only_": 1}
            for prefix, visible in views.items():
                cut = len(before) - min(visible, len(before))
                ids, message_ids, sentence_ids = written(chat, systems + before[:cut]) if cut else ([], [], [])
                tail = case["max_write_length"]
                assert ids[-tail:] == out[f"{prefix}write_input_ids"]
                assert message_ids[-tail:] == out[f"{prefix}write_message_ids"]
                if case["include_sentence_ids"]:
                    assert sentence_ids[-tail:] == out[f"{prefix}write_sentence_ids"]
                shown = [*systems, *before[cut:], messages[target]]
                read = chat.render(shown, add_generation_prompt=False)
                labels = label_ids(read, [len(shown) - 1])
                assert list(read.input_ids[-case["max_length"] :]) == out[f"{prefix}input_ids"]
                assert list(labels[-case["max_length"] :]) == out[f"{prefix}labels"]


def test_messages_left_out_of_the_writing_get_no_ids_and_others_keep_theirs(chat: ChatTokenizer) -> None:
    messages = [Message(role="user", content="One. Two"), Message(role="assistant", content="Three")]
    rendered = chat.render(messages, add_generation_prompt=True)
    message_ids, sentence_ids = segment_ids(rendered, messages, {1})
    assert set(message_ids) == {-1, 1}
    assert set(sentence_ids) == {-1, 2}
    assert all((owner == 1) == (i == 1) for owner, i in zip(rendered.message_index, message_ids, strict=True))


def test_an_empty_chat_has_no_tokens(chat: ChatTokenizer) -> None:
    empty = RenderedChat(input_ids=(), message_index=(), sentence_index=())
    assert chat.render([], add_generation_prompt=False) == empty


def test_the_ids_are_those_of_the_tokenizers_own_template(bpe: Any) -> None:
    messages = [{"role": "user", "content": "Is the cat there?"}, {"role": "assistant", "content": "Yes: é 😀"}]
    own = bpe.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    rendered = ChatTokenizer(bpe).render(chat_of(messages), add_generation_prompt=True)
    assert list(rendered.input_ids) == own


def words(bpe: Any, rendered: RenderedChat, sentence: int) -> str:
    pairs = zip(rendered.input_ids, rendered.sentence_index, strict=True)
    return str(bpe.decode([token_id for token_id, number in pairs if number == sentence]))


def test_sentences_of_a_bpe_vocabulary_take_the_space_before_them(bpe: Any) -> None:
    messages = [Message(role="user", content="The cat is there. Is the cat on the mat?")]
    rendered = ChatTokenizer(bpe).render(messages, add_generation_prompt=True)
    assert words(bpe, rendered, 0) == "The cat is there."
    assert words(bpe, rendered, 1) == " Is the cat on the mat?"
    assert max(rendered.sentence_index) == 1


def test_content_whose_edge_merged_with_its_header_still_has_sentences(bpe: Any) -> None:
    # The header's "\n" and the content's first one are one token: the content's own tokens aren't there.
    messages = [Message(role="user", content="\n\nThe cat is there! Yes: the cat")]
    rendered = ChatTokenizer(bpe).render(messages, add_generation_prompt=False)
    texts = [words(bpe, rendered, sentence) for sentence in range(max(rendered.sentence_index) + 1)]
    assert texts == ["The cat is there!", " Yes:", " the cat"]


def test_a_native_tool_call_is_one_sentence(under: Under) -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(id="c", name="look"),))
    rendered = under("qwen25").render([Message(role="user", content="u"), call], add_generation_prompt=False)
    pairs = zip(rendered.message_index, rendered.sentence_index, strict=True)
    assert {number for owner, number in pairs if owner == 1} == {1}


def test_a_tool_result_that_the_template_rewrites_is_one_sentence(under: Under) -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(id="c", name="look"),))
    result = Message(role="tool", content='{"temp": 21}', tool_call_id="c", name="look")
    chat = under("llama3")
    rendered = chat.render([Message(role="user", content="u"), call, result], add_generation_prompt=False)
    assert '{"temp": 21}' not in chat.decode(rendered.input_ids)  # but with its quotes escaped
    pairs = zip(rendered.message_index, rendered.sentence_index, strict=True)
    assert {number for owner, number in pairs if owner == 2} == {2}


def test_an_end_mark_that_is_special_by_its_entry_alone_ends_a_turn(golden: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(golden / "toy_tokenizer")
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    tokenizer.add_tokens([AddedToken("<|end|>", special=True)])
    tokenizer.chat_template = (TEMPLATES / "phi3.jinja").read_text()
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert end not in tokenizer.all_special_ids
    assert ChatTokenizer(tokenizer).eos_ids == {end, tokenizer.eos_token_id}


@pytest.mark.parametrize(
    ("template", "marks"),
    [
        ("smollm2", {"<|im_end|>", "</s>"}),
        ("llama3", {"<|eot_id|>", "</s>"}),
        ("gemma", {"<end_of_turn>", "</s>"}),
        ("phi3", {"<|end|>", "</s>"}),
        ("mistral", {"</s>"}),
        ("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}", {"</s>"}),
    ],
)
def test_a_turn_ends_with_eos_or_the_templates_end_mark(under: Under, template: str, marks: set[str]) -> None:
    chat = under(template)
    assert set(chat._tokenizer.convert_ids_to_tokens(sorted(chat.eos_ids))) == marks


def test_decoded_text_leaves_special_tokens_out_and_spaces_as_they_are(bpe: Any) -> None:
    token_ids = bpe("the cat , is !<|im_end|>\n", add_special_tokens=False)["input_ids"]
    assert ChatTokenizer(bpe).decode(token_ids) == "the cat , is !\n"
    assert ChatTokenizer(bpe).decode([]) == ""


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False
        chat_template = "x"

    with pytest.raises(ConfigError, match="`Slow`, which has none"):
        ChatTokenizer(Slow())  # type: ignore[arg-type]


def test_text_that_is_no_unicode_is_refused_with_advice(chat: ChatTokenizer) -> None:
    with pytest.raises(MessageError, match="unpaired surrogate"):
        chat.render([Message(role="user", content="ab\ud800")], add_generation_prompt=False)


def test_the_embedded_models_tokenizer_says_what_is_its_own() -> None:
    gguf = embedded_gguf()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    chat = ChatTokenizer(tokenizer)
    rendered = chat.render([Message(role="user", content="I have a pet rabbit.")], add_generation_prompt=True)
    own = [i for i, owner in zip(rendered.input_ids, rendered.message_index, strict=True) if owner == 0]
    # The ids that the feasibility probe wrote for this message.
    assert own == [1, 4093, 198, 57, 457, 253, 4144, 16024, 30, 2, 198]
    assert tokenizer.decode(rendered.input_ids[-3:]) == "assistant\n"
    assert not chat.supports_tools
    assert tokenizer.convert_ids_to_tokens(sorted(chat.eos_ids)) == ["<|im_end|>"]
    text = "Zażółć 😀, the rabbit's name is 'Flopsy' ."
    decoder = chat.stream_decoder()
    token_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert "".join(map(decoder.push, token_ids)) + decoder.flush() == chat.decode(token_ids) == text


def test_a_marker_that_is_no_token_is_not_taken_for_the_unknown_one() -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_folder())
    assert tokenizer.convert_tokens_to_ids("<tool_call>") in tokenizer.all_special_ids
    chat = ChatTokenizer(tokenizer)
    assert chat.marker_ids == {}
    assert chat.decode([tokenizer.unk_token_id]) == ""


@pytest.mark.parametrize("special", [True, False])
def test_a_marker_that_is_one_token_is_known_as_such_and_survives_decoding(toy: Any, special: bool) -> None:
    toy.add_tokens([AddedToken(mark, special=special) for mark in ("<tool_call>", "</tool_call>")], special)
    chat = ChatTokenizer(toy)
    assert list(chat.marker_ids) == ["<tool_call>", "</tool_call>"]
    text = "<tool_call> {}</tool_call>"
    assert chat.decode(chat.encode(text)) == text
