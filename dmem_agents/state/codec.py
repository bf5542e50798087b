"""An agent's record as bytes and back: msgpack with base and head as raw float32, sealed with a CRC-32.

Knows what a record holds; knows nothing of stores, models or messages. Nothing in a record is executable, and
nothing is cast, filled in or repaired: a record is read exactly as it was written, or refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from dmem_agents.envelope import MAX_INTEGER, MAX_SEALED_BYTES, SealedReader, seal
from dmem_agents.errors import StateError, StateMismatchError
from dmem_agents.state.memory_state import MemoryState, StateLayout

SCHEMA: Final = 1
"""Schema number of the records this version writes."""

MAX_RECORD_BYTES: Final = MAX_SEALED_BYTES
"""A record larger than this (16 MiB) is neither written nor read."""

MAX_DIGESTS: Final = 512
"""How many message digests a record keeps: the last ones."""

DIGEST_BYTES: Final = 16
"""Size of one message digest, as `Message.digest` makes them."""

_DTYPE = "float32"
_WIRE_FLOAT = np.dtype("<f4")
_MAX_FINGERPRINT_BYTES = 256
_MAX_LAYERS = 4096
_MAX_LAYER_NAME_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRecord:
    """What the store keeps for one agent.

    Raises:
        StateError: a field is out of its bounds, the layouts of base and head differ, or a state holds a
            number that is not finite.
    """

    fingerprint: str
    """Identity of backbone, adapter and layout (hex). The states open only under this one."""
    base: MemoryState
    """State before the current turn."""
    head: MemoryState
    """State after the last processed token."""
    digests: tuple[bytes, ...] = ()
    """16 bytes for each of the last absorbed messages, oldest first; at most `MAX_DIGESTS`."""
    absorbed: int = 0
    """Messages absorbed in all, so never fewer than there are digests."""
    turn_length: int = 0
    """How many of the last absorbed messages are in head but not in base."""
    turns: int = 0
    """Turns committed."""
    updated_at: float = 0.0
    """When this record was made, in seconds since 1970 (UTC)."""

    def __post_init__(self) -> None:
        if not self.fingerprint or len(self.fingerprint.encode()) > _MAX_FINGERPRINT_BYTES:
            raise StateError(f"Expected a fingerprint of 1 to {_MAX_FINGERPRINT_BYTES} bytes.")
        if self.base.layout != self.head.layout:
            raise StateError("Expected base and head of one layout; theirs differ in shape or layer names.")
        if min(self.base.layout.shape) < 1:
            raise StateError(f"Expected a state that is not empty, got {list(self.base.layout.shape)}.")
        layers = self.base.layout.layers
        if len(layers) > _MAX_LAYERS or any(len(name.encode()) > _MAX_LAYER_NAME_BYTES for name in layers):
            raise StateError(
                f"Expected at most {_MAX_LAYERS} layers with names of at most {_MAX_LAYER_NAME_BYTES} bytes."
            )
        for name, state in (("base", self.base), ("head", self.head)):
            if not bool(torch.isfinite(state.values).all()):
                raise StateError(
                    f"Expected finite numbers in the {name} state, got NaN or infinity. "
                    "Nothing was stored; the turn that computed them has to be repeated or left out."
                )
        if len(self.digests) > MAX_DIGESTS or any(len(digest) != DIGEST_BYTES for digest in self.digests):
            raise StateError(f"Expected at most {MAX_DIGESTS} digests of {DIGEST_BYTES} bytes each.")
        if not len(self.digests) <= self.absorbed <= MAX_INTEGER:
            raise StateError(f"Expected at least {len(self.digests)} absorbed messages, got {self.absorbed}.")
        if not 0 <= self.turn_length <= self.absorbed:
            raise StateError(f"Expected a turn of 0 to {self.absorbed} messages, got {self.turn_length}.")
        if not 0 <= self.turns <= MAX_INTEGER:
            raise StateError(f"Expected a count of turns from 0 on, got {self.turns}.")
        if not math.isfinite(self.updated_at):
            raise StateError(f"Expected a finite time in seconds, got {self.updated_at}.")


def encode_record(record: AgentRecord) -> bytes:
    """The record as bytes of schema 1: equal records give equal bytes.

    Raises:
        StateError: the record would be larger than `MAX_RECORD_BYTES`.
    """
    layout = record.base.layout
    data = seal(
        [
            ("schema", SCHEMA),
            ("fingerprint", record.fingerprint),
            ("dtype", _DTYPE),
            ("shape", list(layout.shape)),
            ("layers", list(layout.layers)),
            ("absorbed", int(record.absorbed)),
            ("turn_length", int(record.turn_length)),
            ("turns", int(record.turns)),
            ("updated_at", float(record.updated_at)),
            ("digests", b"".join(record.digests)),
            ("base", _state_bytes(record.base)),
            ("head", _state_bytes(record.head)),
        ]
    )
    if len(data) > MAX_RECORD_BYTES:
        raise StateError(
            f"Expected a record of at most {MAX_RECORD_BYTES} bytes, this one has {len(data)} "
            f"(state {list(layout.shape)} [layers, heads, rank, rank], twice). "
            "Use an adapter with fewer layers or heads, or a lower rank."
        )
    return data


def decode_record(data: bytes, *, agent_id: str) -> AgentRecord:
    """The record in these bytes. It is not yet known to fit the model: see `require_fingerprint`.

    Args:
        data: what `encode_record` made, of this schema.
        agent_id: whose record it is, for errors.

    Raises:
        StateCorruptError: the bytes are damaged, foreign or too large.
        StateMismatchError: a newer version of this library wrote them.
    """
    reader = SealedReader(data, subject=f"Record of agent {agent_id!r}", max_bytes=MAX_RECORD_BYTES)
    schema = reader.integer("schema", low=1)
    if schema != SCHEMA:
        raise StateMismatchError(
            f"Record of agent {agent_id!r} has schema {schema}; this version of dmem-agents reads {SCHEMA}. "
            "Upgrade dmem-agents to the version that wrote it. The record was left as it is."
        )
    fingerprint = reader.text("fingerprint", max_bytes=_MAX_FINGERPRINT_BYTES)
    if (dtype := reader.text("dtype")) != _DTYPE:
        raise reader.damaged(f"expected states in {_DTYPE}, it says {dtype!r}")
    layout = _read_layout(reader)
    absorbed = reader.integer("absorbed")
    turn_length = reader.integer("turn_length")
    turns = reader.integer("turns")
    updated_at = reader.number("updated_at")
    digests = _split_digests(reader, reader.binary("digests"))
    base = _read_state(reader, "base", layout)
    head = _read_state(reader, "head", layout)
    reader.finish()
    try:
        return AgentRecord(
            fingerprint=fingerprint,
            base=base,
            head=head,
            digests=digests,
            absorbed=absorbed,
            turn_length=turn_length,
            turns=turns,
            updated_at=updated_at,
        )
    except StateError as error:
        raise reader.damaged(str(error)) from error


def require_fingerprint(record: AgentRecord, expected: str, *, agent_id: str) -> None:
    """Checks that the record was written under the model that wants to open it.

    Raises:
        StateMismatchError: it was written under another backbone, adapter or layout.
    """
    if record.fingerprint == expected:
        return
    layers, heads, rank, _ = record.base.layout.shape
    raise StateMismatchError(
        f"State of agent {agent_id!r} was written under model and adapter {record.fingerprint[:12]} "
        f"({layers} layers, {heads} heads, rank {rank}); this model is {expected[:12]}. "
        "Load that backbone and adapter, or start a new agent. The record was left as it is."
    )


def _state_bytes(state: MemoryState) -> bytes:
    return state.values.numpy().astype(_WIRE_FLOAT, copy=False).tobytes()


def _read_layout(reader: SealedReader) -> StateLayout:
    count, heads, rank, columns = reader.integers("shape", count=4, low=1, high=MAX_RECORD_BYTES)
    layers = reader.texts("layers", max_items=_MAX_LAYERS, max_bytes=_MAX_LAYER_NAME_BYTES)
    if len(layers) != count or rank != columns:
        raise reader.damaged(f"shape [{count}, {heads}, {rank}, {columns}] does not fit {len(layers)} layers")
    return StateLayout(layers=layers, heads=heads, rank=rank)


def _read_state(reader: SealedReader, name: str, layout: StateLayout) -> MemoryState:
    raw = reader.binary(name)
    expected_bytes = math.prod(layout.shape) * _WIRE_FLOAT.itemsize
    if len(raw) != expected_bytes:
        raise reader.damaged(f"expected {expected_bytes} bytes in `{name}`, got {len(raw)}")
    values = np.frombuffer(raw, _WIRE_FLOAT).astype(np.float32).reshape(layout.shape)
    return MemoryState(layout=layout, values=torch.from_numpy(values))


def _split_digests(reader: SealedReader, joined: bytes) -> tuple[bytes, ...]:
    if len(joined) % DIGEST_BYTES:
        raise reader.damaged(f"expected digests of {DIGEST_BYTES} bytes each, got {len(joined)} bytes in all")
    return tuple(joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES))
