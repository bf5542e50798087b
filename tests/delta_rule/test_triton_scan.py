"""The GPU's scan against the slow one, run by Triton's interpreter on the CPU; and compiled, unrun, for a GPU.

The interpreter takes about a millisecond for a token of one program, so sizes are small and chunks short.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dmem_agents.delta_rule.naive import naive_scan
from dmem_agents.delta_rule.scan import scan
from dmem_agents.errors import ConfigError
from dmem_agents.layers import fused
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.gates import coefficients
from dmem_agents.layers.memory import LayerMemory

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed: pip install 'dmem-agents[gpu]' (Linux)", allow_module_level=True)

from dmem_agents.delta_rule import triton_scan as module
from dmem_agents.delta_rule.triton_scan import triton_scan

scan_module = sys.modules["dmem_agents.delta_rule.scan"]  # the package gives its function the module's name
MakeInputs = Callable[..., dict[str, Any]]
LEAVES = ("q", "k", "v", "keep", "erase", "write", "state")
GOLDEN = Path(__file__).parents[1] / "golden"


def _run(scan: Callable[..., tuple[Tensor, Tensor]], inputs: dict[str, Any], **options: Any) -> dict[str, Tensor]:
    """Values, and the gradients of a weighted sum of them."""
    leaves = {name: inputs[name].detach().clone().requires_grad_() for name in LEAVES}
    reads, state = scan(**(inputs | leaves), **options)
    weights = torch.Generator().manual_seed(1)
    parts = [(x * torch.randn(x.shape, generator=weights, dtype=x.dtype)).nansum() for x in (reads, state)]
    torch.stack(parts).sum().backward()
    found = {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}
    return {"reads": reads.detach(), "after": state.detach(), **found}


def _assert_same(ours: dict[str, Tensor], expected: dict[str, Tensor], atol: float = 1e-10) -> None:
    assert set(ours) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, atol=atol, rtol=1e-9, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("tokens", "sizes"),
    [
        (0, {}),
        (1, {"rank": 8, "heads": 3}),
        (2, {"rank": 16, "batch": 1, "heads": 1}),
        (5, {"rank": 3, "batch": 1, "gate_width": 1}),  # a rank that fills no vector
        (9, {"rank": 1, "heads": 1}),
        (8, {"rank": 2, "batch": 1, "heads": 3}),  # chunks come out even
        (9, {"rank": 4, "batch": 1, "heads": 2}),
        (11, {"rank": 2, "batch": 2, "heads": 1, "gate_width": 1}),
    ],
)
def test_values_and_gradients_are_those_of_the_loop(
    scan_inputs: MakeInputs, tokens: int, sizes: dict[str, int], masked: bool
) -> None:
    inputs = scan_inputs(tokens=tokens, masked=masked, seed=tokens, **sizes)
    _assert_same(_run(triton_scan, inputs, chunk_size=4), _run(naive_scan, inputs))


@pytest.mark.parametrize("chunk_size", [1, 3, 64])
def test_the_chunk_size_changes_nothing(scan_inputs: MakeInputs, chunk_size: int) -> None:
    inputs = scan_inputs(tokens=7, rank=2, batch=1, masked=True)
    _assert_same(_run(triton_scan, inputs, chunk_size=chunk_size), _run(naive_scan, inputs))


def test_a_length_beyond_the_usual_chunk(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=66, rank=2, batch=1, heads=1, masked=True)
    _assert_same(_run(triton_scan, inputs), _run(naive_scan, inputs))


@pytest.mark.parametrize("mode", ["standard", "lambda_outside", "no_lambda"])
@pytest.mark.parametrize("coupled", [True, False])
def test_every_update_rule_passes_its_gradient_to_the_gates(scan_inputs: MakeInputs, mode: str, coupled: bool) -> None:
    inputs = scan_inputs(tokens=6, rank=2, batch=1, heads=2)
    generator = torch.Generator().manual_seed(3)
    logits = [torch.randn(1, 6, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2)]

    def through(scan: Callable[..., tuple[Tensor, Tensor]], **options: int) -> list[Tensor]:
        beta, own = (x.clone().requires_grad_() for x in logits)
        keep, erase, write = coefficients(beta, None if coupled else own, mode)
        reads, state = scan(**(inputs | {"keep": keep, "erase": erase, "write": write}), **options)
        (reads.square().sum() + state.square().sum()).backward()
        assert beta.grad is not None
        return [reads.detach(), state.detach(), beta.grad, torch.zeros(1) if own.grad is None else own.grad]

    for ours, expected in zip(through(triton_scan, chunk_size=4), through(naive_scan), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("case", ["scan_r8_t1", "scan_r8_t37_masked"])
def test_the_recurrence_is_that_of_the_reference(case: str) -> None:
    tensors = load_file(GOLDEN / f"{case}.safetensors")
    rows = slice(0, 1)  # one row is enough, and the interpreter is slow
    inputs = {name: tensors[name][rows].double().unsqueeze(2) for name in LEAVES[:-1]}
    inputs["state"] = tensors["S0"][rows].double().unsqueeze(1)
    mask = tensors["mask"][rows].bool() if "mask" in tensors else None
    reads, state = triton_scan(**inputs, write_mask=mask, chunk_size=32)
    reads = reads.squeeze(2)
    if mask is not None:  # the reference gives masked tokens a read of 0
        reads = reads * mask.unsqueeze(-1)
    torch.testing.assert_close(reads, tensors["out.reads64"][rows], atol=1e-10, rtol=1e-8)
    torch.testing.assert_close(state.squeeze(1), tensors["out.state64"][rows], atol=1e-10, rtol=1e-8)


def test_float32_stays_close_to_the_float64_loop(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=30, rank=4, batch=1, heads=1)
    single = {name: value.float() for name, value in inputs.items()}
    for ours, expected in zip(triton_scan(**single, chunk_size=8), naive_scan(**inputs), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_saturated_gates_stay_exact(scan_inputs: MakeInputs, value: float) -> None:
    inputs = scan_inputs(tokens=9, rank=2, batch=1, heads=1)
    inputs["keep"] = torch.full_like(inputs["keep"], value)
    _assert_same(_run(triton_scan, inputs, chunk_size=4), _run(naive_scan, inputs))


def test_what_masked_tokens_hold_reaches_neither_values_nor_gradients(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=11, rank=2, batch=2, heads=1, masked=True)
    assert not inputs["write_mask"].all(dim=1).any()
    poisoned = dict(inputs)
    for name in ("k", "v", "keep", "erase", "write"):
        poisoned[name] = inputs[name].masked_fill(~inputs["write_mask"][:, :, None, None], torch.nan)
    _assert_same(_run(triton_scan, poisoned, chunk_size=4), _run(triton_scan, inputs, chunk_size=4), atol=0.0)


def test_a_nan_query_of_a_masked_token_stays_in_its_own_read(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=9, rank=2, heads=1, masked=True)
    written = inputs["write_mask"]
    clean = triton_scan(**inputs, chunk_size=4)
    inputs["q"] = inputs["q"].masked_fill(~written[:, :, None, None], torch.nan)
    reads, state = triton_scan(**inputs, chunk_size=4)
    assert reads[~written].isnan().all()
    assert torch.equal(reads[written], clean[0][written])
    assert torch.equal(state, clean[1])


def test_rows_of_unequal_length_are_what_they_are_alone(scan_inputs: MakeInputs) -> None:
    """Padding before or behind a row is masked, and may hold anything."""
    lengths, width = (3, 9, 0, 6), 9
    rows = [scan_inputs(tokens=n, rank=2, batch=1, heads=2, seed=n) for n in lengths]
    offsets = [width - n if at % 2 else 0 for at, n in enumerate(lengths)]
    batch: dict[str, Any] = {"state": torch.cat([row["state"] for row in rows])}
    for name in LEAVES[:-1]:
        batch[name] = torch.full((len(rows), width, 2, 2), torch.nan, dtype=torch.float64)
        for at, (offset, row) in enumerate(zip(offsets, rows, strict=True)):
            batch[name][at, offset : offset + lengths[at]] = row[name][0]
    places = torch.arange(width)
    begin, end = torch.tensor(offsets), torch.tensor(offsets) + torch.tensor(lengths)
    batch["write_mask"] = (places >= begin[:, None]) & (places < end[:, None])
    reads, state = triton_scan(**batch, chunk_size=4)
    for at, (offset, row) in enumerate(zip(offsets, rows, strict=True)):
        own_reads, own_state = naive_scan(**row)
        torch.testing.assert_close(reads[at, offset : offset + lengths[at]], own_reads[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(state[at], own_state[0], atol=1e-12, rtol=0)


def test_inputs_that_are_views_give_the_same(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=6, rank=2, heads=1, masked=True)
    views = {name: value.transpose(0, 1).contiguous().transpose(0, 1) for name, value in inputs.items()}
    assert not views["q"].is_contiguous()
    assert not views["write_mask"].is_contiguous()
    for ours, expected in zip(triton_scan(**views, chunk_size=4), triton_scan(**inputs, chunk_size=4), strict=True):
        assert torch.equal(ours, expected)


def test_a_sequence_may_be_cut_anywhere(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=10, rank=2, batch=1, heads=1, masked=True)
    whole_reads, whole_state = triton_scan(**inputs, chunk_size=4)
    state, reads = inputs["state"], []
    for start, end in ((0, 3), (3, 4), (4, 4), (4, 10)):
        part = {name: value[:, start:end] for name, value in inputs.items() if name != "state"}
        read, state = triton_scan(**part, state=state, chunk_size=4)
        reads.append(read)
    torch.testing.assert_close(torch.cat(reads, dim=1), whole_reads, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(state, whole_state, atol=1e-12, rtol=1e-12)


def test_inference_stores_no_history_and_training_one_state_per_chunk(
    scan_inputs: MakeInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = []
    original = module._Launch.reads

    def watched(self: Any, boundaries: Tensor, history: Tensor | None = None) -> tuple[Tensor, Tensor]:
        histories.append(None if history is None else tuple(history.shape))
        return original(self, boundaries, history)

    monkeypatch.setattr(module._Launch, "reads", watched)
    inputs = scan_inputs(tokens=8, rank=2, batch=1, heads=1)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        with torch.no_grad():
            triton_scan(**(inputs | {"q": inputs["q"].clone().requires_grad_()}), chunk_size=4)
        assert (histories, kept) == ([None], [])
        reads, _ = triton_scan(**(inputs | {"q": inputs["q"].clone().requires_grad_()}), chunk_size=4)
    assert histories == [None, None]
    assert sorted(tuple(x.shape) for x in kept) == sorted([(1, 8, 1, 2)] * 6 + [(1, 1, 2, 2, 2)])
    reads.sum().backward()
    assert histories == [None, None, (1, 1, 8, 2, 2)]


def test_no_input_is_written_into(scan_inputs: MakeInputs) -> None:
    inputs = scan_inputs(tokens=6, rank=2, heads=1, masked=True)
    before = {name: value.clone() for name, value in inputs.items()}
    _run(triton_scan, inputs, chunk_size=4)
    for name, value in inputs.items():
        assert torch.equal(value, before[name]), name


def test_a_layer_of_padded_rows_learns_the_same_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "fits", lambda *_: False)
    config = DeltaMemConfig(rank=2, num_state_heads=2, couple_lambda=False)
    layer = LayerMemory(config, hidden_size=6, out_features=dict.fromkeys("qkvo", 6))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden, state = torch.randn(2, 5, 6, generator=generator), torch.randn(2, 2, 2, 2, generator=generator)
    valid = torch.tensor([[False, False, True, True, True], [True] * 5])
    results = []
    for name in ("triton", "naive"):
        monkeypatch.setattr(scan_module, "_fastest", lambda q, name=name: name)
        layer.zero_grad()
        reads, after = layer(hidden, state, valid=valid)
        (reads.square().sum() + after.square().sum()).backward()
        results.append([reads, after, *(p.grad for p in layer.parameters() if p.grad is not None)])
    assert len(results[0]) > 6
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_a_gpu_gets_it_and_a_large_rank_or_a_missing_triton_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(rank: int) -> str:
        q = SimpleNamespace(device=torch.device("cuda"), shape=(1, 9, 1, rank))
        return str(scan_module._fastest(q))

    assert (chosen(8), chosen(33)) == ("triton", "chunked")
    monkeypatch.setattr(scan_module, "_has", lambda implementation: False)
    assert chosen(8) == "chunked"


def test_tensors_on_the_cpu_are_refused_unless_it_is_interpreted(
    scan_inputs: MakeInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = scan_inputs(tokens=2, rank=2, dtype=torch.float32)
    for ours, expected in zip(scan(**inputs, implementation="triton"), naive_scan(**inputs), strict=True):
        torch.testing.assert_close(ours, expected)
    monkeypatch.setattr(module, "runs_on", lambda device: False)
    with pytest.raises(ConfigError, match="GPU"):
        scan(**inputs, implementation="triton")
    monkeypatch.setitem(sys.modules, module.__name__, None)
    with pytest.raises(ConfigError, match=r"dmem-agents\[gpu\]"):
        scan(**inputs, implementation="triton")


_COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from dmem_agents.delta_rule import triton_scan as module

SHAPES = {"tokens", "heads", "chunks", "chunk_size"}

def compile(kernel, **constants):
    constants = {"RANK": 8, "BLOCK": 8, **constants}
    kinds = {n: "i32" if n in SHAPES else "*i32" if n == "mask" else "*fp32" for n in kernel.arg_names}
    kinds |= dict.fromkeys(constants, "constexpr")
    given = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    made = triton.compile(ASTSource(kernel, kinds, given), target=GPUTarget("cuda", 90, 32), options={"num_warps": 1})
    print(kernel.__name__, len(made.asm["cubin"]), made.asm["ptx"].count("cp.async.ca"), sep="\\t")

compile(module._summarise_chunks, MASKED=True, BACKWARDS=False, d_reads=None)
compile(module._summarise_chunks, MASKED=False, BACKWARDS=True, mask=None)
compile(module._link_chunks, BACKWARDS=True)
compile(module._read_chunks, MASKED=True, HISTORY=False, history=None)
compile(module._gradients_of_chunks, MASKED=True)
"""


def test_every_kernel_compiles_for_a_gpu_and_fetches_tokens_ahead(tmp_path: Path) -> None:
    """What the interpreter lets pass, the compiler may not; it needs no GPU."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kernels = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(kernels) == 5
    for name, size, fetches in kernels:
        assert int(size) > 1000, name
        assert int(fetches) > 0, name
