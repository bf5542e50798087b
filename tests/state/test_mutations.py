"""Damaged and foreign records: each is refused with one of two errors or read, and none takes memory.

`DMEM_LONG=1` tries 10,000 rather than 600. `fuzz_record.py` beside this is the coverage-guided version.
"""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
import zlib

import msgpack
import pytest
import torch

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import StateCorruptError, StateMismatchError
from dmem_agents.state import AgentRecord, MemoryState, StateLayout, decode_record, encode_record

COUNT = 10_000 if os.environ.get("DMEM_LONG") else 600
LAYOUT = StateLayout(layers=("model.layers.0.self_attn", "model.layers.1.self_attn"), heads=2, rank=4)
WRONG = (None, -1, 2**70 % 2**64, "text", b"", [], [[]] * 50, {}, 1.5, True, "x" * 5000, [2**60] * 4, b"\xff" * 4000)


def record(seed: int) -> bytes:
    generator = torch.Generator().manual_seed(seed)
    base, head = (MemoryState(layout=LAYOUT, values=torch.randn(LAYOUT.shape, generator=generator)) for _ in "bh")
    return encode_record(AgentRecord(fingerprint=f"{seed:064x}", base=base, head=head, absorbed=seed))


def resealed(data: bytes) -> bytes:
    return data[:-4] + struct.pack(">I", zlib.crc32(data[:-4]))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One of: bit flips, a truncation, a length bomb, a field of a wrong type, another schema, two records mixed."""
    kind = chance.randrange(6)
    made = bytearray(data)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del made[chance.randrange(len(made)) :]
    elif kind == 2:
        at = chance.randrange(len(made) - 8)
        made[at : at + 5] = chance.choice([b"\xc6", b"\xdb", b"\xdd", b"\xdf", b"\xc9"]) + b"\xff\xff\xff\xff"
    elif kind == 3:
        fields = msgpack.unpackb(data)
        fields[chance.choice(list(fields))] = chance.choice(WRONG)
        made = bytearray(msgpack.packb(fields))
    elif kind == 4:
        made[8] = chance.choice([0, 2, 3, 127])  # the schema number
    else:
        other = record(chance.randrange(1000))
        at = chance.randrange(min(len(other), len(made)))
        made[at:] = other[at:]
    return resealed(bytes(made)) if chance.random() < 0.7 and len(made) > 4 else bytes(made)


def test_every_mutated_record_is_refused_with_a_typed_error_or_read_and_takes_no_memory() -> None:
    chance = random.Random(6)
    whole = record(7)
    tracemalloc.start()
    outcomes = {"refused": 0, "read": 0}
    for number in range(COUNT):
        data = mutated(whole, chance)
        try:
            again = decode_record(data, agent_id=f"agent {number}")
        except (StateCorruptError, StateMismatchError) as error:
            outcomes["refused"] += f"agent {number}" in str(error)
        else:
            assert encode_record(again) == data
            outcomes["read"] += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcomes["refused"] + outcomes["read"] == COUNT
    assert outcomes["refused"] > COUNT / 2
    assert peak < 2 * MAX_SEALED_BYTES
    print(outcomes, "peak bytes", peak)  # noqa: T201 - for the long run's report


def test_a_newer_schema_is_refused_with_advice_whatever_it_holds() -> None:
    data = bytearray(record(1))
    assert data[1:9] == b"\xa6schema\x01"
    data[8] = 2
    with pytest.raises(StateMismatchError, match="Upgrade"):
        decode_record(resealed(bytes(data)), agent_id="a")
