"""State-only recall: tell, then ask with nothing but the question in the prompt, beside every control.

Protocol (`delta-mem.md` §8, state-only ablation): the past is written turn by turn from an empty state; then a fresh prompt
holds the question alone and the state is frozen; the greedy answer counts when it contains the asked value. Only the
difference between the own and a stranger's state shows memory of this past.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dmem_agents.engine import Engine
from dmem_agents.evaluate.memories import absorb_all, answer_all, corrupted
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data import AgentLife, Episode

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One kind of episode to measure."""

    name: str
    task: Literal["recall", "update", "unknown", "preference"] = "recall"
    facts: int = 1
    distractors: int = 0
    unseen_value: bool = False
    unseen_phrasing: bool = True

    def episode(self, life: AgentLife, rng: random.Random) -> Episode:
        """An episode of this cell."""
        settings: dict[str, Any] = {"facts": self.facts, "distractors": self.distractors, "unseen_phrasing": self.unseen_phrasing}
        if self.task != "unknown":
            settings["unseen_value"] = self.unseen_value
        made: Episode = getattr(life, f"{self.task}_episode")(rng, **settings)
        return made


CELLS = (
    Cell(name="1 fact, 0 distractors"),
    Cell(name="1 fact, 2 distractors", distractors=2),
    Cell(name="3 facts, 3 distractors", facts=3, distractors=3),
    Cell(name="6 facts, 10 distractors", facts=6, distractors=10),
    Cell(name="12 facts, 10 distractors", facts=12, distractors=10),
    Cell(name="1 fact, 10 distractors", distractors=10),
    Cell(name="1 fact, 30 distractors", distractors=30),
    Cell(name="updated fact", task="update", distractors=2),
    Cell(name="unseen value", unseen_value=True),
    Cell(name="seen phrasing", unseen_phrasing=False),
    Cell(name="never said", task="unknown", facts=2, distractors=2),
    Cell(name="open-ended use", task="preference", facts=2, distractors=2),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Hits among n trials."""

    hits: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval at 95 %."""
        z, p = 1.959964, self.hits / self.n
        spread = z * math.sqrt(p * (1 - p) / self.n + z * z / (4 * self.n**2))
        middle, scale = p + z * z / (2 * self.n), 1 + z * z / self.n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: hits, n, rate and the interval."""
        return {"hits": self.hits, "n": self.n, "rate": self.hits / self.n, "wilson_95": list(self.interval)}


def measure_recall(
    engine: Engine,
    chat: ChatTokenizer,
    *,
    cells: Iterable[Cell] = CELLS,
    controls: Sequence[Control] = tuple(CONTROLS),
    n: int = 300,
    split: Literal["validation", "test"] = "test",
    seed: int = 0,
    rows: int = 32,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Recall of every cell under every control.

    Args:
        engine: the model.
        chat: its tokenizer.
        cells: what to measure.
        controls: beside which controls.
        n: episodes per cell.
        split: whose people and phrasings.
        seed: of the episodes; equal seeds give equal episodes.
        rows: episodes in memory at once.
        on_progress: told the cell, episodes done and n.

    Returns:
        `{cell name: {"cell": ..., "controls": {control: Share}, "samples": [...]}}`, JSON values only.
    """
    life = AgentLife(split=split)
    results: dict[str, Any] = {}
    for cell in cells:
        rng = random.Random(f"{seed}/{cell.name}")
        episodes = [cell.episode(life, rng) for _ in range(n)]
        hits = dict.fromkeys(controls, 0)
        samples: list[dict[str, str]] = []
        for start in range(0, n, rows):
            part = episodes[start : start + rows]
            answers = _answers(engine, chat, part, controls)
            for control, texts in answers.items():
                hits[control] += sum(is_hit(e, text) for e, text in zip(part, texts, strict=True))
            if start == 0:
                samples = [_sample(e, {c: answers[c][i] for c in answers}) for i, e in enumerate(part[:5])]
            if on_progress is not None:
                on_progress(cell.name, min(start + rows, n), n)
        results[cell.name] = {
            "cell": asdict(cell),
            "controls": {control: Share(hits=count, n=n).to_dict() for control, count in hits.items()},
            "samples": samples,
        }
    return results


def is_hit(episode: Episode, answer: str) -> bool:
    """Whether the answer contains the asked value; for what was never said, whether it says so."""
    return (episode.value or UNTOLD).lower() in answer.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _answers(
    engine: Engine, chat: ChatTokenizer, episodes: Sequence[Episode], controls: Sequence[Control]
) -> dict[Control, list[str]]:
    questions = [e.visible for e in episodes]
    with_text = [(*e.written, *e.visible) for e in episodes]
    empty = [MemoryState.zeros(engine.layout)] * len(episodes)
    needs_states = any(control not in ("none", "text") for control in controls)
    own = absorb_all(engine, chat, [e.written for e in episodes]) if needs_states else empty
    ways: Mapping[Control, Callable[[], list[str]]] = {
        "none": lambda: answer_all(engine, chat, questions, empty),
        "own": lambda: answer_all(engine, chat, questions, own),
        "online": lambda: answer_all(engine, chat, questions, own, online=True),
        "stranger": lambda: answer_all(engine, chat, questions, [*own[1:], own[0]]),
        "corrupted": lambda: answer_all(engine, chat, questions, [corrupted(s) for s in own]),
        "text": lambda: answer_all(engine, chat, with_text, empty),
        "text+own": lambda: answer_all(engine, chat, with_text, own),
    }
    return {control: ways[control]() for control in controls}


def _sample(episode: Episode, answers: Mapping[Control, str]) -> dict[str, str]:
    told = " | ".join(m.content for m in episode.written)
    return {"told": told, "asked": episode.visible[-1].content, "wanted": episode.value or UNTOLD, **answers}
