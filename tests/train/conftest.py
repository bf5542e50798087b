"""A tiny model with an untrained memory that reads and writes visibly, and a collator that draws nothing by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.batching import Collator


@pytest.fixture
def make_model() -> Callable[..., DeltaMemModel]:
    def make(**fields: Any) -> DeltaMemModel:
        torch.manual_seed(0)
        config = {
            "rank": 4,
            "num_state_heads": 2,
            "delta_heads": ("q", "o"),
            "output_init": "random",
            "online_gain": 1.0,
        }
        return attach(tiny_model(), DeltaMemConfig(**(config | fields)))

    return make


@pytest.fixture
def chat() -> ChatTokenizer:
    return ChatTokenizer(tiny_tokenizer())


@pytest.fixture
def collator(chat: ChatTokenizer) -> Collator:
    return Collator(tokenizer=chat, preamble_share=1.0, online_share=0.0, join_share=0.0)
