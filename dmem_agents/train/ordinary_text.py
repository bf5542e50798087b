"""Ordinary text on which a loaded memory should change nothing: paragraphs, conversations, questions about the world.

Read from published data sets in a folder of the user's, laid out as for `data.real_text`; never copied. What the frozen
model answers to questions and requests is the model's own to say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data.real_text import persona_conversations
from dmem_agents.train.data.tables.requests import REQUESTS
from dmem_agents.train.data.text_files import read_json, read_json_lines

Continue = Callable[[Sequence[Sequence[int]]], list[tuple[int, ...]]]
"""Prompts as ids, to what the frozen model says next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrdinaryRow:
    """One row of ordinary text."""

    ids: tuple[int, ...]
    first: int = 0
    """The first token after which predictions count: the last one of a prompt, where there is an answer."""


class OrdinaryText:
    """Token rows of HotpotQA's training paragraphs and questions, SQuAD, Synthetic-Persona-Chat and common requests.

    Args:
        data_folder: holds `hotpotqa/`, `squadv2/` and `synthetic_persona_chat/`.
        tokenizer: the backbone's; conversations are rendered as serving does.
        tokens: longest row; what comes after is cut off.
        answer: what the frozen model says to prompts, asked once for all questions and requests.

    Raises:
        ConfigError: a file is missing or has other columns.
    """

    def __init__(
        self,
        data_folder: str | Path,
        tokenizer: PreTrainedTokenizerBase,
        *,
        tokens: int,
        answer: Continue,
    ) -> None:
        if tokens < 2:
            raise ConfigError(f"Expected rows of at least 2 tokens of ordinary text; got retention_tokens = {tokens}.")
        folder = Path(data_folder)
        self._tokenizer, self._chat, self._tokens = tokenizer, ChatTokenizer(tokenizer), tokens
        records = list(read_json(folder / "hotpotqa" / "train_100.json.gz", ("context", "question")))
        self._paragraphs = ["".join(sentences).strip() for record in records for _, sentences in record["context"]]
        asked = list(read_json_lines(folder / "squadv2" / "test.jsonl.gz", ("context", "question", "answers")))
        self._requests = [f"{record['context']}\n\n{record['question']}" for record in asked]
        self._conversations = persona_conversations(folder)
        questions = [*(r["question"] for r in records), *(r["question"] for r in asked if r["answers"]), *REQUESTS]
        prompts = [self._rendered([question]) for question in questions]
        self._answered = [
            OrdinaryRow(ids=prompt + said, first=len(prompt) - 1)
            for prompt, said in zip(prompts, answer(prompts), strict=True)
        ]

    def sample(self, rng: random.Random) -> OrdinaryRow:
        """One row, of at most `tokens` ids."""
        kind = rng.random()
        if kind < 0.45:
            row = rng.choice(self._answered)
            return OrdinaryRow(ids=row.ids[: self._tokens], first=min(row.first, self._tokens - 1))
        if kind < 0.8:
            ids = tuple(self._tokenizer(rng.choice(self._paragraphs), add_special_tokens=False)["input_ids"])
        elif kind < 0.85:
            ids = self._rendered([rng.choice(self._requests)])
        else:
            lines = rng.choice(self._conversations)
            start = rng.randrange(max(len(lines) - 3, 1))
            ids = self._rendered(list(lines[start : start + 6]))
        return OrdinaryRow(ids=tuple(ids[: self._tokens]))

    def _rendered(self, lines: Sequence[str]) -> tuple[int, ...]:
        """Lines as a conversation that the user begins."""
        messages = [Message(role="assistant" if i % 2 else "user", content=line) for i, line in enumerate(lines)]
        return self._chat.render(messages, add_generation_prompt=messages[-1].role == "user").input_ids
