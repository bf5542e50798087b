"""The memory's cost on a GPU: a Qwen3-4B-shaped model with random weights in bf16, and the scan against its floor.

    python -m benchmarks.gpu     writes results/gpu.json; needs a CUDA GPU and the extra `gpu`

Seconds are the medians of alternating repeats in one run, and ratios are of those medians. First it is checked that
kernels and graphs give on this GPU what they should; nothing is measured otherwise. A case too large fails alone.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from benchmarks import registry
from benchmarks.run import RESULTS, circumstances
from dmem_agents import DeltaMemConfig, attach
from dmem_agents.delta_rule import scan
from dmem_agents.delta_rule.naive import naive_scan
from dmem_agents.delta_rule.scan import Implementation
from dmem_agents.model.attach import DeltaMemModel, ForwardOutput
from dmem_agents.model.decode_graph import Capture, DecodeGraphs
from dmem_agents.model.kv_cache import SlotCache

TARGET = 1.03
"""Most that prefill and decode may take, as multiples of the plain model's."""
FLOAT32_BYTES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is measured, and of which shape."""

    backbone: Qwen3Config
    dtype: torch.dtype
    rank: int
    state_heads: tuple[int, ...]
    prefill: tuple[tuple[int, int], ...]
    """(batch, tokens)."""
    decode: tuple[tuple[int, int], ...]
    """(batch, cached tokens)."""
    decode_steps: int
    """Steps per repeat."""
    scans: tuple[tuple[int, int], ...]
    """(batch, tokens)."""
    copied_bytes: int
    """Size of the buffer whose copy gives the bandwidth."""
    repeats: int = registry.REPEATS


QWEN3_4B = Plan(
    backbone=Qwen3Config(
        vocab_size=151_936,
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40_960,
        tie_word_embeddings=True,
    ),
    dtype=torch.bfloat16,
    rank=8,
    state_heads=(1, 4),
    prefill=((1, 8192), (32, 8192), (1, 32_768)),
    decode=((1, 8192), (32, 8192)),
    decode_steps=32,
    scans=((1, 8192), (32, 8192), (1, 32_768)),
    copied_bytes=2**30,
)


def scan_bytes(*, batch: int, tokens: int, heads: int, rank: int) -> int:
    """The least a scan moves: six inputs and the reads once per token, the state once in and once out."""
    return FLOAT32_BYTES * batch * heads * (7 * tokens * rank + 2 * rank * rank)


def alternating(works: Mapping[str, Callable[[], object]], *, repeats: int, device: torch.device) -> dict[str, Any]:
    """`registry.alternating` on a device; a failure for want of memory becomes a word."""
    try:
        return dict(registry.alternating(works, repeats=repeats, wait=lambda: _wait(device)))
    except torch.OutOfMemoryError:
        return {"failed": "out of memory"}


def with_ratio(times: dict[str, Any], name: str, base: str) -> dict[str, Any]:
    """The times with the ratio of two medians and whether the target holds."""
    if "failed" in times:
        return times
    ratio = times[name]["median"] / times[base]["median"]
    return times | {f"{name}_over_{base}": ratio, f"{name}_over_{base}_in_target": ratio <= TARGET}


def scan_times(plan: Plan, device: torch.device, implementation: Implementation) -> dict[str, Any]:
    """The scan alone, without and with its gradient, against the time that moving its bytes once would take."""
    source = torch.zeros(plan.copied_bytes, dtype=torch.uint8, device=device)
    copied = alternating({"copy": source.clone}, repeats=plan.repeats, device=device)
    bytes_per_second = 2 * plan.copied_bytes / copied["copy"]["median"]
    result: dict[str, Any] = {"copy_bytes_per_second": bytes_per_second}
    for batch, tokens in plan.scans:
        for heads in plan.state_heads:
            inputs = scan_inputs(batch, tokens, heads, plan.rank, device)
            works = {
                "forward": lambda given=inputs: scan(**given, implementation=implementation),
                "forward_backward": lambda given=inputs: _learn(given, implementation),
            }
            times = alternating(works, repeats=plan.repeats, device=device)
            floor = scan_bytes(batch=batch, tokens=tokens, heads=heads, rank=plan.rank) / bytes_per_second
            if "failed" not in times:
                times |= {"floor_seconds": floor, "forward_over_floor": times["forward"]["median"] / floor}
            result[f"B{batch}_T{tokens}_H{heads}"] = times
    return result


def scan_inputs(batch: int, tokens: int, heads: int, rank: int, device: torch.device) -> dict[str, Tensor]:
    """Random arguments of a scan, float32; gates in (0, 1), keys of length 1."""
    generator = torch.Generator(device).manual_seed(0)
    shape = (batch, tokens, heads, rank)
    q, k, v, gate = (torch.randn(shape, generator=generator, device=device) for _ in range(4))
    gate = torch.sigmoid(gate - 1.5)
    state = torch.randn(batch, heads, rank, rank, generator=generator, device=device)
    q, k = torch.nn.functional.normalize(q, dim=-1), torch.nn.functional.normalize(k, dim=-1)
    return {"q": q, "k": k, "v": v, "keep": 1 - gate, "erase": gate, "write": gate, "state": state}


def _learn(inputs: dict[str, Tensor], implementation: Implementation) -> tuple[Tensor, ...]:
    leaves = {name: value.detach().requires_grad_() for name, value in inputs.items()}
    reads, after = scan(**leaves, implementation=implementation)
    return torch.autograd.grad((reads.square().sum() + after.square().sum()), list(leaves.values()))


def model_times(plan: Plan, device: torch.device, capture: Capture | None = None) -> dict[str, Any]:
    """Prefill and decode with and without memory, by state heads."""
    torch.manual_seed(0)
    with torch.device(device):
        plain = Qwen3ForCausalLM(plan.backbone).to(plan.dtype).eval().requires_grad_(False)
    result: dict[str, Any] = {}
    for heads in plan.state_heads:
        model = remembering(plain, heads, plan.rank)
        with torch.inference_mode():
            for batch, tokens in plan.prefill:
                result[f"prefill_B{batch}_T{tokens}_H{heads}"] = _prefill(plan, plain, model, batch, tokens)
            for batch, tokens in plan.decode:
                result[f"decode_B{batch}_T{tokens}_H{heads}"] = _decode(plan, plain, model, batch, tokens, capture)
    return result


def remembering(plain: PreTrainedModel, heads: int, rank: int) -> DeltaMemModel:
    """The same weights, not copied, with a frozen untrained memory on q and o."""
    twin = copy.deepcopy(plain, memo={id(parameter): parameter for parameter in plain.parameters()})
    config = DeltaMemConfig(rank=rank, num_state_heads=heads, delta_heads=("q", "o"), output_init="random")
    return attach(twin, config).eval().requires_grad_(False)


def _states(model: DeltaMemModel, batch: int) -> Tensor:
    layers, *matrix = model.layout.shape
    return 0.1 * torch.randn(layers, batch, *matrix, device=model.device)


def _prefill(plan: Plan, plain: PreTrainedModel, model: DeltaMemModel, batch: int, tokens: int) -> dict[str, Any]:
    ids = torch.randint(0, plan.backbone.vocab_size, (batch, tokens), device=model.device)
    state = _states(model, batch)
    works: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(input_ids=ids, use_cache=True, logits_to_keep=1),
        "memory": lambda: model(ids, state=state, use_cache=True, logits_to_keep=1),
    }
    times = with_ratio(alternating(works, repeats=plan.repeats, device=model.device), "memory", "plain")
    if "failed" not in times and model.device.type == "cuda":
        times["peak_bytes"] = {name: _peak(work) for name, work in works.items()}
    return times


def _decode(
    plan: Plan, plain: PreTrainedModel, model: DeltaMemModel, batch: int, tokens: int, capture: Capture | None
) -> dict[str, Any]:
    """Seconds of `decode_steps` steps over one cache: plain and with memory, launch by launch and as graphs."""
    ids = torch.randint(0, plan.backbone.vocab_size, (batch, 1), device=model.device)
    first = _states(model, batch)
    try:
        cache = _filled(plan, batch, tokens, model.device)
    except torch.OutOfMemoryError:
        return {"failed": "out of memory"}
    bare = cast(DeltaMemModel, _Bare(plain, model))
    graphs = {"plain_graph": DecodeGraphs(bare, capture=capture), "memory_graph": DecodeGraphs(model, capture=capture)}
    decoders: dict[str, Callable[..., ForwardOutput]] = {"plain": bare, "memory": model, **graphs}

    def run(name: str) -> None:
        state, write = first, name.startswith("memory")
        for step in range(plan.decode_steps):
            positions = torch.full_like(ids, tokens + step)
            given = {"attention_mask": None, "position_ids": positions, "cache": cache, "logits_to_keep": 1}
            mask = torch.ones_like(ids, dtype=torch.bool) if write else None
            state = decoders[name](ids, state=state, write=write, write_mask=mask, **given).state
            cache.advance()
        cache.end, cache.lengths = tokens, [tokens] * batch  # the next run overwrites what this one added

    works = {name: (lambda name=name: run(name)) for name in decoders}
    times = alternating(works, repeats=plan.repeats, device=model.device)
    if not all(decoder.works for decoder in graphs.values()):
        return times | {"failed": "capturing a graph; the log says why, and these graph times are of plain steps"}
    for name, base in (("memory", "plain"), ("memory_graph", "plain_graph"), ("memory_graph", "plain")):
        times = with_ratio(times, name, base)
    return times


class _Bare:
    """The backbone in a model's place: nothing knows of memory outside wrapped linears, so it is captured alike.

    Args:
        backbone: carries no memory.
        model: whose states are handed through.
    """

    def __init__(self, backbone: PreTrainedModel, model: DeltaMemModel) -> None:
        self.backbone, self.layout, self.device = backbone, model.layout, model.device

    def __call__(
        self, ids: Tensor, *, state: Tensor, position_ids: Tensor, cache: SlotCache, logits_to_keep: int, **_: object
    ) -> ForwardOutput:
        """One step; the state comes back as it was."""
        output = self.backbone(
            input_ids=ids, position_ids=position_ids, past_key_values=cache, logits_to_keep=logits_to_keep
        )
        return ForwardOutput(logits=output.logits, state=state, cache=cache)


def _filled(plan: Plan, batch: int, tokens: int, device: torch.device) -> SlotCache:
    """A cache of equal rows with random keys and values."""
    shape = (1, plan.backbone.num_key_value_heads, tokens, plan.backbone.head_dim)
    tensors = [torch.randn(shape, dtype=plan.dtype, device=device).expand(batch, -1, -1, -1) for _ in range(2)]
    layer = SimpleNamespace(keys=tensors[0], values=tensors[1])
    layers = plan.backbone.num_hidden_layers
    cache = SlotCache(batch, layers)
    cache.join(cast(Cache, SimpleNamespace(layers=[layer] * layers)), [tokens] * batch)
    return cache


def _peak(work: Callable[[], object]) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def check(device: torch.device, implementation: Implementation, capture: Capture | None = None) -> None:
    """Compare the scan with the loop, and a replayed step with the model's own.

    Raises:
        RuntimeError: they differ.
    """
    for tokens in (1, 63, 100):
        inputs = scan_inputs(2, tokens, 3, 8, device)
        exact = {name: value.double() for name, value in inputs.items()}
        pairs = [*zip(scan(**inputs, implementation=implementation), naive_scan(**exact), strict=True)]
        pairs += zip(_learn(inputs, implementation), _learn(exact, "naive"), strict=True)
        for ours, expected in pairs:
            _compare(f"the {implementation} scan at {tokens} tokens", ours.double(), expected)
    config = Qwen3Config(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8,
    )  # fmt: skip
    with torch.device(device):
        model = remembering(Qwen3ForCausalLM(config).eval(), 2, 8)
    plan = SimpleNamespace(backbone=config, dtype=torch.float32)
    with torch.inference_mode():
        graphs, cache = DecodeGraphs(model, capture=capture), _filled(cast(Plan, plan), 3, 20, device)
        state, ids = _states(model, 3), torch.tensor([[3], [4], [5]], device=device)
        for at in range(20, 24):
            given: dict[str, Any] = {"state": state, "position_ids": torch.full_like(ids, at), "cache": cache}
            given["write_mask"] = torch.ones_like(ids, dtype=torch.bool)
            step, plain = graphs(ids, attention_mask=None, **given), model(ids, **given)
            _compare("a replayed step", step.logits, plain.logits)
            _compare("the state after a replayed step", step.state, plain.state)
            cache.advance()
            state, ids = step.state, (ids + 7) % 64
    if not graphs.works:
        raise RuntimeError("Expected a decoding step to be captured, but it was not; the log says why.")


def _compare(what: str, ours: Tensor, expected: Tensor) -> None:
    # Relative to the largest entry: rounding grows with the number of terms of a sum.
    if not (ours - expected).abs().max() <= 1e-4 * expected.abs().max().clamp_min(1.0):
        raise RuntimeError(f"Expected {what} to equal its plain form, got {ours} for {expected}. Nothing was measured.")


def main() -> int:
    """Check, measure, and write `results/gpu.json`; 2 without a GPU."""
    if not torch.cuda.is_available():
        print(
            f"Expected a CUDA GPU, found none (torch {torch.__version__}). Nothing was measured. On a machine with one "
            "and torch's CUDA build: pip install 'dmem-agents[gpu]', then python -m benchmarks.gpu",
            file=sys.stderr,
        )
        return 2
    device = torch.device("cuda", torch.cuda.current_device())
    check(device, "triton")
    result = {
        "circumstances": circumstances() | {"gpu": torch.cuda.get_device_name(device)},
        "decode_steps": QWEN3_4B.decode_steps,
        "target": TARGET,
        "scan_seconds": scan_times(QWEN3_4B, device, "triton"),
        "model_seconds": model_times(QWEN3_4B, device),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "gpu.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
