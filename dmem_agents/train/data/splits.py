"""Which split a value or a person belongs to: decided by its spelling alone, the same on every machine."""

from __future__ import annotations

import zlib
from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def split_of(text: str) -> Split:
    """80 % train, 10 % validation, 10 % test, by CRC-32 of the lower-cased text."""
    bucket = zlib.crc32(text.lower().encode()) % 10
    if bucket == 0:
        return "validation"
    return "test" if bucket == 1 else "train"
