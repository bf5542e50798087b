"""State-only recall: tell, then ask with nothing but the question in the prompt, beside every control.

Protocol (`delta-mem.md` §8, state-only ablation): the past is written turn by turn from an empty state; then a fresh
prompt holds the question alone and the state is frozen; the greedy answer counts when it contains the asked value.
Only the difference between the own and a stranger's state shows memory of this past. The stranger's past doesn't
say the asked value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, Protocol

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.memories import absorb_all, answer_all, corrupted, strangers
from dmem_agents.evaluate.statistics import Share
from dmem_agents.messages import Message
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer

Control = Literal["none", "own", "online", "stranger", "corrupted", "text", "text+own"]
CONTROLS: dict[Control, str] = {
    "none": "question alone, empty state: the frozen model",
    "own": "question alone, own state, frozen",
    "online": "question alone, own state, written while it is asked and answered",
    "stranger": "question alone, another past's state",
    "corrupted": "question alone, own state with its numbers in the wrong places",
    "text": "frozen model with the whole past in its prompt",
    "text+own": "the whole past in the prompt, and the own state",
}
UNTOLD = "haven't told me"


class RecallEpisode(Protocol):
    """A past, and a question about it; `train.data.Episode` is one."""

    @property
    def written(self) -> Sequence[Message]:
        """What the memory absorbs, in order."""
        ...

    @property
    def visible(self) -> Sequence[Message]:
        """What the model is shown when it answers; system messages among it were shown at every turn before."""
        ...

    @property
    def value(self) -> str:
        """What a correct answer contains; empty where the correct answer is that it was never said."""
        ...


def measure_recall(
    engine: Engine,
    chat: ChatTokenizer,
    episodes: Sequence[RecallEpisode],
    *,
    controls: Sequence[Control] = tuple(CONTROLS),
    rows: int = 32,
    on_progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Recall over some episodes of one kind, under every control.

    Args:
        engine: the model.
        chat: its tokenizer.
        episodes: at least two, so that there is a stranger.
        controls: what to compare.
        rows: about how many episodes are run together; each part has at least two, so that there is a stranger.
        on_progress: told how many episodes were done since the last call.

    Returns:
        `{"controls": {control: Share as JSON}, "samples": [...]}`.

    Raises:
        ConfigError: fewer than two episodes.
    """
    if len(episodes) < 2:
        raise ConfigError(
            f"Expected at least two episodes, so that one can be another's stranger; got {len(episodes)}."
        )
    hits = dict.fromkeys(controls, 0)
    samples: list[dict[str, str]] = []
    for part in _parts(episodes, rows):
        answers = _answers(engine, chat, part, controls)
        for control, texts in answers.items():
            hits[control] += sum(is_hit(e, text) for e, text in zip(part, texts, strict=True))
        samples = samples or [_sample(e, {c: answers[c][i] for c in answers}) for i, e in enumerate(part[:5])]
        if on_progress is not None:
            on_progress(len(part))
    shares = {control: Share(hits=count, n=len(episodes)).to_dict() for control, count in hits.items()}
    return {"controls": shares, "samples": samples}


def is_hit(episode: RecallEpisode, answer: str) -> bool:
    """Whether the answer contains the asked value as whole words; for what was never said, whether it says so.

    Upper and lower case are the same. "7" is not in "17", as it is under MemoryAgentBench's rule.
    """
    wanted = re.escape((episode.value or UNTOLD).lower())
    said = answer.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.search(rf"(?<!\w){wanted}(?!\w)", said) is not None


def _parts(episodes: Sequence[RecallEpisode], rows: int) -> list[Sequence[RecallEpisode]]:
    """Consecutive parts of nearly equal sizes, about `rows` each and never a single episode."""
    count = max(1, min(-(-len(episodes) // rows), len(episodes) // 2))
    bounds = [len(episodes) * i // count for i in range(count + 1)]
    return [episodes[start:end] for start, end in pairwise(bounds)]


def _answers(
    engine: Engine, chat: ChatTokenizer, episodes: Sequence[RecallEpisode], controls: Sequence[Control]
) -> dict[Control, list[str]]:
    questions = [e.visible for e in episodes]
    systems = [[m for m in e.visible if m.role == "system"] for e in episodes]
    with_text = [
        (*system, *e.written, *(m for m in e.visible if m.role != "system"))
        for system, e in zip(systems, episodes, strict=True)
    ]
    empty = [MemoryState.zeros(engine.layout)] * len(episodes)
    needs_states = any(control not in ("none", "text") for control in controls)
    own = absorb_all(engine, chat, [e.written for e in episodes], systems) if needs_states else empty
    other = strangers([e.written for e in episodes], [e.value for e in episodes]) if "stranger" in controls else []
    ways: Mapping[Control, Callable[[], list[str]]] = {
        "none": lambda: answer_all(engine, chat, questions, empty),
        "own": lambda: answer_all(engine, chat, questions, own),
        "online": lambda: answer_all(engine, chat, questions, own, online=True),
        "stranger": lambda: answer_all(engine, chat, questions, [own[i] for i in other]),
        "corrupted": lambda: answer_all(engine, chat, questions, [corrupted(s) for s in own]),
        "text": lambda: answer_all(engine, chat, with_text, empty),
        "text+own": lambda: answer_all(engine, chat, with_text, own),
    }
    return {control: ways[control]() for control in controls}


def _sample(episode: RecallEpisode, answers: Mapping[Control, str]) -> dict[str, str]:
    shown = {str(control): text for control, text in answers.items()}
    told = " | ".join(m.content for m in episode.written)
    return {"told": told, "asked": episode.visible[-1].content, "wanted": episode.value or UNTOLD, **shown}
