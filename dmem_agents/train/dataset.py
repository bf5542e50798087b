"""The curriculum as a map-style dataset: item i is one conversation's episodes, the same on every run and resume."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch.utils.data import Dataset

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.train.batching import Collator, TrainingBatch
from dmem_agents.train.data import AgentLife, Episode, EpisodeSource
from dmem_agents.train.data.real_text import real_text, replies
from dmem_agents.train.data.records import ChatRecords
from dmem_agents.train.data.tables.wording import REPEAT_ALL
from dmem_agents.train.recipe import Recipe, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One conversation and the questions asked of it."""

    index: int
    episodes: tuple[Episode, ...]


_REPEATABLE_MESSAGES = 3
"""More than these a lossy memory can't be asked to repeat word for word."""
_OPEN_TASKS = ("reconstruct", "preference")
"""Their answers hold a value, but no value alone answers them."""
_SINGLE_DISTRACTORS = 2
"""Most turns that tell nothing where a step tells a single fact."""


class CurriculumDataset(Dataset[Item]):
    """Conversations of the recipe's stages in order; made on the fly from the seed and the index alone.

    Args:
        recipe: stages, seed and batch sizes.
        conversations_per_step: over all devices and accumulated micro-batches.

    Raises:
        ConfigError: a stage's `life` or the data folder can't be used.
    """

    def __init__(self, recipe: Recipe, *, conversations_per_step: int) -> None:
        self.recipe = recipe
        self.conversations_per_step = conversations_per_step
        self._records = ChatRecords.load(recipe.episodes_file) if recipe.episodes_file else None
        # What can't be used is found now, not when its stage begins.
        self._lives = [_life(stage) for stage in recipe.stages]
        if any(stage.real_share for stage in recipe.stages):
            _ = self._real
        if any(stage.reply_share for stage in recipe.stages):
            _ = self._replies

    def __len__(self) -> int:
        return self.recipe.steps * self.conversations_per_step

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < len(self):
            raise IndexError(f"Expected an item below {len(self)}; got {index}.")
        step = index // self.conversations_per_step
        stage = self.recipe.stage_at(step)
        rng = random.Random(f"{self.recipe.optimisation.seed}/{index}")
        episodes = self._episodes(stage, step, rng)
        if stage.bare_share:
            episodes = [_bare(e) if rng.random() < stage.bare_share else e for e in episodes]
        said = sum(m.role == "user" for m in episodes[0].written)
        if (
            episodes[0].task != "reconstruct"
            and said <= _REPEATABLE_MESSAGES
            and rng.random() < self.recipe.optimisation.reconstruct_share
        ):
            episodes.append(_repetition(episodes[0], rng))
        return Item(index=index, episodes=tuple(episodes))

    def _episodes(self, stage: Stage, step: int, rng: random.Random) -> list[Episode]:
        """The questions of one conversation. How much is told is drawn once a step: like lengths pad little."""
        if self._records is not None:
            return [self._records.sample(rng)]
        if stage.real_share and rng.random() < stage.real_share:
            return [self._real.sample(rng)]
        life = self._lives[self.recipe.stages.index(stage)]
        of_step = random.Random(f"{self.recipe.optimisation.seed}/step/{step}")
        facts, distractors = of_step.randint(*life.facts), of_step.randint(*life.distractors)
        if of_step.random() < stage.single_share:
            facts, distractors = 1, of_step.randint(0, _SINGLE_DISTRACTORS)
        drawn = dataclasses.replace(life, facts=(facts, facts), distractors=(distractors, distractors))
        if stage.reply_share and of_step.random() < stage.reply_share:
            drawn = dataclasses.replace(drawn, replies=self._replies)
        return list(drawn.conversation(rng))

    @cached_property
    def _real(self) -> EpisodeSource:
        return real_text(self.recipe.data_folder)

    @cached_property
    def _replies(self) -> tuple[str, ...]:
        return replies(self.recipe.data_folder)


def _life(stage: Stage) -> AgentLife:
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stage.life.items()}
    try:
        return AgentLife(split="train", **settings)
    except TypeError as error:
        raise ConfigError(f"Unknown setting in a stage's `life`: {error}") from error


def _bare(episode: Episode) -> Episode:
    """The same question, answered by the value alone where it asks for one."""
    if not episode.value or episode.task in _OPEN_TASKS:
        return episode
    return dataclasses.replace(episode, target=Message(role="assistant", content=episode.value))


def _repetition(episode: Episode, rng: random.Random) -> Episode:
    """The same past with the request to repeat what the user said."""
    said = " ".join(m.content for m in episode.written if m.role == "user")
    return Episode(
        written=episode.written,
        visible=(Message(role="user", content=rng.choice(REPEAT_ALL.of("train"))),),
        target=Message(role="assistant", content=said),
        task="reconstruct",
    )


def collate(items: list[Item], *, collator: Collator, seed: int) -> dict[str, Any]:
    """One batch; what the collator draws depends on the seed and the first item's index alone."""
    rng = random.Random(f"{seed}/collate/{items[0].index}")
    batch: TrainingBatch = collator([e for item in items for e in item.episodes], rng)
    return {"batch": batch}
