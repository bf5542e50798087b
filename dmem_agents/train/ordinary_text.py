"""Ordinary text on which a loaded memory should change nothing: encyclopaedia paragraphs and conversations.

Read from published data sets in a folder of the user's, laid out as for `data.real_text`; never copied.
"""

from __future__ import annotations

import random
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data.real_text import persona_conversations
from dmem_agents.train.data.text_files import read_json, read_json_lines


class OrdinaryText:
    """Token rows of HotpotQA's training paragraphs, SQuAD's questions about a passage and Synthetic-Persona-Chat.

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
        records = read_json(folder / "hotpotqa" / "train_100.json.gz", ("context",))
        self._paragraphs = ["".join(sentences).strip() for record in records for _, sentences in record["context"]]
        asked = read_json_lines(folder / "squadv2" / "test.jsonl.gz", ("context", "question"))
        self._requests = [f"{record['context']}\n\n{record['question']}" for record in asked]
        self._conversations = persona_conversations(folder)

    def sample(self, rng: random.Random) -> tuple[int, ...]:
        """The ids of one row, at most `tokens` of them."""
        kind = rng.random()
        if kind < 0.4:
            ids = tuple(self._tokenizer(rng.choice(self._paragraphs), add_special_tokens=False)["input_ids"])
        elif kind < 0.5:
            ids = self._rendered([rng.choice(self._requests)])
        else:
            lines = rng.choice(self._conversations)
            start = rng.randrange(max(len(lines) - 3, 1))
            ids = self._rendered(list(lines[start : start + 6]))
        return tuple(ids[: self._tokens])

    def _rendered(self, lines: list[str]) -> tuple[int, ...]:
        """Lines as a conversation that the user begins."""
        messages = [Message(role="assistant" if i % 2 else "user", content=line) for i, line in enumerate(lines)]
        return self._chat.render(messages, add_generation_prompt=messages[-1].role == "user").input_ids
