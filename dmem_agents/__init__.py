"""dmem-agents."""
