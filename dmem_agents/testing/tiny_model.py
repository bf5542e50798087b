"""A tiny random language model and its tokenizer, built offline in milliseconds, for tests of your own code.

The weights are random, so the text is noise; but every path of a real model is there: RoPE, grouped-query
attention, a chat template, a KV cache. Nothing in the package imports this module.

    from dmem_agents.testing.tiny_model import save_tiny_model, tiny_model, tiny_tokenizer
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from dmem_agents.errors import ConfigError

PAD, TURN_START, TURN_END = "<|pad|>", "<|im_start|>", "<|im_end|>"
_SPECIAL_TOKENS: Final = (PAD, TURN_START, TURN_END)

_CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_CONFIGS: Final[dict[str, Callable[..., PretrainedConfig]]] = {
    "llama": LlamaConfig,
    "mistral": MistralConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "smollm3": SmolLM3Config,
    "phi3": Phi3Config,
}

TINY_FAMILIES: Final = tuple(_CONFIGS)
"""Names `tiny_model` knows. `smollm3` has NoPE layers, `phi3` a packed qkv projection, `qwen2` a qkv bias."""


def tiny_model(
    family: str = "llama",
    *,
    seed: int = 0,
    layers: int = 2,
    hidden_size: int = 32,
    attn_implementation: str = "eager",
    **overrides: Any,
) -> PreTrainedModel:
    """Build a random float32 model on the CPU, in evaluation mode; the caller's random state is left alone.

    Args:
        family: one of `TINY_FAMILIES`.
        seed: equal seeds give equal weights, whatever else ran before.
        layers: number of decoder layers. In `smollm3` every second layer has no position encoding.
        hidden_size: d; four attention heads over two key/value heads, so a multiple of 8.
        attn_implementation: `"eager"` or `"sdpa"`.
        **overrides: further fields of the transformers configuration, e.g. `sliding_window=6`.

    Raises:
        ConfigError: an unknown family.
    """
    if family not in _CONFIGS:
        raise ConfigError(f"Expected a family out of {', '.join(TINY_FAMILIES)}; got {family!r}.")
    fields: dict[str, Any] = {
        "vocab_size": len(_SPECIAL_TOKENS) + 256,
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden_size // 4,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if family == "mistral":
        fields["sliding_window"] = None
    if family == "smollm3":
        fields["no_rope_layers"] = [1 - layer % 2 for layer in range(layers)]
    if family == "phi3":
        fields["original_max_position_embeddings"] = fields["max_position_embeddings"]
    config = _CONFIGS[family](**(fields | overrides))
    build: Callable[..., PreTrainedModel] = AutoModelForCausalLM.from_config
    with torch.random.fork_rng(devices=[]):
        model = build(config, attn_implementation=attn_implementation, dtype=torch.float32)
    _randomise(model, seed)
    model.train(False)
    return model


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Build a tokenizer with one token per UTF-8 byte, so any text survives, and a ChatML-like template.

    Ids: 0 padding, 1 start of a turn, 2 end of a turn (and of a generated answer), then the 256 bytes.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*_SPECIAL_TOKENS, *alphabet))}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    wrap: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=TURN_START,
        eos_token=TURN_END,
        chat_template=_CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def save_tiny_model(folder: str | Path, family: str = "llama", **options: Any) -> Path:
    """Write a tiny model and its tokenizer as a folder that `load_model` opens like any other model.

    Args:
        folder: created when missing; files of the same names are replaced.
        family: as in `tiny_model`.
        **options: the other arguments of `tiny_model`.

    Returns:
        The folder.

    Raises:
        ConfigError: an unknown family.
    """
    target = Path(folder)
    tiny_model(family, **options).save_pretrained(target)
    tiny_tokenizer().save_pretrained(target)
    return target


@torch.no_grad()
def _randomise(model: nn.Module, seed: int) -> None:
    """Weights large enough that attention, norms and biases all show in the logits (0.02 would hide them)."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "embed_tokens" in name:
            parameter.copy_(noise)
        elif parameter.dim() >= 2:
            parameter.copy_(noise * 1.2 / parameter.shape[-1] ** 0.5)
        else:
            parameter.copy_(0.1 * noise + (0.0 if name.endswith("bias") else 1.0))
