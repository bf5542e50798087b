"""Parameters of a freshly attached adapter: names, shapes, what is trained, and what is not random."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import attach

Case = dict[str, Any]


def _fresh(golden: Any, case: Case, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    model = attach(golden.backbone(case["backbone"]), DeltaMemConfig.from_dict(case["delta_config"]))
    return model.adapter_parameters()


def test_a_fresh_adapter_has_the_names_and_shapes_of_the_reference(golden: Any, init_case: Case) -> None:
    parameters = _fresh(golden, init_case)
    assert {name: list(p.shape) for name, p in parameters.items()} == init_case["param_shapes"]


def test_exactly_the_parameters_the_reference_trains_require_gradients(golden: Any, init_case: Case) -> None:
    model = attach(golden.backbone(init_case["backbone"]), DeltaMemConfig.from_dict(init_case["delta_config"]))
    trained = {
        f"{path}.{name}"
        for path, layer in model.layers.items()
        for name, parameter in layer.named_parameters()
        if parameter.requires_grad
    }
    assert trained == set(init_case["trainable"])


def test_values_that_are_not_random_are_those_of_the_reference(golden: Any, init_case: Case) -> None:
    parameters, recorded = _fresh(golden, init_case), golden.tensors(init_case)
    assert set(recorded) | set(init_case["random_params"]) == set(parameters)
    for name, value in recorded.items():
        if name not in init_case["random_params"]:
            torch.testing.assert_close(parameters[name].detach(), value, **init_case["tolerance"], msg=name)


def test_random_values_are_uniform_with_the_reference_bound_and_follow_the_seed(golden: Any, init_case: Case) -> None:
    config = init_case["delta_config"]
    one, same, other = (_fresh(golden, init_case, seed) for seed in (1, 1, 2))
    for name in init_case["random_params"]:
        values = one[name].detach()
        gain = config["online_gain"] if ".delta_" in name else 1.0
        bound = gain / math.sqrt(values.shape[1])
        assert values.abs().max() <= bound, name
        assert values.abs().max() > 0.9 * bound, name
        assert abs(values.mean()) < 0.2 * bound, name
        assert abs(values.std() / (bound / math.sqrt(3)) - 1) < 0.2, name
        assert torch.equal(values, same[name]), name
        assert not torch.equal(values, other[name]), name
