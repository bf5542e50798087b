"""A coverage-guided fuzz target for records, exports and protected records: `python tests/state/fuzz_record.py`.

Needs `pip install atheris`, and takes libFuzzer's options (`-runs=100000`). Any exception that is not ours is a find.
"""

from __future__ import annotations

import struct
import sys
import zlib

import atheris  # type: ignore[import-not-found]  # installed by hand

with atheris.instrument_imports(include=["dmem_agents"]):
    from dmem_agents.errors import DmemError
    from dmem_agents.state import decode_record
    from dmem_agents.store.in_memory import InMemoryStateStore
    from dmem_agents.store.portable import import_agent
    from dmem_agents.store.protection import KeyRing, Signing

RING = KeyRing({"k": bytes(32)})
TAIL = b"\xa5crc32\xce"


def one_input(data: bytes) -> None:
    """Read the bytes as each kind of record, as they are and behind a fitting checksum."""
    body = data + TAIL
    for blob in (data, body + struct.pack(">I", zlib.crc32(body))):
        for work in (
            lambda blob=blob: decode_record(blob, agent_id="a"),
            lambda blob=blob: import_agent(InMemoryStateStore(), blob),
            lambda blob=blob: Signing(RING).open(blob, b"", subject="a"),
        ):
            try:
                work()
            except DmemError:
                pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
