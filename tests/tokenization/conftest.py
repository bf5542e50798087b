"""Tokenizers of these tests: the toy one, the same under well-known templates, and a byte-level BPE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dmem_agents.tokenization import ChatTokenizer

TEMPLATES = Path(__file__).parent / "templates"
MARKS = ["<|im_start|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"]


@pytest.fixture
def toy(golden: Path) -> Any:
    """A 100-symbol character tokenizer with a ChatML template."""
    return AutoTokenizer.from_pretrained(golden / "toy_tokenizer")


@pytest.fixture
def chat(toy: Any) -> ChatTokenizer:
    return ChatTokenizer(toy)


@pytest.fixture
def under(golden: Path) -> Callable[[str], ChatTokenizer]:
    """The toy tokenizer under a template, given as text or by its name in `templates/`."""

    def make(template: str) -> ChatTokenizer:
        tokenizer = AutoTokenizer.from_pretrained(golden / "toy_tokenizer")
        tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>", "extra_special_tokens": MARKS})
        named = TEMPLATES / f"{template}.jinja"
        tokenizer.chat_template = named.read_text() if len(template) < 40 and named.exists() else template
        return ChatTokenizer(tokenizer)

    return make


@pytest.fixture(scope="module")
def bpe() -> Any:
    """A byte-level BPE with merges across spaces, as real models have, under SmolLM2's template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = "The cat is on the mat. Is the cat there? Yes: the cat is there!\n\n\nuser assistant system is a\n"
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", *MARKS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text] * 4, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", additional_special_tokens=MARKS
    )
    wrapped.chat_template = (TEMPLATES / "smollm2.jinja").read_text()
    return wrapped
