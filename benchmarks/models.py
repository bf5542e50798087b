"""The models that speed is measured on: the embedded one, plain, and with memories of several shapes.

All share one set of backbone weights, so that no side has them nearer than another.
"""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from dmem_agents import DeltaMemConfig, DeltaMemModel, attach, load_adapter
from dmem_agents.model.embedded import embedded_model_folder
from dmem_agents.model.loading import packaged_adapter_folder
from dmem_agents.model.progress_bars import hidden_progress_bars
from dmem_agents.train.compiled import compile_parts

SHAPES = {
    "tsw1": "TSW, one state head",
    "tsw4": "TSW, 4 state heads",
    "shipped": "the shipped adapter",
    "ssw": "SSW",
}
"""All but the shipped adapter are fresh, of rank 8, and steer q and o, as the research code was measured; they are
rounded to bfloat16 as training saves every adapter.
"""


@functools.cache
@torch.inference_mode(False)  # weights made in inference mode have no version counters
def plain() -> PreTrainedModel:
    """The frozen model alone, float32."""
    with hidden_progress_bars():
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(embedded_model_folder())
    return model.eval()


@functools.cache
@torch.inference_mode(False)
def with_memory(shape: str) -> DeltaMemModel:
    """The same weights with a memory attached, frozen as in serving."""
    backbone = copy.deepcopy(plain(), {id(p): p for p in plain().parameters()})
    if shape == "shipped":
        folder = packaged_adapter_folder()
        if folder is None:
            raise FileNotFoundError("Expected the shipped adapter in dmem_agents/model/adapters; it is not there.")
        model = load_adapter(backbone, folder)
    else:
        config = DeltaMemConfig(
            delta_heads=("q", "o"),
            output_init="base_slice",
            num_state_heads=4 if shape == "tsw4" else 1,
            memory_write_granularity="message_mean" if shape == "ssw" else "token",
        )
        torch.manual_seed(0)
        model = attach(backbone, config)
        model.load_adapter_parameters({name: p.bfloat16() for name, p in model.adapter_parameters().items()})
    return model.eval().requires_grad_(False)


@torch.inference_mode(False)
def in_training(layers: int, dtype: torch.dtype, *, compiled: bool = False) -> DeltaMemModel:
    """The first layers with a fresh TSW memory that trains, the backbone frozen and in that dtype.

    `compiled`: with the attention and the compiled parts that `train.load_for_training` gives a recipe with `compile`.
    """
    backbone = copy.deepcopy(plain()).to(dtype)
    backbone.model.layers = backbone.model.layers[:layers]
    backbone.config.num_hidden_layers = layers
    if compiled:
        backbone.set_attn_implementation("eager")
        compile_parts(backbone)
    torch.manual_seed(0)
    return attach(backbone, DeltaMemConfig(delta_heads=("q", "o"), output_init="base_slice")).eval()


def some_state(model: DeltaMemModel, batch: int = 1) -> Tensor:
    """`[L, B, H, r, r]`, small numbers, none zero."""
    layers, *matrix = model.layout.shape
    return 0.1 * torch.randn(layers, batch, *matrix, generator=torch.Generator().manual_seed(0))


def some_ids(tokens: int, batch: int = 1) -> Tensor:
    """`[B, T]` ordinary tokens."""
    return torch.randint(100, 40_000, (batch, tokens), generator=torch.Generator().manual_seed(1))
