"""The one public entry of the recurrence: which implementation runs, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from dmem_agents.delta_rule.naive import naive_scan
from dmem_agents.delta_rule.scan import scan
from dmem_agents.errors import ConfigError, StateError

MakeInputs = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("implementation", ["auto", "naive", "chunked", "compiled"])
@pytest.mark.parametrize("tokens", [0, 1, 65])
def test_every_implementation_gives_the_result_of_the_slow_one(
    scan_inputs: MakeInputs, implementation: str, tokens: int
) -> None:
    inputs = scan_inputs(tokens=tokens, masked=True)
    expected_reads, expected_state = naive_scan(**inputs)
    single = {name: value if value.dtype == torch.bool else value.float() for name, value in inputs.items()}
    reads, state = scan(**single, implementation=implementation)
    torch.testing.assert_close(reads.double(), expected_reads, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(state.double(), expected_state, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("implementation", ["auto", "naive", "chunked", "compiled"])
def test_without_tokens_the_state_comes_back_as_it_was(scan_inputs: MakeInputs, implementation: str) -> None:
    inputs = scan_inputs(tokens=0, dtype=torch.float32)
    reads, state = scan(**inputs, implementation=implementation)
    assert reads.shape == inputs["q"].shape
    assert torch.equal(state, inputs["state"])


@pytest.mark.parametrize("implementation", ["auto", "naive", "chunked", "compiled"])
def test_no_input_is_written_into(scan_inputs: MakeInputs, implementation: str) -> None:
    inputs = scan_inputs(tokens=20, masked=True, dtype=torch.float32)
    before = {name: value.clone() for name, value in inputs.items()}
    scan(**inputs, implementation=implementation)
    for name, value in inputs.items():
        assert torch.equal(value, before[name]), name


def test_an_unknown_implementation_is_refused_with_the_choices(scan_inputs: MakeInputs) -> None:
    with pytest.raises(ConfigError, match="chunked") as caught:
        scan(**scan_inputs(dtype=torch.float32), implementation="fastest")
    assert "fastest" in str(caught.value)


@pytest.mark.parametrize(
    "shape",
    [(2, 2, 4, 5), (2, 2, 4), (3, 2, 4, 4), (1, 2, 4, 4), (2, 1, 4, 4), (2, 2, 5, 5), (2, 2, 1, 1)],
)
def test_a_state_of_another_shape_is_refused_and_never_broadcast(
    scan_inputs: MakeInputs, shape: tuple[int, ...]
) -> None:
    inputs = scan_inputs(dtype=torch.float32)
    with pytest.raises((ConfigError, StateError), match=r"state.* 2, 4, 4") as caught:
        scan(**(inputs | {"state": torch.zeros(shape)}))
    assert ", ".join(map(str, shape)) in str(caught.value)


@pytest.mark.parametrize("name", ["q", "k", "v", "keep", "erase", "write"])
@pytest.mark.parametrize("shape", [(2, 8, 2, 4), (2, 9, 2, 3), (1, 9, 2, 4), (2, 9, 1, 4), (9, 2, 4)])
def test_inputs_that_do_not_fit_together_are_refused_by_name(
    scan_inputs: MakeInputs, name: str, shape: tuple[int, ...]
) -> None:
    inputs = scan_inputs(dtype=torch.float32)
    with pytest.raises((ConfigError, StateError)) as caught:
        scan(**(inputs | {name: torch.rand(shape)}))
    assert ", ".join(map(str, shape)) in str(caught.value)


@pytest.mark.parametrize("name", ["k", "v"])
def test_only_gates_may_be_scalar(scan_inputs: MakeInputs, name: str) -> None:
    inputs = scan_inputs(dtype=torch.float32)
    with pytest.raises(ConfigError):
        scan(**(inputs | {name: inputs[name][..., :1]}))


@pytest.mark.parametrize(
    "mask",
    [torch.ones(2, 8, dtype=torch.bool), torch.ones(1, 9, dtype=torch.bool), torch.ones(9, dtype=torch.bool)],
)
def test_a_write_mask_of_another_shape_is_refused(scan_inputs: MakeInputs, mask: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="write_mask"):
        scan(**(scan_inputs(dtype=torch.float32) | {"write_mask": mask}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_write_mask_that_is_not_boolean_is_refused(scan_inputs: MakeInputs, dtype: torch.dtype) -> None:
    """An additive mask (0 = write, −inf = don't) would be read the wrong way round."""
    with pytest.raises(ConfigError, match="bool"):
        scan(**(scan_inputs(dtype=torch.float32) | {"write_mask": torch.ones(2, 9, dtype=dtype)}))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_state_in_half_precision_is_refused_and_not_cast(scan_inputs: MakeInputs, dtype: torch.dtype) -> None:
    inputs = scan_inputs(dtype=torch.float32)
    with pytest.raises((ConfigError, StateError), match=r"state.*float32"):
        scan(**(inputs | {"state": inputs["state"].to(dtype)}))
