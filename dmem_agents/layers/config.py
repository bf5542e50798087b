"""What an adapter is: the live fields of `delta_mem_config.json`, checked. Knows nothing of models or files."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dmem_agents.errors import ConfigError

UpdateMode = Literal["standard", "lambda_outside", "no_lambda"]
Granularity = Literal["token", "message_mean", "sentence_mean"]
OutputInit = Literal["zero", "base_slice", "base_slice_fixed", "random"]
HeadName = Literal["q", "k", "v", "o"]
HEAD_NAMES: tuple[HeadName, ...] = get_args(HeadName)

_DEAD_FIELDS: dict[str, Any] = {
    "num_memory_partitions": 1,
    "num_global_memory_partitions": 0,
    "memory_partition_routing": "soft",
    "memory_partition_basis": "shared",
    "tie_memory_partition_read_write": False,
    "memory_partition_read_mode": "softmax",
    "slot_read_top_k": 0,
    "global_memory_mode": "shared_rw",
    "global_memory_read_top_k": 0,
    "global_memory_merge_mode": "gated_residual",
    "memory_reader_layers": [],
    "memory_readout_mode": "delta",
    "memory_write_source": "learned_hidden",
    "memory_write_proposals_per_message": 2,
    "synthetic_memory_slots": 1,
    "latent_memory_layers": [],
    "delta_scale_parameterization": "alpha_over_rank",
}
"""Fields of published files that only ever had one value; any other means a mechanism we don't implement."""

_UNUSED_FIELDS = frozenset(
    "memory_partition_sigmoid_gate_bias_init global_memory_gate_bias_init global_memory_read_logit_bias "
    "memory_reader_hidden_size memory_reader_residual_scale memory_reader_read_only latent_memory_hidden_size "
    "latent_memory_residual_scale latent_memory_slots latent_memory_init_std latent_gate_init".split()
)
"""Fields of published files that nothing reads, whatever their value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeltaMemConfig:
    """Shape and rule of a δ-mem adapter (`delta-mem.md` §1, §2, §5; arXiv 2605.12357).

    Raises:
        ConfigError: a value outside what its field's docstring allows.
    """

    rank: int = 8
    """r ≥ 1: side of each state matrix."""
    alpha: float = 16.0
    """Corrections are scaled by alpha / rank."""
    beta_bias_init: float = -1.5
    """Initial bias of the write gate, before the sigmoid."""
    normalize_qk: bool = True
    """tanh, then L2, on memory queries and keys of each state head."""
    couple_lambda: bool = True
    """λ = 1 − β; False gives λ a gate of its own."""
    state_update_mode: UpdateMode = "standard"
    """keep, erase, write of the delta rule (§1.2)."""
    rankwise_gates: bool = True
    """A gate per state row; False: one per state head."""
    output_init: OutputInit = "zero"
    """Start of the active delta heads."""
    base_slice_ref_width: int = 8
    """Columns that `base_slice_fixed` fills."""
    online_gain: float = 0.05
    """Norm of those columns."""
    num_state_heads: int = 1
    """H ≥ 1 independent states per layer (MSW when > 1)."""
    memory_write_granularity: Granularity = "token"
    """What is one write: a token, or the mean over a message or a sentence."""
    target_modules: tuple[str, ...] = ("self_attn",)
    """Last name components of the attention modules that are adapted."""
    target_layers: tuple[int, ...] = ()
    """Indices of adapted layers; empty: all."""
    delta_heads: tuple[HeadName, ...] = HEAD_NAMES
    """Projections that are steered, out of q, k, v, o."""
    delta_o_rmsnorm: bool = False
    """RMSNorm in float32 on Δo."""
    delta_o_rmsnorm_eps: float = 1e-6
    """Its epsilon."""
    trainable_delta_scale: bool = False
    """Learn a scale in (0, delta_scale_max) on the corrections."""
    delta_scale_init: float = 1.0
    """Its start, below the maximum."""
    delta_scale_max: float = 2.0
    """Its upper bound."""
    delta_scale_granularity: Literal["layer", "head"] = "layer"
    """One scale per layer, or one for each of q, k, v, o."""

    def __post_init__(self) -> None:
        for name in ("rank", "num_state_heads", "base_slice_ref_width"):
            value = getattr(self, name)
            _require(
                isinstance(value, int) and not isinstance(value, bool) and value >= 1, name, "an integer ≥ 1", value
            )
        for name in ("alpha", "beta_bias_init", "online_gain", "delta_scale_init"):
            value = getattr(self, name)
            _require(_is_finite(value), name, "a finite number", value)
        for name in ("delta_o_rmsnorm_eps", "delta_scale_max"):
            value = getattr(self, name)
            _require(_is_finite(value) and value > 0, name, "a number > 0", value)
        for name in ("normalize_qk", "couple_lambda", "rankwise_gates", "delta_o_rmsnorm", "trainable_delta_scale"):
            _require(isinstance(getattr(self, name), bool), name, "true or false", getattr(self, name))
        for name, kind in (
            ("state_update_mode", UpdateMode),
            ("memory_write_granularity", Granularity),
            ("output_init", OutputInit),
            ("delta_scale_granularity", Literal["layer", "head"]),
        ):
            _require(
                getattr(self, name) in get_args(kind), name, "one of " + ", ".join(get_args(kind)), getattr(self, name)
            )
        heads, modules, layers = self.delta_heads, self.target_modules, self.target_layers
        _require(
            isinstance(heads, tuple) and all(h in HEAD_NAMES for h in heads),
            "delta_heads",
            "a list out of q, k, v, o",
            heads,
        )
        _require(
            isinstance(modules, tuple) and bool(modules) and all(isinstance(m, str) for m in modules),
            "target_modules",
            "a list of module names",
            modules,
        )
        _require(
            isinstance(layers, tuple) and all(type(i) is int and i >= 0 for i in layers),
            "target_layers", "layer indices ≥ 0", self.target_layers,
        )  # fmt: skip
        if self.trainable_delta_scale:
            _require(
                self.delta_scale_init < self.delta_scale_max,
                "delta_scale_init",
                "a number below delta_scale_max",
                self.delta_scale_init,
            )

    @property
    def gate_channels(self) -> int:
        """G: gate outputs per token, head-major."""
        return self.num_state_heads * (self.rank if self.rankwise_gates else 1)

    @property
    def width(self) -> int:
        """R = H · r: memory channels per token, head-major."""
        return self.num_state_heads * self.rank

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> DeltaMemConfig:
        """Read a published `delta_mem_config.json`.

        Fields that nothing reads are passed over; fields this release has never heard of too, with a warning.

        Raises:
            ConfigError: a value that can't be used, or a field that asks for a mechanism we don't implement.
        """
        if not isinstance(fields, Mapping):
            raise ConfigError(f"Expected delta_mem_config.json to hold an object, got {type(fields).__name__}.")
        for name, value in _DEAD_FIELDS.items():
            if name in fields and fields[name] != value:
                raise ConfigError(
                    f"Expected {name} = {value!r} (its only supported value), got {fields[name]!r}: "
                    "this adapter was made with a variant of δ-mem that this release doesn't implement."
                )
        live = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - set(live) - set(_DEAD_FIELDS) - _UNUSED_FIELDS)
        if unknown:
            warnings.warn(
                f"delta_mem_config.json has fields this release doesn't know; they are ignored: {unknown}", stacklevel=2
            )
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items() if n in live}
        heads = values.get("delta_heads")
        if isinstance(heads, tuple) and all(head in HEAD_NAMES for head in heads):
            values["delta_heads"] = _ordered(heads)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """JSON values of every field, tuples as lists, heads in one order and floats as floats, whatever was given."""
        fields: dict[str, Any] = {
            name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()
        }
        fields["delta_heads"] = list(_ordered(self.delta_heads))
        floats = [f.name for f in dataclasses.fields(self) if f.type == "float"]
        return fields | {name: float(fields[name]) for name in floats}


def _ordered(heads: tuple[HeadName, ...]) -> tuple[HeadName, ...]:
    """Each head once, in the order q, k, v, o."""
    return tuple(head for head in HEAD_NAMES if head in heads)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(condition: bool, name: str, expected: str, value: object) -> None:
    if not condition:
        raise ConfigError(f"Expected {name} as {expected}, got {value!r}.")
