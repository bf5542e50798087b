from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, strategies as st

from dmem_agents.tokenization import split_sentences


def test_sentences_are_cut_as_the_reference_cuts_them(golden: Path) -> None:
    cases = json.loads((golden / "segmentation.json").read_text())["cases"]
    assert cases
    for case in cases:
        assert split_sentences(case["text"]) == case["token_chunks"]


@given(st.text(alphabet="ab.!? \n\t\"')”", max_size=40))
def test_sentences_joined_are_the_text_and_none_is_empty(text: str) -> None:
    sentences = split_sentences(text)
    assert "".join(sentences) == text
    assert all(sentences) or sentences == [""]
