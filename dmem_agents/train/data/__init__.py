"""Episodes to train and evaluate on: an agent's life made from a seed, real text from files. No torch."""

from __future__ import annotations

from dmem_agents.train.data.agent_life import DEFAULT_TASKS, AgentLife
from dmem_agents.train.data.episode import Episode, EpisodeSource, Mixture, episode
from dmem_agents.train.data.splits import SPLITS, Split

__all__ = ["DEFAULT_TASKS", "SPLITS", "AgentLife", "Episode", "EpisodeSource", "Mixture", "Split", "episode"]
