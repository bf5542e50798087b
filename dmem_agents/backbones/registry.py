"""Model families: one table row each says where its attention keeps its projections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from transformers import PreTrainedModel

from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import HEAD_NAMES, DeltaMemConfig, HeadName


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Names of the linears inside an attention module."""

    linears: dict[HeadName, str]
    """Linear that computes each projection; q, k and v may share a packed one (in that order)."""


_SEPARATE = Family(linears={"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"})
_PACKED = Family(linears={"q": "qkv_proj", "k": "qkv_proj", "v": "qkv_proj", "o": "o_proj"})
_FAMILIES: dict[str, Family] = {
    "llama": _SEPARATE,
    "mistral": _SEPARATE,
    "qwen2": _SEPARATE,
    "qwen3": _SEPARATE,
    "smollm3": _SEPARATE,
    "phi3": _PACKED,
}


def supported_families() -> tuple[str, ...]:
    """`model_type` of every family that can carry a memory."""
    return tuple(_FAMILIES)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionSite:
    """One attention module to adapt."""

    path: str
    """Module path in the backbone, such as `model.layers.0.self_attn`."""
    module: nn.Module
    linears: dict[HeadName, str]
    """As in `Family`."""
    features: dict[HeadName, slice]
    """Each projection's share of its linear's output features."""
    hidden_size: int
    """d, width of the attention input."""
    out_features: dict[HeadName, int]
    """Output width of each projection."""

    def base_weight(self, head: HeadName) -> Tensor:
        """`[out, in]` weight of one projection of the backbone."""
        weight = cast(Tensor, self.module.get_submodule(self.linears[head]).weight)
        return weight[self.features[head]]


def attention_sites(backbone: PreTrainedModel, config: DeltaMemConfig) -> list[AttentionSite]:
    """The attention modules that the configuration adapts, in layer order.

    Raises:
        ConfigError: an unsupported family, a layer that is not there, or nothing to adapt.
    """
    kind = backbone.config.model_type
    if kind not in _FAMILIES:
        raise ConfigError(f"Expected a backbone of one of the families {', '.join(_FAMILIES)}, got {kind!r}.")
    sites: dict[int, AttentionSite] = {}
    layers: set[int] = set()
    for path, module in backbone.named_modules():
        found = re.fullmatch(r"(?:.*\.)?(\d+)\.([^.]+)", path)
        if found is None or found[2] not in config.target_modules or not hasattr(module, _FAMILIES[kind].linears["q"]):
            continue
        index = int(found[1])
        layers.add(index)
        if not config.target_layers or index in config.target_layers:
            sites[index] = _site(path, module, _FAMILIES[kind], backbone)
    missing = sorted(set(config.target_layers) - layers)
    if missing:
        raise ConfigError(
            f"Expected target_layers among the backbone's {len(layers)} layers 0 … {len(layers) - 1}, got {missing}."
        )
    if not sites:
        raise ConfigError(
            f"Found no attention module named {' or '.join(config.target_modules)} in this {kind} backbone. "
            "Check target_modules."
        )
    return [sites[index] for index in sorted(sites)]


def _site(path: str, module: nn.Module, family: Family, backbone: PreTrainedModel) -> AttentionSite:
    text = backbone.config
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    widths: dict[HeadName, int] = {
        "q": text.num_attention_heads * head_dim,
        "k": text.num_key_value_heads * head_dim,
        "v": text.num_key_value_heads * head_dim,
        "o": text.hidden_size,
    }
    features: dict[HeadName, slice] = {}
    used: dict[str, int] = {}
    for head in HEAD_NAMES:
        name = family.linears[head]
        start = used.get(name, 0)
        features[head] = slice(start, start + widths[head])
        used[name] = start + widths[head]
    for name, width in used.items():
        actual = cast(nn.Linear, module.get_submodule(name)).out_features
        if actual != width:
            raise ConfigError(
                f"Expected {path}.{name} to have {width} output features by the model's config, got {actual}."
            )
    return AttentionSite(
        path=path,
        module=module,
        linears=family.linears,
        features=features,
        hidden_size=text.hidden_size,
        out_features=widths,
    )
