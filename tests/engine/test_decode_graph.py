"""Decoding by captured steps: what is replayed gives what the model gives, while rows come, go and outgrow the cache.

CUDA is not here, so `Recording` stands in for a graph: it notes a step's tensor operations once and later repeats them
on the same tensors. Like a graph, it knows no number that Python computed afterwards, and refuses to wait for one.
"""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dmem_agents.engine import Engine, GenerationRequest, GenerationResult, Prompt, SamplingParams
from dmem_agents.layers import fused
from dmem_agents.model import decode_graph
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.model.decode_graph import DecodeGraphs, Outputs
from dmem_agents.model.kv_cache import SlotCache, dynamic_cache
from dmem_agents.state.memory_state import MemoryState
from dmem_agents.testing.tiny_model import tiny_model

MakePrompt = Callable[..., Prompt]
MakeModel = Callable[..., DeltaMemModel]
RandomState = Callable[[DeltaMemModel, int], MemoryState]
HOST = ("aten._local_scalar_dense", "aten.lift_fresh", "aten.nonzero", "aten.item", "aten.is_nonzero")
"""Operations that bring a number to the host or from there: a CUDA graph takes none of them."""


class Recording(TorchDispatchMode):
    """The operations of one step, to be repeated in place."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func).startswith(HOST):
            raise RuntimeError(f"{func} may not be captured")
        result = func(*args, **(kwargs or {}))
        self._steps.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for func, args, kwargs, result in self._steps:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Captures:
    """Takes CUDA's place; counts."""

    def __init__(self) -> None:
        self.made = 0
        self.replayed = 0

    def __call__(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        step()  # as CUDA's does, before capture
        recording = Recording()
        with recording:
            outputs = step()
        self.made += 1

        def replay() -> None:
            self.replayed += 1
            recording.replay()

        return replay, outputs


@pytest.fixture(autouse=True)
def tensor_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, no step leaves torch for Numba."""
    monkeypatch.setattr(fused, "fits", lambda *_: False)
    monkeypatch.setattr(sys.modules["dmem_agents.delta_rule.scan"], "_fastest", lambda q: "naive")


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> Captures:
    """Engines made from now on decode by captured steps."""
    captures = Captures()
    monkeypatch.setattr(decode_graph, "fits", lambda model: True)
    monkeypatch.setattr(decode_graph, "_CudaCapture", lambda device: captures)
    monkeypatch.setattr(decode_graph, "_LEAST_COLUMNS", 16)
    return captures


def _requests(model: DeltaMemModel, make_prompt: MakePrompt, random_state: RandomState) -> list[GenerationRequest]:
    rng = random.Random(3)
    requests = []
    for at in range(9):
        length = rng.choice((1, 4, 9, 30))
        ids = [rng.randrange(3, 250) for _ in range(length)]
        written = [rng.random() < 0.7 for _ in range(length)]
        requests.append(
            GenerationRequest(
                prompt=make_prompt(ids, write=written),
                state=random_state(model, at),
                sampling=SamplingParams(max_new_tokens=rng.choice((1, 7, 20, 90 if at == 4 else 12))),
                write=at % 4 != 3,
                write_generated=at % 3 != 2,
            )
        )
    return requests


def _results(model: DeltaMemModel, requests: Sequence[GenerationRequest], slots: int) -> list[GenerationResult]:
    with Engine(model, max_batch_size=slots) as engine:
        running = [engine.submit(request) for request in requests]
        return [generation.result(120) for generation in running]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("slots", [1, 3])
def test_captured_steps_answer_as_the_model_does(
    make_model: MakeModel, make_prompt: MakePrompt, random_state: RandomState,
    captures: Captures, monkeypatch: pytest.MonkeyPatch, attention: str, slots: int,
) -> None:  # fmt: skip
    model = make_model("qwen3", attn_implementation=attention)
    requests = _requests(model, make_prompt, random_state)
    by_graphs = _results(model, requests, slots)
    steps = max(len(result.token_ids) for result in by_graphs) - 1
    assert captures.replayed >= steps
    assert 1 < captures.made < captures.replayed / 3
    monkeypatch.setattr(decode_graph, "fits", lambda model: False)
    before = captures.replayed
    plain = _results(model, requests, slots)
    assert captures.replayed == before
    for ours, expected in zip(by_graphs, plain, strict=True):
        assert (ours.token_ids, ours.finish_reason) == (expected.token_ids, expected.finish_reason)
        assert (ours.state is None) == (expected.state is None)
        if ours.state is not None and expected.state is not None:
            torch.testing.assert_close(ours.state.values, expected.state.values, atol=1e-5, rtol=1e-5)


def test_segment_adapters_only_read_while_they_decode(
    make_model: MakeModel, make_prompt: MakePrompt, random_state: RandomState,
    captures: Captures, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    model = make_model(granularity="message_mean")
    requests = _requests(model, make_prompt, random_state)[:3]
    by_graphs = _results(model, requests, 2)
    assert captures.replayed > 0
    monkeypatch.setattr(decode_graph, "fits", lambda model: False)
    for ours, expected in zip(by_graphs, _results(model, requests, 2), strict=True):
        assert ours.token_ids == expected.token_ids


def test_a_second_turn_finds_its_graphs_and_memory_again(
    model: DeltaMemModel, make_prompt: MakePrompt, random_state: RandomState, captures: Captures
) -> None:
    request = _requests(model, make_prompt, random_state)[0]
    with Engine(model, max_batch_size=2) as engine:
        first = engine.submit(request).result(60)
        made, kept = captures.made, engine.stats().kv_bytes
        second = engine.submit(request).result(60)
        assert (captures.made, engine.stats().kv_bytes) == (made, kept)
    assert kept > 0
    assert second.token_ids == first.token_ids


def _decoding(model: DeltaMemModel, lengths: Sequence[int]) -> tuple[SlotCache, dict[str, Any]]:
    """A cache of rows with random keys and values, and the arguments of the next step."""
    generator = torch.Generator().manual_seed(1)
    config = model.backbone.config
    shape = (len(lengths), config.num_key_value_heads, max(lengths), config.head_dim)
    pairs = [
        (torch.randn(shape, generator=generator), torch.randn(shape, generator=generator))
        for _ in range(config.num_hidden_layers)
    ]
    cache = SlotCache(len(lengths) + 1, config.num_hidden_layers, keep_buffers=True)
    cache.join(dynamic_cache(pairs), lengths)
    mask = cache.mask(1)
    layers, *matrix = model.layout.shape
    return cache, {
        "input_ids": torch.arange(5, 5 + len(lengths)).unsqueeze(1),
        "state": torch.randn(layers, len(lengths), *matrix, generator=generator),
        "attention_mask": None if mask is None else mask.long(),
        "position_ids": torch.tensor(lengths).unsqueeze(1),
        "write_mask": torch.tensor([[at % 2 == 0] for at in range(len(lengths))]),
        "cache": cache,
    }


@torch.inference_mode()
def test_a_step_leaves_its_results_to_the_caller_and_other_rows_alone(model: DeltaMemModel) -> None:
    graphs = DecodeGraphs(model, capture=Captures())
    cache, arguments = _decoding(model, [3, 9, 6])
    arguments["state"][:, 1] = torch.nan  # one agent's broken state is nobody else's trouble
    first = graphs(**arguments)
    kept = first.logits.clone(), first.state.clone()
    keys = cache.buffers[0][0].clone()
    again = graphs(**(arguments | {"input_ids": arguments["input_ids"] + 1}))
    assert not torch.equal(again.logits[0], first.logits[0])
    for value, before in zip((first.logits, first.state), kept, strict=True):
        assert torch.equal(value.nan_to_num(7), before.nan_to_num(7))
    end = cache.end
    assert torch.equal(cache.buffers[0][0][:3, :, :end], keys[:3, :, :end])
    expected = model(**arguments, logits_to_keep=1)
    for row in (0, 2):
        torch.testing.assert_close(first.logits[row], expected.logits[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(first.state[:, row], expected.state[:, row], atol=1e-5, rtol=1e-5)
    assert torch.equal(first.state[:, 2] == arguments["state"][:, 2], expected.state[:, 2] == arguments["state"][:, 2])


@torch.inference_mode()
@pytest.mark.parametrize("write", [{"write_mask": None}, {"write_mask": None, "write": False}])
def test_without_a_mask_all_rows_write_or_none(model: DeltaMemModel, write: dict[str, Any]) -> None:
    graphs = DecodeGraphs(model, capture=Captures())
    _, arguments = _decoding(model, [3, 5])
    for given in (arguments, arguments | write):  # a graph that a mask went through before
        ours, expected = graphs(**given), model(**given, logits_to_keep=1)
        torch.testing.assert_close(ours.state, expected.state, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_graph_is_not_replayed_for_other_memory_than_it_was_captured_over(model: DeltaMemModel) -> None:
    captures = Captures()
    graphs = DecodeGraphs(model, capture=captures)
    _, arguments = _decoding(model, [3, 5])
    graphs(**arguments)
    other, arguments = _decoding(model, [3, 5])
    for keys, values in other.buffers:
        keys.neg_(), values.neg_()
    ours, expected = graphs(**arguments), model(**arguments, logits_to_keep=1)
    torch.testing.assert_close(ours.logits, expected.logits, atol=1e-5, rtol=1e-5)
    assert captures.made == 2
    graphs(**arguments)
    assert captures.made == 2


@torch.inference_mode()
def test_a_row_that_left_with_a_broken_state_does_not_reach_its_former_slot(model: DeltaMemModel) -> None:
    graphs = DecodeGraphs(model, capture=Captures())
    cache, arguments = _decoding(model, [3, 5, 4, 2])
    arguments["state"][:, 3] = torch.nan
    graphs(**arguments)
    cache.keep([0, 1, 2])
    for keys, values in cache.buffers:
        keys[3].zero_(), values[3].zero_()
    of_rows = {
        name: value[:3] for name, value in arguments.items() if name in ("input_ids", "position_ids", "write_mask")
    }
    graphs(**(arguments | of_rows | {"state": arguments["state"][:, :3]}))
    assert all(bool(tensor[3].isfinite().all()) for pair in cache.buffers for tensor in pair)


@torch.inference_mode()
def test_what_cannot_be_captured_runs_as_before_and_is_said_once(
    model: DeltaMemModel, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def refusing(step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        tries.append(step)
        raise RuntimeError("operation not permitted when stream is capturing")

    graphs = DecodeGraphs(model, capture=refusing)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            _, arguments = _decoding(model, [4, 2])
            ours = graphs(**arguments)
            _, arguments = _decoding(model, [4, 2])
            expected = model(**arguments, logits_to_keep=1)
            assert torch.equal(ours.logits, expected.logits)
            assert torch.equal(ours.state, expected.state)
    assert len(tries) == 1
    assert [record.message.count("not permitted") for record in caplog.records] == [1]


def test_only_models_on_a_gpu_without_sliding_windows_are_captured(model: DeltaMemModel) -> None:
    class OnGpu(torch.nn.Module):
        """What `fits` looks at, as a GPU's model would show it."""

        def __init__(self, backbone: Any, *devices: str) -> None:
            super().__init__()
            self.backbone = backbone
            self._devices = devices

        def parameters(self, recurse: bool = True) -> Any:
            return iter([type("Parameter", (), {"device": torch.device(name)}) for name in self._devices])

    assert not decode_graph.fits(model)
    qwen, mistral = (tiny_model(family, attn_implementation="sdpa") for family in ("qwen3", "mistral"))
    mistral.config.sliding_window = 8
    assert decode_graph.fits(OnGpu(qwen, "cuda:0", "cuda:0"))  # type: ignore[arg-type]
    assert not decode_graph.fits(OnGpu(qwen, "cuda:0", "cuda:1"))  # type: ignore[arg-type]
    assert not decode_graph.fits(OnGpu(qwen, "cpu", "cuda:0"))  # type: ignore[arg-type]
    assert not decode_graph.fits(OnGpu(mistral, "cuda:0"))  # type: ignore[arg-type]
    qwen.config.layer_types = ["full_attention", "sliding_attention"]
    assert not decode_graph.fits(OnGpu(qwen, "cuda:0"))  # type: ignore[arg-type]
    qwen.config.layer_types = ["full_attention"] * 2
    qwen.config._attn_implementation_internal = "flash_attention_2"
    assert not decode_graph.fits(OnGpu(qwen, "cuda:0"))  # type: ignore[arg-type]


def test_sizes_are_few_and_never_too_small() -> None:
    assert [decode_graph._power_of_two(n) for n in (1, 2, 3, 8, 9)] == [1, 2, 4, 8, 16]
    rounded = [decode_graph._rounded(n) for n in range(1, 40_000)]
    assert all(n <= size <= n + max(255, n // 8) for n, size in enumerate(rounded, start=1))
    assert len(set(rounded)) < 50


@pytest.mark.parametrize("operation", [lambda x: x.sum().item(), lambda x: bool(x.any()), lambda x: torch.tensor([1])])
def test_the_stand_in_refuses_what_cuda_refuses(operation: Callable[[Tensor], object]) -> None:
    with pytest.raises(RuntimeError, match="captured"), Recording():
        operation(torch.ones(3))
