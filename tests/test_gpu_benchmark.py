"""The arithmetic of `benchmarks/gpu.py` at a tiny shape on the CPU; what it measures there means nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from transformers import Qwen3Config

from benchmarks import gpu
from dmem_agents.layers import fused
from dmem_agents.model.decode_graph import Outputs

CPU = torch.device("cpu")
TINY = gpu.Plan(
    backbone=Qwen3Config(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8,
    ),
    dtype=torch.float32, rank=4, state_heads=(1, 2), prefill=((2, 5),), decode=((3, 6),), decode_steps=2,
    scans=((2, 9),), copied_bytes=2**16, repeats=2,
)  # fmt: skip


def run_again(step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
    """A graph's place is taken by running the step anew."""
    outputs = step()

    def replay() -> None:
        for old, new in zip(outputs, step(), strict=True):
            old.copy_(new)

    return replay, outputs


def test_without_a_gpu_it_measures_nothing_and_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "RESULTS", None)
    assert gpu.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Expected a CUDA GPU, found none" in said.err
    assert "dmem-agents[gpu]" in said.err


def test_the_floor_counts_every_number_once() -> None:
    inputs = gpu.scan_inputs(2, 9, 3, 4, CPU)
    reads, after = gpu.scan(**inputs)
    moved = sum(x.nbytes for x in (*inputs.values(), reads, after))
    assert gpu.scan_bytes(batch=2, tokens=9, heads=3, rank=4) == moved


def test_medians_and_ratios_are_of_the_repeats_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(gpu.registry.time, "perf_counter", lambda: now)
    plain, memory = iter([50.0, 2.0, 4.0, 3.0]), iter([70.0, 4.0, 9.0, 2.0])  # the first ones warm up

    def passing(seconds: float) -> None:
        nonlocal now
        now += seconds

    works = {"plain": lambda: passing(next(plain)), "memory": lambda: passing(next(memory))}
    times = gpu.alternating(works, repeats=3, device=CPU)
    assert times["plain"] == {"median": 3.0, "min": 2.0, "max": 4.0, "repeats": 3}
    with_ratio = gpu.with_ratio(times, "memory", "plain")
    assert with_ratio["memory_over_plain"] == 4 / 3
    assert with_ratio["memory_over_plain_in_target"] is False


def test_a_case_without_enough_memory_fails_alone() -> None:
    def too_much() -> None:
        raise torch.OutOfMemoryError("too much")

    times = gpu.alternating({"plain": too_much}, repeats=2, device=CPU)
    assert gpu.with_ratio(times, "memory", "plain") == {"failed": "out of memory"}


def test_every_case_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "fits", lambda *_: False)
    scans = gpu.scan_times(TINY, CPU, "chunked")
    assert set(scans) == {"copy_bytes_per_second", "B2_T9_H1", "B2_T9_H2"}
    assert scans["B2_T9_H2"]["forward_over_floor"] > 0
    models = gpu.model_times(TINY, CPU, run_again)
    assert set(models) == {f"{case}_H{heads}" for case in ("prefill_B2_T5", "decode_B3_T6") for heads in (1, 2)}
    for name, times in models.items():
        assert "failed" not in times, name
        assert times["memory_over_plain"] == times["memory"]["median"] / times["plain"]["median"]
    assert "memory_graph_over_plain_graph" in models["decode_B3_T6_H1"]


def test_a_graph_that_could_not_be_captured_is_not_passed_off_as_one() -> None:
    def refusing(step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        raise RuntimeError("no")

    times = gpu.model_times(replace(TINY, state_heads=(1,), prefill=()), CPU, refusing)["decode_B3_T6_H1"]
    assert "capturing" in times["failed"]
    assert "memory_graph_over_plain_graph" not in times
    with pytest.raises(RuntimeError, match="captured"):
        gpu.check(CPU, "chunked", refusing)


def test_what_gives_other_numbers_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "fits", lambda *_: False)
    gpu.check(CPU, "chunked", run_again)
    module = sys.modules["dmem_agents.delta_rule.scan"]
    right = module._IMPLEMENTATIONS["chunked"]
    wrong = {"chunked": lambda **inputs: (right(**inputs)[0] + 1, right(**inputs)[1])}
    monkeypatch.setattr(module, "_IMPLEMENTATIONS", module._IMPLEMENTATIONS | wrong)
    with pytest.raises(RuntimeError, match="chunked scan at 1 tokens"):
        gpu.check(CPU, "chunked", run_again)


def test_twins_share_the_backbone_and_the_plain_one_stays_plain() -> None:
    torch.manual_seed(0)
    plain = gpu.Qwen3ForCausalLM(TINY.backbone).eval()
    before = dict(plain.named_parameters())
    model = gpu.remembering(plain, 1, 4)
    assert model.backbone.model.embed_tokens.weight is before["model.embed_tokens.weight"]
    assert type(plain.model.layers[0].self_attn.q_proj) is torch.nn.Linear
    assert not any(p.requires_grad for p in model.parameters())
