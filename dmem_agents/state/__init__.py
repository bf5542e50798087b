"""The agent's state as a value, and its bytes."""
