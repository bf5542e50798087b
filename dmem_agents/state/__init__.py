"""An agent's state as a value (`memory_state`) and its record as bytes (`codec`)."""

from __future__ import annotations

from dmem_agents.state.codec import (
    DIGEST_BYTES,
    MAX_DIGESTS,
    MAX_RECORD_BYTES,
    SCHEMA,
    AgentRecord,
    decode_record,
    encode_record,
    require_fingerprint,
)
from dmem_agents.state.memory_state import MemoryState, StateLayout, stack

__all__ = [
    "MemoryState",
    "StateLayout",
    "stack",
    "AgentRecord",
    "decode_record",
    "encode_record",
    "require_fingerprint",
    "DIGEST_BYTES",
    "MAX_DIGESTS",
    "MAX_RECORD_BYTES",
    "SCHEMA",
]
