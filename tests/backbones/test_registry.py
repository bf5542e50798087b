"""Which backbones and layers can carry a memory, and what is said about those that can't."""

from __future__ import annotations

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

from dmem_agents.backbones import attention_sites, supported_families
from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.testing.tiny_model import TINY_FAMILIES, tiny_model


def test_every_family_that_is_supported_has_a_tiny_model_to_test_it_with() -> None:
    assert set(supported_families()) == set(TINY_FAMILIES)


def test_layers_come_in_forward_order_even_past_ten() -> None:
    sites = attention_sites(tiny_model("llama", layers=12, hidden_size=16), DeltaMemConfig())
    assert [site.path for site in sites] == [f"model.layers.{index}.self_attn" for index in range(12)]


def test_target_layers_choose_and_are_reported_in_forward_order() -> None:
    sites = attention_sites(tiny_model("llama", layers=4), DeltaMemConfig(target_layers=(3, 1)))
    assert [site.path for site in sites] == ["model.layers.1.self_attn", "model.layers.3.self_attn"]


def test_a_layer_that_is_not_there_is_named_with_the_range() -> None:
    with pytest.raises(ConfigError, match=r"7") as caught:
        attention_sites(tiny_model("llama", layers=2), DeltaMemConfig(target_layers=(0, 7)))
    assert "1" in str(caught.value)


def test_a_backbone_without_such_modules_is_refused_with_their_name() -> None:
    with pytest.raises(ConfigError, match="cross_attn"):
        attention_sites(tiny_model("llama"), DeltaMemConfig(target_modules=("cross_attn",)))


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    backbone = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=16, n_positions=16))
    with pytest.raises(ConfigError, match="gpt2") as caught:
        attention_sites(backbone, DeltaMemConfig())
    assert all(family in str(caught.value) for family in TINY_FAMILIES)
