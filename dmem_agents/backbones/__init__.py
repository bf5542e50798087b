"""The only place that knows model families: where their projections are, and what their masks mean."""

from dmem_agents.backbones.masks import as_additive, valid_tokens
from dmem_agents.backbones.registry import AttentionSite, attention_sites, supported_families

__all__ = ["AttentionSite", "as_additive", "attention_sites", "supported_families", "valid_tokens"]
