"""Published data files as the evaluations want them: `train.data` reads the files, `evaluate` knows the protocols."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmem_agents.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dmem_agents.evaluate.likelihood import GoldEpisode
    from dmem_agents.messages import Message

PERSONA_FILE = "synthetic_persona_chat/Synthetic-Persona-Chat_test.csv.gz"
LONGMEMEVAL_FILE = "longmemeval/longmemeval_oracle.json.gz"
HOTPOT_FILE = "hotpotqa/dev_distractor_500.jsonl.gz"
IFEVAL_FILE = "ifeval/input_data.jsonl.gz"
GOLD_SETS = ("persona", "longmemeval")
"""Data sets with gold answers."""

Encode = Callable[[str], list[int]]
"""Plain text to token ids."""


def gold_episodes(name: str, folder: Path, n: int, *, seed: int, most_tokens: int, encode: Encode) -> list[GoldEpisode]:
    """At least two episodes of `persona` or `longmemeval`.

    Args:
        name: the data set.
        folder: of all data sets.
        n: most episodes.
        seed: of the draw.
        most_tokens: of one written message; episodes with a longer one are left out.
        encode: counts them.

    Raises:
        ConfigError: the file is missing or malformed, or has no two usable episodes.
    """
    from dmem_agents.evaluate.real_text import (
        LONGMEMEVAL_COLUMNS,
        PERSONA_COLUMNS,
        longmemeval_episodes,
        persona_episodes,
    )
    from dmem_agents.train.data.real_text import second_person
    from dmem_agents.train.data.text_files import read_json, read_text, with_columns

    limits: dict[str, Any] = {"seed": seed, "count_tokens": lambda text: len(encode(text)), "most_tokens": most_tokens}
    if name == "persona":
        path = folder / PERSONA_FILE
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
        made = persona_episodes(with_columns(path, rows, PERSONA_COLUMNS), n, second_person=second_person, **limits)
    else:
        path = folder / LONGMEMEVAL_FILE
        made = longmemeval_episodes(read_json(path, LONGMEMEVAL_COLUMNS), n, **limits)
    if len(made) < 2:
        raise ConfigError(
            f"Expected at least two usable episodes in {path}, so that there is a stranger; got {len(made)}."
        )
    return made


def plain_texts(folder: Path, n: int, *, most_tokens: int, encode: Encode) -> list[list[int]]:
    """Token ids of up to `n` Wikipedia paragraphs of HotpotQA's dev file, each cut at `most_tokens`."""
    from dmem_agents.evaluate.general import paragraphs
    from dmem_agents.train.data.text_files import read_json_lines

    found = paragraphs(read_json_lines(folder / HOTPOT_FILE, ("context",)), n)
    return [encode(text)[:most_tokens] for text in found]


def ifeval_prompts(folder: Path, n: int) -> list[Mapping[str, Any]]:
    """`n` IFEval prompts, always the same ones."""
    from dmem_agents.evaluate.general import IFEVAL_COLUMNS, fixed_subset
    from dmem_agents.train.data.text_files import read_json_lines

    return fixed_subset(read_json_lines(folder / IFEVAL_FILE, IFEVAL_COLUMNS), n)


def stranger_pasts(n: int, *, seed: int) -> list[Sequence[Message]]:
    """Pasts of `n` people of the test split: six facts among ten turns of small talk each."""
    from dmem_agents.train.data import AgentLife
    from dmem_agents.train.data.cells import CELLS

    cell = next(c for c in CELLS if c.facts == 6)
    return [e.written for e in cell.episodes(AgentLife(split="test"), n, seed=seed)]


def progress(total: int, label: str) -> tuple[Callable[[int], object], Callable[[], object]]:
    """A progress bar on a terminal: how to advance it, and how to end it."""
    import sys

    from tqdm import tqdm

    bar = tqdm(total=total, desc=label, disable=not sys.stderr.isatty(), leave=False)
    return bar.update, bar.close
