"""A coverage-guided fuzz target for records, exports and protected records: `python tests/state/fuzz_record.py FOLDER`.

Needs `pip install atheris`; the folder keeps what was found, and gets one good input of each kind to begin with. Takes
libFuzzer's options (`-max_total_time=600`). Any exception that is not ours is a find; the last runs are in
`benchmarks/results/store_fuzz.json`.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import atheris  # type: ignore[import-not-found]  # installed by hand

with atheris.instrument_imports(include=["dmem_agents"]):
    from dmem_agents.errors import DmemError
    from dmem_agents.state import AgentRecord, MemoryState, StateLayout, decode_record, encode_record
    from dmem_agents.store.in_memory import InMemoryStateStore
    from dmem_agents.store.portable import export_agent, import_agent
    from dmem_agents.store.protection import Encryption, KeyRing, Signing

RING = KeyRing({"k": bytes(32)})
TAIL = b"\xa5crc32\xce"


def one_input(data: bytes) -> None:
    """Read the bytes as each kind of record, as they are and behind a fitting checksum; what opens is written again."""
    body = data + TAIL
    for blob in (data, body + struct.pack(">I", zlib.crc32(body))):
        for work in (read_back, import_back, open_signed, open_encrypted):
            try:
                work(blob)
            except DmemError:
                pass


def read_back(blob: bytes) -> None:
    """A record that opens can be written, and is the same when it is read again."""
    record = decode_record(blob, agent_id="a")
    if decode_record(encode_record(record), agent_id="a") != record:
        raise ValueError("A record was read that is another one when it was written.")


def import_back(blob: bytes) -> None:
    """An export that opens holds the agent."""
    store = InMemoryStateStore()
    if store.load(import_agent(store, blob)) is None:
        raise ValueError("An agent was imported and is not there.")


def open_signed(blob: bytes) -> None:
    """A signed record: only with the key could one be made that opens."""
    Signing(RING).open(blob, b"", subject="a")


def open_encrypted(blob: bytes) -> None:
    """An encrypted record: likewise."""
    Encryption(RING).open(blob, b"", subject="a")


def seeds() -> dict[str, bytes]:
    """A small good input of each kind, without its checksum: `one_input` adds one that fits."""
    layout = StateLayout(layers=("a", "b"), heads=1, rank=2)
    state = MemoryState.zeros(layout)
    record = encode_record(AgentRecord(fingerprint="f" * 8, base=state, head=state, digests=(bytes(16),), absorbed=1))
    store = InMemoryStateStore()
    store.commit("agent", record, expected=None)
    kinds = {
        "record": record,
        "export": export_agent(store, "agent"),
        "signed": Signing(RING).protect(record, b""),
        "encrypted": Encryption(RING).protect(record, b""),
    }
    return {name: blob[: -len(TAIL) - 4] for name, blob in kinds.items()}


if __name__ == "__main__":
    for folder in [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")][:1]:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds().items():
            (folder / name).write_bytes(data)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
