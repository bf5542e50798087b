from __future__ import annotations

import math
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
import torch
from hypothesis import given, settings, strategies as st

from dmem_agents.errors import StateCorruptError, StateError, StateMismatchError
from dmem_agents.state import (
    MAX_DIGESTS,
    MAX_RECORD_BYTES,
    AgentRecord,
    MemoryState,
    StateLayout,
    decode_record,
    encode_record,
    require_fingerprint,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "record_schema1.msgpack"  # ours, so not in DMEM_GOLDEN
LAYOUT = StateLayout(layers=("model.layers.0.self_attn", "model.layers.1.self_attn"), heads=2, rank=3)


def state(seed: int, layout: StateLayout = LAYOUT) -> MemoryState:
    values = torch.arange(math.prod(layout.shape), dtype=torch.float32).reshape(layout.shape)
    return MemoryState(layout=layout, values=values / 7 - seed)


def golden_record() -> AgentRecord:
    return AgentRecord(
        fingerprint="3f9c" * 16,
        base=state(1),
        head=state(2),
        digests=(bytes(range(16)), bytes(range(16, 32))),
        absorbed=40_000,
        turn_length=1,
        turns=300,
        updated_at=1_732_400_000.125,
    )


def reseal(data: bytes) -> bytes:
    """The bytes with a checksum that fits them: what a buggy or hostile writer could make."""
    return data[:-4] + struct.pack(">I", zlib.crc32(data[:-4]))


def sealed(**changes: object) -> bytes:
    """The golden record with some fields of its map replaced, sealed correctly."""
    fields = msgpack.unpackb(encode_record(golden_record()))
    del fields["crc32"]
    fields.update(changes)
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(fields) + 1)
    for name, value in fields.items():
        packer.pack(name)
        packer.pack(value)
    return reseal(packer.bytes() + msgpack.packb("crc32") + b"\xce" + bytes(4))


@st.composite
def records(draw: st.DrawFn) -> AgentRecord:
    layout = StateLayout(
        layers=tuple(draw(st.lists(st.text(max_size=20), min_size=1, max_size=3))),
        heads=draw(st.integers(1, 3)),
        rank=draw(st.integers(1, 4)),
    )
    size = math.prod(layout.shape)
    floats = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=size, max_size=size)
    base, head = (torch.tensor(draw(floats), dtype=torch.float32).reshape(layout.shape) for _ in range(2))
    digests = tuple(draw(st.lists(st.binary(min_size=16, max_size=16), max_size=5)))
    absorbed = draw(st.integers(len(digests), 2**63 - 1))
    return AgentRecord(
        fingerprint=draw(st.text("0123456789abcdef", min_size=1, max_size=64)),
        base=MemoryState(layout=layout, values=base),
        head=MemoryState(layout=layout, values=head),
        digests=digests,
        absorbed=absorbed,
        turn_length=draw(st.integers(0, absorbed)),
        turns=draw(st.integers(0, 2**63 - 1)),
        updated_at=draw(st.floats(allow_nan=False, allow_infinity=False)),
    )


@settings(deadline=None)
@given(records())
def test_a_record_survives_encoding_and_decoding_unchanged(record: AgentRecord) -> None:
    data = encode_record(record)
    again = decode_record(data, agent_id="a1")
    assert again == record
    assert encode_record(again) == data


def test_signed_zeros_and_subnormal_numbers_keep_their_bits() -> None:
    layout = StateLayout(layers=("x",), heads=1, rank=2)
    values = torch.tensor([-0.0, 1e-45, 3.4028235e38, -1e-38]).reshape(layout.shape)
    record = AgentRecord(
        fingerprint="f", base=MemoryState.zeros(layout), head=MemoryState(layout=layout, values=values)
    )
    head = decode_record(encode_record(record), agent_id="a1").head.values
    assert head.numpy().tobytes() == values.numpy().tobytes()


def test_the_golden_record_of_schema_1_is_read_and_written_to_the_byte() -> None:
    data = GOLDEN.read_bytes()
    assert decode_record(data, agent_id="a1") == golden_record()
    assert encode_record(golden_record()) == data


def test_a_record_is_plain_msgpack_with_raw_little_endian_states() -> None:
    fields = msgpack.unpackb(encode_record(golden_record()))
    assert (list(fields)[:1], list(fields)[-1:]) == (["schema"], ["crc32"])
    assert struct.unpack("<36f", fields["head"]) == tuple(state(2).values.flatten().tolist())


def test_a_record_of_the_embedded_model_is_hardly_larger_than_its_numbers() -> None:
    layout = StateLayout(layers=tuple(f"model.layers.{i}.self_attn" for i in range(30)), heads=4, rank=8)
    record = AgentRecord(
        fingerprint="0" * 64,
        base=MemoryState.zeros(layout),
        head=MemoryState.zeros(layout),
        digests=tuple(bytes(16) for _ in range(40)),
        absorbed=40,
    )
    assert len(encode_record(record)) < 2 * record.head.size_bytes + 2048


def test_every_single_bit_flip_is_refused() -> None:
    data = encode_record(golden_record())
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(StateCorruptError, match="'a1'"):
                decode_record(bytes(flipped), agent_id="a1")


def test_every_truncation_is_refused() -> None:
    data = encode_record(golden_record())
    for length in range(len(data)):
        with pytest.raises(StateCorruptError, match="'a1'"):
            decode_record(data[:length], agent_id="a1")


@pytest.mark.parametrize("appended", [b"\0", b"\xc0", b"crc32", bytes(1000)])
def test_anything_after_the_record_is_refused(appended: bytes) -> None:
    with pytest.raises(StateCorruptError):
        decode_record(encode_record(golden_record()) + appended, agent_id="a1")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutations_behind_a_fitting_checksum_are_refused_or_read_but_never_crash(data: st.DataObject) -> None:
    mutated = bytearray(encode_record(golden_record()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 12))
        end = data.draw(st.integers(at, min(at + 4, len(mutated) - 11)))
        mutated[at:end] = data.draw(st.binary(max_size=6))
    try:
        record = decode_record(reseal(bytes(mutated)), agent_id="a1")
    except (StateCorruptError, StateMismatchError):
        pass
    else:
        assert record.head.layout.shape == record.base.layout.shape


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_foreign_bytes_behind_a_fitting_checksum_are_refused(body: bytes) -> None:
    data = reseal(body + msgpack.packb("crc32") + b"\xce" + bytes(4))
    with pytest.raises((StateCorruptError, StateMismatchError)):
        decode_record(data, agent_id="a1")


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "bfloat16"},
        {"dtype": 32},
        {"fingerprint": ""},
        {"fingerprint": "f" * 257},
        {"fingerprint": b"bytes"},
        {"shape": [2, 2, 3]},
        {"shape": [2, 2, 3, 4]},
        {"shape": [2, 3, 2, 2]},
        {"shape": [0, 2, 3, 3]},
        {"shape": [2, True, 3, 3]},
        {"shape": [2**60, 2**60, 2**60, 2**60]},
        {"layers": ["model.layers.0.self_attn"]},
        {"layers": ["model.layers.0.self_attn", 1]},
        {"layers": "model"},
        {"layers": [[], []]},
        {"absorbed": -1},
        {"absorbed": 1},
        {"absorbed": 2**64 - 1},
        {"absorbed": True},
        {"absorbed": 1.0},
        {"absorbed": {}},
        {"absorbed": msgpack.Timestamp(1, 2)},
        {"absorbed": msgpack.ExtType(5, b"")},
        {"turn_length": 40_001},
        {"turns": None},
        {"updated_at": math.nan},
        {"updated_at": math.inf},
        {"updated_at": 1},
        {"digests": b"short"},
        {"digests": [bytes(16)]},
        {"digests": bytes(16 * (MAX_DIGESTS + 1))},
        {"base": b""},
        {"head": b"x" * 143},
        {"head": "x" * 144},
        {"head": struct.pack("<f", math.nan) * 36},
        {"head": struct.pack("<f", -math.inf) * 36},
        {"schema": 0},
        {"schema": "1"},
        {"extra": 1},
    ],
    ids=lambda changes: "-".join(f"{k}={v!r:.20}" for k, v in changes.items()),
)
def test_a_well_sealed_record_with_a_wrong_field_is_refused(changes: dict[str, object]) -> None:
    assert decode_record(sealed(), agent_id="a1") == golden_record()
    with pytest.raises(StateCorruptError, match="agent 'a1' can't be read"):
        decode_record(sealed(**changes), agent_id="a1")


@pytest.mark.parametrize("claimed", [0x80, 0x8C, 0x8E, 0x8F])
def test_a_record_that_claims_another_number_of_fields_is_refused(claimed: int) -> None:
    data = encode_record(golden_record())
    assert data[0] == 0x8D
    with pytest.raises(StateCorruptError):
        decode_record(reseal(bytes([claimed]) + data[1:]), agent_id="a1")


def test_fields_in_another_order_are_refused() -> None:
    fields = msgpack.unpackb(encode_record(golden_record()))
    fields["base"] = fields.pop("base")
    del fields["crc32"]
    body = msgpack.packb({**fields, "crc32": 0xFFFFFFFF})
    with pytest.raises(StateCorruptError):
        decode_record(reseal(body), agent_id="a1")


def test_a_newer_schema_is_refused_with_advice() -> None:
    with pytest.raises(StateMismatchError, match=r"agent 'a1' has schema 2; .*Upgrade"):
        decode_record(sealed(schema=2, surprise=[1, 2, 3]), agent_id="a1")


def test_an_oversized_record_is_refused_before_it_is_looked_into() -> None:
    huge = bytes(MAX_RECORD_BYTES + 1)
    tracemalloc.start()
    with pytest.raises(StateCorruptError, match=f"{MAX_RECORD_BYTES + 1} bytes"):
        decode_record(huge, agent_id="a1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdf\xff\xff\xff\xff",  # a map of 2³² fields
        b"\x8d\xa6schema\x01\xabfingerprint\xdb\xff\xff\xff\xff",  # a text of 4 GiB
        b"\x8d\xa6schema\x01\xabfingerprint\xc6\xff\xff\xff\xff",  # bytes of 4 GiB
        b"\x8d\xa6schema" + b"\xdd\x00\x00\xff\xff" * 200_000,  # nested lists
        b"\x8d\xa6schema" + b"\x91" * 1_000_000,
        b"\x8d" + b"\xdc\x10\x00" + (b"\xdc\x10\x00" + b"\x90" * 4096) * 400,  # 1.6 million empty lists
    ],
)
def test_a_length_bomb_is_refused_without_the_memory_it_claims(bomb: bytes) -> None:
    data = reseal(bomb + msgpack.packb("crc32") + b"\xce" + bytes(4))
    tracemalloc.start()
    with pytest.raises(StateCorruptError):
        decode_record(data, agent_id="a1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(data) + 200_000


def test_a_state_too_large_for_a_record_is_refused_when_encoding() -> None:
    layout = StateLayout(layers=tuple(map(str, range(64))), heads=32, rank=32)
    zeros = MemoryState.zeros(layout)
    with pytest.raises(StateError, match=f"at most {MAX_RECORD_BYTES} bytes"):
        encode_record(AgentRecord(fingerprint="f", base=zeros, head=zeros))


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_state_that_is_not_finite_makes_no_record(poison: float) -> None:
    bad = torch.zeros(LAYOUT.shape)
    bad[1, 0, 2, 1] = poison
    with pytest.raises(StateError, match="finite"):
        replace(golden_record(), head=MemoryState(layout=LAYOUT, values=bad))
    with pytest.raises(StateError, match="finite"):
        replace(golden_record(), base=MemoryState(layout=LAYOUT, values=bad))


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": ""},
        {"base": MemoryState.zeros(StateLayout(layers=("other", "names"), heads=2, rank=3))},
        {"digests": (b"short",)},
        {"digests": (bytes(16),) * (MAX_DIGESTS + 1)},
        {"absorbed": 1},
        {"turn_length": -1},
        {"turns": -1},
        {"updated_at": math.nan},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_record_out_of_bounds_is_refused_when_made(changes: dict[str, object]) -> None:
    with pytest.raises(StateError):
        replace(golden_record(), **changes)


def test_layer_names_that_could_not_be_read_back_are_refused_when_made() -> None:
    zeros = MemoryState.zeros(StateLayout(layers=("n" * 4097,), heads=1, rank=1))
    with pytest.raises(StateError, match="names"):
        AgentRecord(fingerprint="f", base=zeros, head=zeros)


def test_a_record_opens_only_under_its_own_fingerprint() -> None:
    record = golden_record()
    require_fingerprint(record, record.fingerprint, agent_id="a1")
    with pytest.raises(StateMismatchError) as caught:
        require_fingerprint(record, "77b0" * 16, agent_id="a1")
    for part in ("'a1'", "3f9c3f9c3f9c", "77b077b077b0", "2 layers, 2 heads, rank 3", "start a new agent"):
        assert part in str(caught.value)
