"""The golden files are the ones that were recorded: added, never edited."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import Any

import pytest


def test_every_file_has_the_recorded_digest(golden: Any) -> None:
    for name, recorded in golden.manifest["files"].items():
        digest = recorded["sha256"] if isinstance(recorded, dict) else recorded
        assert hashlib.sha256((golden.folder / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.skipif(bool(os.environ.get("DMEM_GOLDEN")), reason="counts of the copy in this repository only")
def test_the_copy_beside_this_file_is_complete(golden: Any) -> None:
    kinds = Counter(case["kind"] for case in golden.manifest["cases"])
    assert kinds == {
        "forward": 60, "trace": 2, "scan": 7, "init": 6, "train": 8, "session": 4, "adapter": 1, "json": 3,
    }  # fmt: skip
    assert sum(case["dtype"] == "float32" for case in golden.cases("forward")) == 59
