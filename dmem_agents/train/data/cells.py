"""The kinds of episodes that recall is reported on."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Literal

from dmem_agents.messages import Message
from dmem_agents.train.data.agent_life import AgentLife
from dmem_agents.train.data.episode import Episode
from dmem_agents.train.data.tables.systems import system_prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One kind of episode: how much was told, what is asked, and how foreign it is."""

    name: str
    task: Literal["recall", "update", "unknown", "preference"] = "recall"
    facts: int = 1
    """Facts told, the asked one among them."""
    distractors: int = 0
    """Turns that tell nothing."""
    placement: Literal["mixed", "after"] = "mixed"
    """Where those turns stand; "after" all facts makes their number the distance."""
    unseen_value: bool = False
    """The asked value occurs nowhere in training."""
    unseen_phrasing: bool = True
    """Statements and questions are worded as nowhere in training."""
    rivals: bool = False
    """The first two facts are one attribute of two people."""
    system_prompt: bool = False
    """Every turn and the question stand under a system prompt, such as an agent's author writes."""

    def episodes(self, life: AgentLife, n: int, *, seed: int) -> list[Episode]:
        """`n` episodes of this kind; equal seeds give equal episodes."""
        rng = random.Random(f"{seed}/{self.name}")
        settings: dict[str, Any] = {
            "facts": self.facts,
            "distractors": self.distractors,
            "unseen_phrasing": self.unseen_phrasing,
        }
        if self.task != "unknown":
            settings["unseen_value"] = self.unseen_value
        if self.task in ("recall", "update"):
            settings["placement"] = self.placement
        if self.rivals:
            life = replace(life, rivals=1.0)
        make = getattr(life, f"{self.task}_episode")
        made = [make(rng, **settings) for _ in range(n)]
        if not self.system_prompt:
            return made
        prompts = [Message(role="system", content=system_prompt(rng, life.split)) for _ in made]
        return [replace(e, visible=(prompt, *e.visible)) for e, prompt in zip(made, prompts, strict=True)]


CELLS = (
    Cell(name="1 fact"),
    Cell(name="1 fact, 2 distractors", distractors=2),
    Cell(name="3 facts, 3 distractors", facts=3, distractors=3),
    Cell(name="6 facts, 10 distractors", facts=6, distractors=10),
    Cell(name="12 facts, 10 distractors", facts=12, distractors=10),
    Cell(name="1 fact, 3 turns ago", distractors=3, placement="after"),
    Cell(name="1 fact, 10 turns ago", distractors=10, placement="after"),
    Cell(name="1 fact, 30 turns ago", distractors=30, placement="after"),
    Cell(name="updated fact", task="update", distractors=2),
    Cell(name="unseen value", unseen_value=True),
    Cell(name="seen phrasing", unseen_phrasing=False),
    Cell(name="1 fact, a system prompt", system_prompt=True),
    Cell(name="2 people, 1 attribute", facts=2, rivals=True),
    Cell(name="never said", task="unknown", facts=2, distractors=2),
    Cell(name="open-ended use", task="preference", facts=2, distractors=2),
)
"""What `dmem eval recall` reports."""
