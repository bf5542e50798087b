"""docs/store.md names a test for each guarantee; the test is there."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_each_guarantee_names_tests_that_exist() -> None:
    text = (DOCS / "store.md").read_text(encoding="utf-8")
    guarantees = re.split(r"\n(?=[0-9]+\. )", text.partition("## Guarantees")[2].partition("What is **not**")[0])[1:]
    assert len(guarantees) > 20
    for guarantee in guarantees:
        links = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", guarantee)
        assert links, guarantee
        for name, file in links:
            assert f"def {name}(" in (DOCS / file).read_text(encoding="utf-8"), name
