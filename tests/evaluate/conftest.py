"""A tiny model whose untrained memory shows in its likelihoods, and pasts to fill it with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from dmem_agents.tokenization import ChatTokenizer


@dataclass(frozen=True, kw_only=True)
class Told:
    """A past of one message and a question about it."""

    written: tuple[Message, ...]
    visible: tuple[Message, ...]
    value: str


def told(text: str, *, value: str = "") -> Told:
    question = Message(role="user", content="What?")
    return Told(written=(Message(role="user", content=text),), visible=(question,), value=value)


@pytest.fixture(scope="module")
def model() -> DeltaMemModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = DeltaMemConfig(rank=4, num_state_heads=2, output_init="random", online_gain=3.0)
        return attach(tiny_model(), config, backbone_id="tiny")


@pytest.fixture(scope="module")
def chat() -> ChatTokenizer:
    return ChatTokenizer(tiny_tokenizer())
