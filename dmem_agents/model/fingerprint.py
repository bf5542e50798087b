"""One hash that ties a state to the backbone and adapter that wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from dmem_agents.state.memory_state import StateLayout

_SAMPLES_PER_TENSOR = 64
_BACKBONE_FIELDS = (
    "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size "
    "hidden_act rms_norm_eps attention_bias mlp_bias rope_parameters rope_theta rope_scaling partial_rotary_factor "
    "original_max_position_embeddings sliding_window use_sliding_window max_window_layers layer_types no_rope_layers "
    "no_rope_layer_interval tie_word_embeddings"
).split()
"""Config fields that change what the same weights compute. A list of our own: a new release of transformers adds
fields, and the states of yesterday must still open."""
_TRAINING_ONLY = ("beta_bias_init", "output_init", "base_slice_ref_width", "online_gain", "delta_scale_init")
"""Config fields that only shape fresh weights: the weights themselves are hashed."""


def fingerprint_of(
    backbone: PreTrainedModel, config: dict[str, Any], layout: StateLayout, adapter: Mapping[str, Tensor]
) -> str:
    """SHA-256 over everything that gives a state its meaning, 64 hex digits.

    The adapter is hashed whole; of the backbone's config what changes its results, and of each of its tensors the
    name, shape and 64 evenly spread values, so that a model of many gigabytes is told apart in milliseconds. Values are
    read as float32, so the same checkpoint opened in a wider dtype keeps its fingerprint.
    """
    digest = hashlib.sha256(b"dmem-fingerprint-1\n")
    rule = {name: value for name, value in config.items() if name not in _TRAINING_ONLY}
    fields = backbone.config.to_dict()
    computes = {name: fields[name] for name in _BACKBONE_FIELDS if fields.get(name) is not None}
    head = [backbone.config.model_type, computes, rule, list(layout.layers), layout.heads, layout.rank]
    digest.update(json.dumps(head, sort_keys=True, default=str).encode())
    for name, tensor in sorted(backbone.named_parameters()):
        flat = tensor.detach().flatten()
        where = torch.linspace(0, max(flat.numel() - 1, 0), min(_SAMPLES_PER_TENSOR, flat.numel()), dtype=torch.float64)
        digest.update(f"\n{name}{list(tensor.shape)}".encode())
        digest.update(_bytes(flat[where.long().to(flat.device)]))
    for name, weight in sorted(adapter.items()):
        digest.update(f"\n{name}{list(weight.shape)}".encode())
        digest.update(_bytes(weight))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4", copy=False).tobytes()
