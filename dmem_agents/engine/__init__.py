"""Batched generation over token ids and states: many agents, one forward. Knows no messages and no stores."""

from __future__ import annotations

from dmem_agents.engine.engine import Engine, EngineStats
from dmem_agents.engine.requests import (
    FinishReason,
    Generation,
    GenerationRequest,
    GenerationResult,
    Prompt,
    SamplingParams,
    TokenConstraint,
)

__all__ = [
    "Engine",
    "EngineStats",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "GenerationResult",
    "Prompt",
    "SamplingParams",
    "TokenConstraint",
]
