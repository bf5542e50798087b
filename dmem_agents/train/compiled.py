"""The backbone's small operations as compiled loops, for training on a CPU. Knows nothing of memories.

Run one by one, norms, activations and attention pass their whole input through the machine's memory a dozen times
forward and more often backward; compiled, once or twice. The large products stay torch's own.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

ATTENTION = "dmem_compiled"
"""Name under which the compiled plain attention is registered with transformers."""
_PARTS = ("RMSNorm", "MLP")


def compile_parts(backbone: PreTrainedModel) -> None:
    """Compile a backbone's norms, feed-forward layers and attention, for any batch size and length.

    Needs a C++ compiler at the first step. Values differ from the plain ones by rounding.

    Args:
        backbone: loaded with plain (`eager`) attention; changed in place.
    """
    # Every layer's parts share their code; each direction, dtype and rank of input is one more form of it.
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, 64)
    for module in backbone.modules():
        if type(module).__name__.endswith(_PARTS):
            module.compile(dynamic=True)
    family = sys.modules[type(backbone).__module__]
    plain: Any = getattr(family, "eager_attention_forward", None)
    if plain is not None and backbone.config._attn_implementation == "eager":
        AttentionInterface.register(ATTENTION, torch.compile(plain, dynamic=True))
        AttentionMaskInterface.register(ATTENTION, eager_mask)
        backbone.set_attn_implementation(ATTENTION)
