"""Sessions on a tiny model whose memory matters, with a tokenizer of one symbol per token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from dmem_agents.engine import SamplingParams
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.messages import Message
from dmem_agents.model.attach import attach
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import MemorySession, SessionConfig, TurnOptions
from dmem_agents.store import InMemoryStateStore
from dmem_agents.testing.tiny_model import tiny_model

TOY_TOKENIZER = Path(__file__).parents[1] / "golden" / "toy_tokenizer"

MakeLoaded = Callable[..., LoadedModel]


@pytest.fixture(scope="session")
def make_loaded() -> MakeLoaded:
    """A tiny model with an untrained but strong memory, and the toy tokenizer."""

    def make(*, granularity: str = "token", seed: int = 7, max_context: int = 4096) -> LoadedModel:
        backbone = tiny_model(
            vocab_size=100,
            max_position_embeddings=max_context,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=3,
        )
        config = DeltaMemConfig(rank=4, memory_write_granularity=granularity, output_init="random", online_gain=3.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = attach(backbone, config).eval()
        return LoadedModel(model=model, tokenizer=AutoTokenizer.from_pretrained(TOY_TOKENIZER))

    return make


@pytest.fixture(scope="session")
def loaded(make_loaded: MakeLoaded) -> LoadedModel:
    return make_loaded()


@pytest.fixture
def store() -> InMemoryStateStore:
    return InMemoryStateStore()


@pytest.fixture
def session(loaded: LoadedModel, store: InMemoryStateStore) -> Iterator[MemorySession]:
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        yield session


@pytest.fixture(scope="session")
def options() -> Callable[..., TurnOptions]:
    """Turn options with few tokens."""

    def make(*, tokens: int = 6, **fields: object) -> TurnOptions:
        given: dict[str, object] = {"sampling": SamplingParams(max_new_tokens=tokens)}
        return TurnOptions(**(given | fields))  # type: ignore[arg-type]  # fields of the options

    return make


@pytest.fixture(scope="session")
def user() -> Callable[[str], Message]:
    return lambda text: Message(role="user", content=text)


@pytest.fixture(scope="session")
def assistant() -> Callable[[str], Message]:
    return lambda text: Message(role="assistant", content=text)
