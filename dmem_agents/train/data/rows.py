"""Reading the written tables: one phrase per line, or values separated by semicolons."""

from __future__ import annotations

from dmem_agents.train.data.splits import Split


def rows(text: str) -> tuple[str, ...]:
    """Values separated by semicolons or line ends, stripped, in order, each once."""
    return tuple(dict.fromkeys(v for part in text.replace("\n", " ").split(";") if (v := " ".join(part.split()))))


def lines(text: str) -> tuple[str, ...]:
    """One phrase per line, stripped, in order, each once."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


class Phrases:
    """Lines seen in training and lines kept for validation (the first half) and test (the rest)."""

    def __init__(self, train: str, held: str) -> None:
        """Take one phrase per line."""
        kept = lines(held)
        cut = len(kept) // 2
        self._by_split: dict[Split, tuple[str, ...]] = {
            "train": lines(train),
            "validation": kept[:cut],
            "test": kept[cut:],
        }

    def of(self, split: Split) -> tuple[str, ...]:
        """The phrases of one split."""
        return self._by_split[split]
