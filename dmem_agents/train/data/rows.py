"""Reading the written tables: one phrase per line, or values separated by semicolons."""

from __future__ import annotations


def rows(text: str) -> tuple[str, ...]:
    """Values separated by semicolons or line ends, stripped, in order, each once."""
    return tuple(dict.fromkeys(v for part in text.replace("\n", " ").split(";") if (v := " ".join(part.split()))))


def lines(text: str) -> tuple[str, ...]:
    """One phrase per line, stripped, in order, each once."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
