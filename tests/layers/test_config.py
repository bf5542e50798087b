"""What an adapter's configuration accepts: published files whole, and no value that can't be meant."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import DeltaMemConfig

PUBLISHED_DEAD = {
    "num_memory_partitions": 1, "num_global_memory_partitions": 0, "memory_partition_routing": "soft",
    "memory_partition_basis": "shared", "tie_memory_partition_read_write": False,
    "memory_partition_read_mode": "softmax", "slot_read_top_k": 0, "global_memory_mode": "shared_rw",
    "global_memory_read_top_k": 0, "global_memory_merge_mode": "gated_residual",
    "memory_reader_layers": [], "memory_readout_mode": "delta", "memory_write_source": "learned_hidden",
    "memory_write_proposals_per_message": 2, "synthetic_memory_slots": 1, "latent_memory_layers": [],
    "delta_scale_parameterization": "alpha_over_rank",
}  # fmt: skip
PUBLISHED_UNUSED = {
    "memory_partition_sigmoid_gate_bias_init": -2.0, "global_memory_gate_bias_init": -2.0,
    "global_memory_read_logit_bias": 0.0, "memory_reader_hidden_size": 1024,
    "memory_reader_residual_scale": 0.1, "memory_reader_read_only": True,
    "latent_memory_hidden_size": 1024, "latent_memory_residual_scale": 0.1, "latent_memory_slots": 4,
    "latent_memory_init_std": 0.002, "latent_gate_init": 0.01,
}  # fmt: skip
LIVE = {
    "rank": 8, "alpha": 16.0, "beta_bias_init": -1.5, "normalize_qk": True, "couple_lambda": True,
    "state_update_mode": "standard", "rankwise_gates": True, "output_init": "zero",
    "base_slice_ref_width": 8, "online_gain": 0.05, "num_state_heads": 1,
    "memory_write_granularity": "token", "target_modules": ["self_attn"], "target_layers": [],
    "delta_heads": ["q", "k", "v", "o"], "delta_o_rmsnorm": False, "delta_o_rmsnorm_eps": 1e-6,
    "trainable_delta_scale": False, "delta_scale_init": 1.0, "delta_scale_max": 2.0,
    "delta_scale_granularity": "layer",
}  # fmt: skip
OTHER_LIVE: dict[str, Any] = {
    "rank": 3, "alpha": 1.5, "beta_bias_init": 0.0, "normalize_qk": False, "couple_lambda": False,
    "state_update_mode": "no_lambda", "rankwise_gates": False, "output_init": "base_slice_fixed",
    "base_slice_ref_width": 2, "online_gain": 0.5, "num_state_heads": 4,
    "memory_write_granularity": "sentence_mean", "target_modules": ["self_attn", "attention"],
    "target_layers": [0, 3], "delta_heads": ["v"], "delta_o_rmsnorm": True, "delta_o_rmsnorm_eps": 1e-3,
    "trainable_delta_scale": True, "delta_scale_init": 2.5, "delta_scale_max": 3.0,
    "delta_scale_granularity": "head",
}  # fmt: skip


def test_the_49_fields_of_a_published_file_are_accepted_without_a_warning() -> None:
    fields = LIVE | PUBLISHED_DEAD | PUBLISHED_UNUSED
    assert len(fields) == 49
    assert DeltaMemConfig.from_dict(json.loads(json.dumps(fields))) == DeltaMemConfig()


def test_the_defaults_are_the_published_ones() -> None:
    assert DeltaMemConfig().to_dict() == LIVE
    assert DeltaMemConfig.from_dict({}) == DeltaMemConfig()


def test_every_live_field_is_read_and_survives_a_trip_through_json() -> None:
    config = DeltaMemConfig.from_dict(OTHER_LIVE)
    assert config.to_dict() == OTHER_LIVE
    assert DeltaMemConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(config) == hash(DeltaMemConfig.from_dict(OTHER_LIVE))


@pytest.mark.parametrize("name", PUBLISHED_DEAD)
def test_a_dead_field_with_a_live_value_is_refused_by_name(name: str) -> None:
    value = PUBLISHED_DEAD[name]
    others = {bool: True, int: 7, str: "other", list: [1]}
    with pytest.raises(ConfigError, match=name):
        DeltaMemConfig.from_dict({name: others[type(value)]})


@pytest.mark.parametrize("name", PUBLISHED_UNUSED)
def test_a_field_that_nothing_reads_may_have_any_value(name: str) -> None:
    assert DeltaMemConfig.from_dict({name: 123}) == DeltaMemConfig()


def test_a_field_of_a_later_release_is_passed_over_with_a_warning_that_names_it() -> None:
    with pytest.warns(UserWarning, match="brand_new"):
        assert DeltaMemConfig.from_dict({"brand_new": 1, "rank": 4}) == DeltaMemConfig(rank=4)


def test_delta_heads_come_in_any_order_and_any_number_and_mean_the_same() -> None:
    written = [["o", "q"], ["q", "o"], ["q", "o", "q"]]
    assert len({DeltaMemConfig.from_dict({"delta_heads": heads}) for heads in written}) == 1
    assert DeltaMemConfig.from_dict({"delta_heads": []}).delta_heads == ()


WRONG: list[tuple[str, Any]] = [
    ("rank", 0), ("rank", -1), ("rank", 8.0), ("rank", "8"), ("rank", True), ("rank", None),
    ("rank", [8]), ("num_state_heads", 0), ("num_state_heads", 1.5), ("base_slice_ref_width", 0),
    ("alpha", float("nan")), ("alpha", float("inf")), ("alpha", "16"), ("beta_bias_init", None),
    ("normalize_qk", 1), ("couple_lambda", "true"), ("rankwise_gates", None), ("delta_o_rmsnorm", 0),
    ("state_update_mode", "Standard"), ("state_update_mode", None), ("state_update_mode", ["standard"]),
    ("output_init", "base_qkv"), ("memory_write_granularity", "message"),
    ("delta_scale_granularity", "row"), ("delta_heads", ["x"]), ("delta_heads", "qo"),
    ("delta_heads", "q"), ("delta_heads", None), ("delta_heads", 3), ("target_modules", []),
    ("target_modules", "self_attn"), ("target_modules", [1]), ("target_modules", None),
    ("target_layers", [-1]), ("target_layers", ["0"]), ("target_layers", [0.0]), ("target_layers", 3),
    ("target_layers", None), ("delta_o_rmsnorm_eps", 0.0), ("delta_o_rmsnorm_eps", -1e-6),
    ("delta_scale_max", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda part: str(part))
def test_a_value_that_cannot_be_meant_is_refused_with_its_field_and_itself(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        DeltaMemConfig.from_dict({name: value})
    shown = value if not isinstance(value, list) else value[0] if value else ""
    assert str(shown) in str(caught.value)


def test_a_scale_must_start_below_its_maximum() -> None:
    with pytest.raises(ConfigError, match="delta_scale"):
        DeltaMemConfig(trainable_delta_scale=True, delta_scale_init=2.0, delta_scale_max=2.0)


@pytest.mark.parametrize("fields", [[], None, "rank", 8])
def test_something_that_is_not_an_object_is_refused(fields: Any) -> None:
    with pytest.raises(ConfigError):
        DeltaMemConfig.from_dict(fields)


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DeltaMemConfig().rank = 4  # type: ignore[misc]
