"""Episodes from a JSONL file of chats: the last assistant message is what is asked for, the rest is the past.

The split of `delta-mem.md` §6.1: `visible` is the last non-system message before the target, `written` all before it.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmem_agents.errors import ConfigError, MessageError
from dmem_agents.messages import Message
from dmem_agents.train.data.episode import Episode


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRecords:
    """Episodes of a file, drawn at random.

    Raises:
        ConfigError: the file can't be read, or a line holds no chat that ends in an answer; the text names the line.
    """

    episodes: tuple[Episode, ...]

    @classmethod
    def load(cls, path: str | Path) -> ChatRecords:
        """Read a file of one JSON object with `messages` a line."""
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"Could not read the episodes in {path}: {error}") from error
        episodes = [_episode(line, f"{path}, line {i}") for i, line in enumerate(lines, start=1) if line.strip()]
        if not episodes:
            raise ConfigError(f"Expected one JSON object with `messages` a line in {path}, found no line.")
        return cls(episodes=tuple(episodes))

    def sample(self, rng: random.Random) -> Episode:
        """One of the file's episodes."""
        return rng.choice(self.episodes)


def _episode(line: str, place: str) -> Episode:
    try:
        record: Any = json.loads(line)
        messages = [Message(role=m["role"], content=m["content"]) for m in record["messages"]]
    except (ValueError, KeyError, TypeError, MessageError) as error:
        raise ConfigError(
            f"Expected a JSON object with `messages`, a list of objects with role and content, at {place}; "
            f"{type(error).__name__}: {error}"
        ) from error
    chat = [m for m in messages if m.role != "system"]
    if len(chat) < 2 or chat[-1].role != "assistant" or not chat[-1].content:
        raise ConfigError(f"Expected a question and, last, the assistant's answer to train on at {place}; found none.")
    system = tuple(m for m in messages if m.role == "system")
    return Episode(written=tuple(chat[:-2]), visible=(*system, chat[-2]), target=chat[-1], task="record")
