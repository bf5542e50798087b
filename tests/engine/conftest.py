"""Tiny models whose memory matters, and requests for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from dmem_agents.engine import Engine, Generation, GenerationRequest, Prompt, SamplingParams
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.state.memory_state import MemoryState
from dmem_agents.testing.tiny_model import tiny_model

MakePrompt = Callable[..., Prompt]
MakeModel = Callable[..., DeltaMemModel]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A tiny model with an untrained memory strong enough to change what is generated."""

    def make(
        family: str = "llama",
        *,
        attn_implementation: str = "eager",
        granularity: str = "token",
        heads: int = 2,
    ) -> DeltaMemModel:
        backbone = tiny_model(family, attn_implementation=attn_implementation)
        config = DeltaMemConfig(
            rank=4,
            num_state_heads=heads,
            memory_write_granularity=granularity,
            output_init="random",
            online_gain=3.0,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return attach(backbone, config).eval()

    return make


@pytest.fixture
def model(make_model: MakeModel) -> DeltaMemModel:
    return make_model()


@pytest.fixture
def engine(model: DeltaMemModel) -> Iterator[Engine]:
    with Engine(model, max_batch_size=8) as engine:
        yield engine


@pytest.fixture(scope="session")
def make_prompt() -> MakePrompt:
    """A prompt of given tokens; each run of ten tokens is a message and a sentence."""

    def make(ids: Sequence[int], *, write: bool | Sequence[bool] = True) -> Prompt:
        mask = tuple(write) if not isinstance(write, bool) else (write,) * len(ids)
        segments = tuple(at // 10 if written else -1 for at, written in enumerate(mask))
        return Prompt(input_ids=tuple(ids), write_mask=mask, message_ids=segments, sentence_ids=segments)

    return make


@pytest.fixture(scope="session")
def random_state() -> Callable[[DeltaMemModel, int], MemoryState]:
    """Somebody's memory."""

    def make(model: DeltaMemModel, seed: int) -> MemoryState:
        generator = torch.Generator().manual_seed(seed)
        return MemoryState(layout=model.layout, values=torch.randn(model.layout.shape, generator=generator))

    return make


@pytest.fixture(scope="session")
def together(make_prompt: MakePrompt) -> Callable[[Engine, Sequence[GenerationRequest]], list[Generation]]:
    """Submit requests while the engine is held at another one, so that they share their batch."""

    def submit(engine: Engine, requests: Sequence[GenerationRequest]) -> list[Generation]:
        all_in, held = threading.Event(), threading.Event()

        def hold(_: int) -> bool:
            held.set()
            all_in.wait(30)
            return True

        gate = engine.submit(
            GenerationRequest(
                prompt=make_prompt([5]),
                state=MemoryState.zeros(engine.layout),
                sampling=SamplingParams(max_new_tokens=1),
                on_token=hold,
            )
        )
        assert held.wait(30)
        generations = [engine.submit(request) for request in requests]
        all_in.set()
        gate.result(30)
        return generations

    return submit
