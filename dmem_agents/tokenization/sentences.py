"""Where sentences begin, for `sentence_mean` writes (`delta-mem.md` §3). Text only."""

from __future__ import annotations

import re
from itertools import pairwise

_BREAK = re.compile(r"""\n{2,}|(?<=[.!?;:])["')\]”’]*\s+""")


def split_sentences(text: str) -> list[str]:
    """Cut a text into sentences; joined, they are the text again.

    A sentence ends at two or more newlines, and after one of `. ! ? ; :` that whitespace follows, with or
    without closing quotes or brackets between. The separator, quotes and brackets included, opens the next
    sentence, as BPE vocabularies attach a space to the word after it.
    """
    cuts = [0, *(match.start() for match in _BREAK.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if end > start] or [""]
