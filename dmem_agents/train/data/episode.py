"""One training example, and what makes them. Knows messages; nothing of tokens or tensors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """What is told, what is asked later with only the memory at hand, and the answer wanted."""

    written: tuple[Message, ...]
    """What the memory absorbs, in order."""
    visible: tuple[Message, ...]
    """What the model sees when it answers, usually the question alone."""
    target: Message
    """The assistant's answer."""
    value: str = ""
    """The exact string that a correct answer contains; empty when there is none."""
    task: str
    """What is practised: a task of `AgentLife`, or persona, squad, hotpot or babi."""
    cell: Mapping[str, int | str | bool] = field(default_factory=dict)
    """How hard it is: facts, distractors, unseen_value, unseen_phrasing, attribute, person."""


class EpisodeSource(Protocol):
    """Anything that makes episodes from chance alone."""

    def sample(self, rng: random.Random) -> Episode:
        """The next episode; the same for the same state of `rng`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Draws from several sources by weight. Raises `ConfigError` for no source, or a weight of 0 or less."""

    sources: Sequence[tuple[float, EpisodeSource]]
    """Pairs of weight and source; weights need not sum to one."""

    def __post_init__(self) -> None:
        if not self.sources or any(weight <= 0 for weight, _ in self.sources):
            raise ConfigError(
                "Expected one or more episode sources, each with a weight above 0; got weights "
                f"{[weight for weight, _ in self.sources]}. Leave out sources you don't want."
            )

    def sample(self, rng: random.Random) -> Episode:
        """An episode of one source."""
        weights = [weight for weight, _ in self.sources]
        return rng.choices([source for _, source in self.sources], weights)[0].sample(rng)


def episode(source: EpisodeSource, seed: int, index: int) -> Episode:
    """Episode number `index` of a stream; depends on the source's settings, `seed` and `index` alone."""
    return source.sample(random.Random(f"{seed}:{index}"))
