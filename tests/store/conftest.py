"""What the store tests share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder_in_memory() -> Iterator[Path]:
    """A folder that spares waiting for a disk, where the system can: a killed process loses nothing there either."""
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as name:
        yield Path(name)
