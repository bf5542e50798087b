from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from dmem_agents.tokenization import ChatTokenizer, StreamDecoder

SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def test_a_character_of_several_tokens_comes_out_whole(bpe: Any) -> None:
    token_ids = bpe("a😀é", add_special_tokens=False)["input_ids"]
    decoder = ChatTokenizer(bpe).stream_decoder()
    pieces = [decoder.push(token_id) for token_id in token_ids]
    assert [piece for piece in pieces if piece] == ["a", "😀", "é"]
    assert decoder.flush() == ""


def test_flush_gives_what_was_held_back(bpe: Any) -> None:
    half = bpe("😀", add_special_tokens=False)["input_ids"][:2]
    decoder = ChatTokenizer(bpe).stream_decoder()
    assert [decoder.push(token_id) for token_id in half] == ["", ""]
    assert decoder.flush() == ChatTokenizer(bpe).decode(half) != ""
    assert decoder.flush() == ""


def test_special_tokens_are_silent_in_a_stream(bpe: Any) -> None:
    chat = ChatTokenizer(bpe)
    token_ids = bpe("the cat<|im_end|> is<|endoftext|>", add_special_tokens=False)["input_ids"]
    decoder = chat.stream_decoder()
    assert "".join(map(decoder.push, token_ids)) + decoder.flush() == "the cat is"


@SHARED
@given(text=st.text(max_size=40))
def test_streamed_text_equals_the_text_and_never_holds_half_a_character(bpe: Any, text: str) -> None:
    chat = ChatTokenizer(bpe)
    token_ids = bpe(text.replace("\ufffd", ""), add_special_tokens=False)["input_ids"]
    decoder = chat.stream_decoder()
    pieces = [decoder.push(token_id) for token_id in token_ids]
    assert not any("\ufffd" in piece for piece in pieces)
    assert "".join(pieces) + decoder.flush() == chat.decode(token_ids) == text.replace("\ufffd", "")


@SHARED
@given(token_ids=st.lists(st.integers(0, 399), max_size=40))
def test_any_ids_streamed_decode_as_they_do_at_once(bpe: Any, token_ids: list[int]) -> None:
    chat = ChatTokenizer(bpe)
    decoder = chat.stream_decoder()
    assert "".join(map(decoder.push, token_ids)) + decoder.flush() == chat.decode(token_ids)


def test_a_tokenizer_that_strips_the_first_space_keeps_the_others() -> None:
    words = ["▁the", "▁cat", "▁is"]

    def decode(token_ids: Any) -> str:
        return "".join(words[i] for i in token_ids).replace("▁", " ").removeprefix(" ")

    decoder = StreamDecoder(decode)
    assert [decoder.push(i) for i in range(3)] == ["the", " cat", " is"]
