"""Ordinary text on which a loaded memory should change nothing: paragraphs, conversations, questions about the world.

Read from published data sets in a folder of the user's, laid out as for `data.real_text`; never copied.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data.real_text import persona_conversations
from dmem_agents.train.data.text_files import read_json, read_json_lines

_REQUESTS = tuple(
    f"{wish} {topic}{end}"
    for wish, end in (
        ("Write a short poem about", "."),
        ("Give me three tips for", "."),
        ("Explain in two sentences:", "."),
        ("Write an email about", ", in a formal tone."),
        ("List five words that have to do with", "."),
        ("What do people mean by", "?"),
        ("Tell me a story about", "."),
        ("Translate into French:", "."),
    )
    for topic in (
        "the sea", "learning to swim", "gravity", "a late delivery", "photosynthesis", "an old lighthouse",
        "saving money", "the first snow", "inflation", "a good night's sleep", "baking bread", "black holes",
        "moving house", "jazz", "a meeting on Friday", "planting trees",
    )
)  # fmt: skip
"""What any assistant is asked for. Nothing that was told matters to it."""


class OrdinaryText:
    """Token rows of HotpotQA's training paragraphs and questions, SQuAD, Synthetic-Persona-Chat and common requests.

    Args:
        data_folder: holds `hotpotqa/`, `squadv2/` and `synthetic_persona_chat/`.
        tokenizer: the backbone's; conversations are rendered as serving does.
        tokens: longest row; what comes after is cut off.

    Raises:
        ConfigError: a file is missing or has other columns.
    """

    def __init__(self, data_folder: str | Path, tokenizer: PreTrainedTokenizerBase, *, tokens: int) -> None:
        if tokens < 2:
            raise ConfigError(f"Expected rows of at least 2 tokens of ordinary text; got retention_tokens = {tokens}.")
        folder = Path(data_folder)
        self._tokenizer, self._chat, self._tokens = tokenizer, ChatTokenizer(tokenizer), tokens
        records = list(read_json(folder / "hotpotqa" / "train_100.json.gz", ("context", "question", "answer")))
        self._paragraphs = ["".join(sentences).strip() for record in records for _, sentences in record["context"]]
        asked = list(read_json_lines(folder / "squadv2" / "test.jsonl.gz", ("context", "question", "answers")))
        self._requests = [f"{record['context']}\n\n{record['question']}" for record in asked]
        self._answered = [[record["question"], record["answer"]] for record in records]
        self._answered += [[r["question"], r["answers"][0]["text"]] for r in asked if r["answers"]]
        self._conversations = persona_conversations(folder)

    def sample(self, rng: random.Random) -> tuple[int, ...]:
        """The ids of one row, at most `tokens` of them."""
        kind = rng.random()
        if kind < 0.25:
            ids = tuple(self._tokenizer(rng.choice(self._paragraphs), add_special_tokens=False)["input_ids"])
        elif kind < 0.35:
            ids = self._rendered([rng.choice(self._requests)])
        elif kind < 0.55:
            ids = self._rendered(rng.choice(self._answered))
        elif kind < 0.65:
            ids = self._rendered([rng.choice(_REQUESTS)])
        else:
            lines = rng.choice(self._conversations)
            start = rng.randrange(max(len(lines) - 3, 1))
            ids = self._rendered(list(lines[start : start + 6]))
        return tuple(ids[: self._tokens])

    def _rendered(self, lines: Sequence[str]) -> tuple[int, ...]:
        """Lines as a conversation that the user begins."""
        messages = [Message(role="assistant" if i % 2 else "user", content=line) for i, line in enumerate(lines)]
        return self._chat.render(messages, add_generation_prompt=messages[-1].role == "user").input_ids
