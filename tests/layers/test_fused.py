"""The compiled step for a few tokens against the tensor operations it stands for."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from dmem_agents.layers import fused
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.memory import LayerMemory

WIDTHS: Any = {"q": 12, "k": 6, "v": 6, "o": 10}
MODES = ("standard", "lambda_outside", "no_lambda")


def _case(tokens: int = 7, **fields: Any) -> tuple[LayerMemory, Tensor, Tensor]:
    memory = LayerMemory(DeltaMemConfig(**({"rank": 4} | fields)), hidden_size=10, out_features=WIDTHS)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden = torch.randn(2, tokens, 10, generator=generator)
    state = torch.randn(2, memory.config.num_state_heads, 4, 4, generator=generator)
    return memory.requires_grad_(False), hidden, state


def _mask(tokens: int, seed: int) -> Tensor:
    return torch.rand(2, tokens, generator=torch.Generator().manual_seed(seed)) < 0.6


def _by_tensor_operations(memory: LayerMemory, *arguments: Any, **options: Any) -> tuple[Tensor, Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused, "MOST_TOKENS", 0)
        reads, after = memory(*arguments, **options)
    return reads, after


@torch.no_grad()
@pytest.mark.parametrize("masks", ["none", "written", "valid", "both"])
@pytest.mark.parametrize(
    ("mode", "rankwise", "coupled", "normalise"), list(itertools.product(MODES, *[[True, False]] * 3))
)
def test_it_gives_what_the_scan_gives_under_every_rule(
    mode: str, rankwise: bool, coupled: bool, normalise: bool, masks: str
) -> None:
    memory, hidden, state = _case(
        num_state_heads=2,
        state_update_mode=mode,
        rankwise_gates=rankwise,
        couple_lambda=coupled,
        normalize_qk=normalise,
    )
    hidden = hidden * (1.0 if normalise else 0.2)
    options: dict[str, Any] = {}
    if masks in ("written", "both"):
        options["write_mask"] = _mask(7, 1)
    if masks in ("valid", "both"):
        options["valid"] = _mask(7, 2)
    assert fused.fits(hidden, memory.config)
    reads, after = memory(hidden, state, **options)
    expected_reads, expected_after = _by_tensor_operations(memory, hidden, state, **options)
    torch.testing.assert_close(reads, expected_reads, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(after, expected_after, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_reading_only_gives_the_same_reads_and_the_very_state() -> None:
    memory, hidden, state = _case(num_state_heads=2)
    reads, after = memory(hidden, state, write=False)
    assert after is state
    expected, _ = _by_tensor_operations(memory, hidden, state, write=False)
    torch.testing.assert_close(reads, expected, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_padding_of_nan_reads_zero_and_leaves_no_trace() -> None:
    memory, hidden, state = _case(tokens=3)
    expected_reads, expected_after = memory(hidden[:, 1:], state)
    hidden[:, 0] = torch.nan
    reads, after = memory(hidden, state, valid=torch.tensor([[False, True, True]] * 2))
    assert torch.equal(reads, torch.cat([torch.zeros(2, 1, 4), expected_reads], dim=1))
    assert torch.equal(after, expected_after)


@torch.no_grad()
def test_a_row_alone_gives_what_it_gives_among_others() -> None:
    memory, hidden, state = _case(num_state_heads=2)
    reads, after = memory(hidden, state)
    for row in range(2):
        alone = memory(hidden[row : row + 1], state[row : row + 1])
        assert torch.equal(alone[0][0], reads[row])
        assert torch.equal(alone[1][0], after[row])


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 7, 40])  # 40: one product in place
@pytest.mark.parametrize("features", [slice(None), slice(5, 17)])
@pytest.mark.parametrize("scale", ["fixed", "layer", "head"])
def test_a_correction_is_added_in_place_where_it_belongs(tokens: int, features: slice, scale: str) -> None:
    fields = {} if scale == "fixed" else {"trainable_delta_scale": True, "delta_scale_granularity": scale}
    memory, hidden, state = _case(tokens, **fields)
    reads, _ = memory(hidden, state)
    output = torch.randn(2, tokens, 12 if features == slice(None) else 20)
    expected = output.clone()
    expected[..., features] += memory.delta("q", reads)
    if tokens <= 7:
        packed = memory.packed_weights()
        assert packed is not None
        fused_pass = fused.FusedPass(
            [packed], memory.config, state=state[None], tokens=tokens, valid=None, write=True, write_mask=None
        )
        by_pass, by_parts, row = output.clone(), output.clone(), output.shape[2]
        fused_pass.read_and_write(0, hidden, by_pass, packed.plan("q", 0, (("q", features),), row))
        torch.testing.assert_close(by_pass, expected, atol=2e-5, rtol=1e-4)
        fused_pass.read_and_write(0, hidden, hidden, packed.plan("", 0, (), row))
        fused_pass.steer(by_parts, packed.plan("q", 0, (("q", features),), row))
        assert torch.equal(by_parts, by_pass)
        assert torch.equal(fused_pass.after[0], memory(hidden, state)[1])
    steered = memory.steer("q", output, features, reads)
    assert steered is output
    torch.testing.assert_close(steered, expected, atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 7])
def test_weights_that_are_exact_in_16_bits_are_read_in_16_bits_with_the_very_same_results(tokens: int) -> None:
    memory = LayerMemory(DeltaMemConfig(rank=4, num_state_heads=3), hidden_size=101, out_features={**WIDTHS, "q": 103})
    generator = torch.Generator().manual_seed(0)
    for parameter in memory.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator).bfloat16())
    memory.requires_grad_(False)
    hidden, state = torch.randn(2, tokens, 101, generator=generator), torch.randn(1, 2, 3, 4, 4, generator=generator)

    def step() -> tuple[bool, bool, Tensor, Tensor, Tensor]:
        packed = memory.packed_weights()
        assert packed is not None
        fused_pass = fused.FusedPass(
            [packed], memory.config, state=state, tokens=tokens, valid=None, write=True, write_mask=None
        )
        output = torch.ones(2, tokens, 103)
        plan = packed.plan("q", 0, (("q", slice(None)),), 103)
        fused_pass.read_and_write(0, hidden, output, plan)
        told = (ctypes.c_ssize_t * 8).from_address(plan)
        return bool(told[4]), bool(told[7]), fused_pass.reads, fused_pass.after, output

    in16 = step()
    memory.memory_v_proj[11, 3] += 2.0**-20  # of the last head
    memory.delta_q_proj[102, 5] += 2.0**-20  # of the last column
    in32 = step()
    assert in16[:2] == (True, True)
    assert in32[:2] == (False, False)
    _, _, reads, after, output = in32
    if tokens == 1:  # reads come from the state before
        assert torch.equal(reads, in16[2])
        assert torch.equal(output[..., :102], in16[4][..., :102])
    assert torch.equal(reads[:, :8], in16[2][:, :8])
    assert torch.equal(after[:, :, :2], in16[3][:, :, :2])


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_is_not_one_product_in_float32_is_added_beside(dtype: torch.dtype) -> None:
    memory, hidden, state = _case(delta_o_rmsnorm=True)
    reads, _ = memory(hidden, state)
    output = torch.randn(2, 7, 10).to(dtype)
    before = output.clone()
    steered = memory.steer("o", output, slice(None), reads)
    assert torch.equal(output, before)
    assert torch.equal(steered, before + memory.delta("o", reads).to(dtype))


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 40])
def test_weights_that_change_are_used_at_once(tokens: int) -> None:
    memory, hidden, state = _case(tokens)
    memory.steer("q", torch.zeros(2, tokens, 12), slice(None), memory(hidden, state)[0])  # packs them
    memory.memory_v_proj.mul_(2)
    memory.delta_q_proj.data = memory.delta_q_proj.data * 3
    reads, after = memory(hidden, state)
    unpacked, _, _ = _case(tokens)
    unpacked.load_state_dict(memory.state_dict())
    expected_reads, expected_after = unpacked(hidden, state)
    torch.testing.assert_close(after, expected_after, atol=2e-5, rtol=1e-4)
    steered = memory.steer("q", torch.zeros(2, tokens, 12), slice(None), reads)
    torch.testing.assert_close(steered, memory.delta("q", expected_reads), atol=2e-5, rtol=1e-4)


def test_it_leaves_the_given_state_as_it_was_and_reads_zero_from_an_empty_one() -> None:
    memory, hidden, state = _case()
    before = state.clone()
    with torch.no_grad():
        memory(hidden, state)
        reads, _ = memory(hidden[:, :1], torch.zeros_like(state))
    assert torch.equal(state, before)
    assert torch.equal(reads, torch.zeros_like(reads))


def test_where_gradients_are_asked_for_it_does_not_serve() -> None:
    memory, hidden, state = _case()
    with torch.no_grad():
        memory(hidden, state)  # packs the weights
    memory.requires_grad_(True)
    reads, _ = memory(hidden, state)
    memory.steer("q", torch.zeros(2, 7, 12), slice(None), reads).sum().backward()
    assert memory.memory_q_proj.grad is not None
    assert memory.delta_q_proj.grad is not None
