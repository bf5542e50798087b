"""Sealed bytes: a msgpack map with a fixed field order and a CRC-32 over everything as its last field.

Agent records (`state.codec`) and exported agents (`store.portable`) are both written this way. Reading is
strict and bounded: size and checksum are checked before anything is parsed, and containers are read only
where a list is expected, never longer than its bounds. Knows nothing of what the fields mean.

Every later schema keeps this frame: a map, `schema` as its first field, and the checksum as its last.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import msgpack  # type: ignore[import-untyped]  # it ships no types

from dmem_agents.errors import StateCorruptError

MAX_SEALED_BYTES: Final = 16 * 1024 * 1024
"""No sealed map is larger, in bytes. Two states of 64 layers, 32 heads and rank 16 need a quarter."""

MAX_INTEGER: Final = 2**63 - 1
"""The largest counter, so that every language and store can hold it."""

_TAIL = msgpack.packb("crc32") + b"\xce"  # the last key, then uint32 in its full form
_TAIL_BYTES = len(_TAIL) + 4
_MAX_ITEMS = 65_536
# First bytes of msgpack's arrays, maps and extensions: never the value of a field read as a scalar.
_CONTAINERS = frozenset([*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)])


def seal(fields: Sequence[tuple[str, object]]) -> bytes:
    """The fields in this order as one msgpack map, with `crc32` added at the end.

    Args:
        fields: names and values; integers, floats, text, bytes, and flat lists of them.
    """
    packer = msgpack.Packer(use_bin_type=True, autoreset=False)
    packer.pack_map_header(len(fields) + 1)
    for name, value in fields:
        packer.pack(name)
        packer.pack(value)
    body: bytes = packer.bytes() + _TAIL
    return body + struct.pack(">I", zlib.crc32(body))


class SealedReader:
    """Reads the fields of a sealed map in their order, each once, with its type and bounds.

    Args:
        data: the sealed bytes.
        subject: what the bytes are, for errors: "Record of agent 'a1'".
        max_bytes: refuse larger input before looking into it.

    Raises:
        StateCorruptError: here and in every method: the bytes are damaged, foreign or too large.
    """

    def __init__(self, data: bytes, *, subject: str, max_bytes: int = MAX_SEALED_BYTES) -> None:
        self._subject = subject
        self._data = data
        if len(data) > max_bytes:
            raise self.damaged(f"it has {len(data)} bytes, more than the limit of {max_bytes}")
        if data[-_TAIL_BYTES:-4] != _TAIL:
            raise self.damaged("it is truncated, or not something that dmem-agents wrote")
        if zlib.crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "big"):
            raise self.damaged("its checksum does not match its content")
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=max(1, len(data)), max_array_len=_MAX_ITEMS, max_map_len=_MAX_ITEMS, max_ext_len=0
        )
        self._unpacker.feed(data)
        try:
            self._left = self._unpacker.read_map_header()
        except (ValueError, msgpack.UnpackException) as error:
            raise self.damaged("it is not a msgpack map") from error

    def damaged(self, what: str) -> StateCorruptError:
        """The error for these bytes; also for what only the caller can see is wrong with them."""
        return StateCorruptError(
            f"{self._subject} can't be read: {what}. The bytes were left as they are. "
            "Restore a backup of them, or forget the agent and start anew."
        )

    def integer(self, name: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
        """An integer from low to high, both included."""
        self._key(name)
        return self._integer(name, low, high)

    def number(self, name: str) -> float:
        """A finite float64."""
        self._key(name)
        value = self._scalar(name)
        if type(value) is not float or not math.isfinite(value):
            raise self.damaged(f"expected `{name}` as a finite float, got `{type(value).__name__}`")
        return value

    def text(self, name: str, *, max_bytes: int = 4096) -> str:
        """Text of at most `max_bytes` in UTF-8."""
        self._key(name)
        return self._text(name, max_bytes)

    def binary(self, name: str) -> bytes:
        """Raw bytes."""
        self._key(name)
        value = self._scalar(name)
        if type(value) is not bytes:
            raise self.damaged(f"expected `{name}` as bytes, got `{type(value).__name__}`")
        return value

    def integers(self, name: str, *, count: int, low: int, high: int) -> tuple[int, ...]:
        """Exactly `count` integers from low to high."""
        if (items := self._items(name)) != count:
            raise self.damaged(f"expected {count} numbers in `{name}`, got {items}")
        return tuple(self._integer(name, low, high) for _ in range(count))

    def texts(self, name: str, *, max_items: int, max_bytes: int = 4096) -> tuple[str, ...]:
        """At most `max_items` texts of at most `max_bytes` each in UTF-8."""
        if (items := self._items(name)) > max_items:
            raise self.damaged(f"expected at most {max_items} texts in `{name}`, got {items}")
        return tuple(self._text(name, max_bytes) for _ in range(items))

    def finish(self) -> None:
        """Checks that nothing but the checksum is left."""
        if self._left != 1 or self._unpacker.tell() != len(self._data) - _TAIL_BYTES:
            raise self.damaged("it has fields that this schema does not know")

    def _key(self, name: str) -> None:
        self._left -= 1
        if self._left < 1 or self._scalar(name) != name:
            raise self.damaged(f"expected the field `{name}`, found another or none")

    def _items(self, name: str) -> int:
        self._key(name)
        try:
            return int(self._unpacker.read_array_header())
        except (ValueError, msgpack.UnpackException) as error:
            raise self.damaged(f"expected `{name}` as a list") from error

    def _scalar(self, name: str) -> object:
        position = self._unpacker.tell()
        if not _CONTAINERS.isdisjoint(self._data[position : position + 1]):
            raise self.damaged(f"expected a single value at `{name}`, found a container")
        try:
            value: object = self._unpacker.unpack()
        except (ValueError, msgpack.UnpackException) as error:
            raise self.damaged(f"the value at `{name}` is not valid msgpack") from error
        return value

    def _integer(self, name: str, low: int, high: int) -> int:
        value = self._scalar(name)
        if type(value) is not int or not low <= value <= high:
            raise self.damaged(f"expected `{name}` as an integer from {low} to {high}")
        return value

    def _text(self, name: str, max_bytes: int) -> str:
        value = self._scalar(name)
        if type(value) is not str or len(value.encode()) > max_bytes:
            raise self.damaged(f"expected `{name}` as text of at most {max_bytes} bytes")
        return value
