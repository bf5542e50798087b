"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there: an old one stays whole if that fails.

    Raises:
        OSError: it can't be written; nothing is left beside it.
    """
    scratch = path.with_name(path.name + ".part")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
