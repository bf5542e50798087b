"""The tiny model and tokenizer that users test their own code with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dmem_agents.errors import ConfigError
from dmem_agents.testing.tiny_model import TINY_FAMILIES, save_tiny_model, tiny_model, tiny_tokenizer


@pytest.mark.parametrize("text", ["", "Where do I live?", "naïve – 日本 🙂", "  two  spaces , kept !\n\n"])
def test_any_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = tiny_tokenizer()
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert len(ids) == len(text.encode())


def test_the_template_marks_turns_with_single_tokens_and_stops_at_the_end_of_an_answer() -> None:
    tokenizer = tiny_tokenizer()
    chat = [{"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(text)["input_ids"]
    assert (ids.count(tokenizer.bos_token_id), ids.count(tokenizer.eos_token_id)) == (2, 1)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_equal_seeds_give_equal_models_and_the_callers_random_numbers_stay_as_they_were(family: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, two, other = tiny_model(family), tiny_model(family), tiny_model(family, seed=1)
    assert torch.equal(torch.rand(3), expected)
    for (name, a), b, c in zip(one.named_parameters(), two.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        assert not torch.equal(a, c), name


def test_a_saved_model_opens_like_any_other(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny", "qwen3", seed=3)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("Hello")["input_ids"]])
    with torch.no_grad():
        assert torch.equal(
            model(input_ids=ids).logits, tiny_model("qwen3", seed=3, attn_implementation="sdpa")(ids).logits
        )
    assert tokenizer.chat_template == tiny_tokenizer().chat_template


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="smollm3"):
        tiny_model("gpt-17")
