"""The delta-rule recurrence of δ-mem (arXiv 2605.12357), in torch alone. See README.md for the equations."""

from dmem_agents.delta_rule.scan import scan

__all__ = ["scan"]
