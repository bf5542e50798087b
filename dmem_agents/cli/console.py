"""How text reaches a terminal or a pipe: consoles, tables, sizes, and ids that may hold any character."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from unicodedata import category

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 120
"""Columns of a table that goes into a pipe or a file."""

_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def console() -> Console:
    """A console on the current stdout: coloured on a terminal, plain in a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """Print a table of plain texts on stdout: framed on a terminal, bare columns in a pipe.

    Args:
        title: stands above it.
        columns: headings.
        rows: one text per column; nothing in it is read as markup.
        right: the columns whose cells are numbers, set flush right.
    """
    target = console()
    frame = box.ROUNDED if target.is_terminal else None
    made = Table(box=frame, title=Text(title), title_justify="left", pad_edge=frame is not None)
    for name in columns:
        made.add_column(Text(name), justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    target.print(made)


def printable(text: str, *, limit: int = 200) -> str:
    """The text on one line, control characters escaped, cut at `limit` characters."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def safe_lines(text: str) -> str:
    """An answer's text as a terminal may show it: line ends and tabs stay, other control characters go.

    So do lone surrogates and the characters that turn the direction of the text around them.
    """
    return "".join(c for c in text if c in "\n\t" or not (category(c) in ("Cc", "Cs") or c in _TURNING))


def size(size_bytes: int) -> str:
    """A number of bytes for people: `30.0 KiB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    if size_bytes < 1024**2:
        return f"{size_bytes / 1024:.1f} KiB"
    return f"{size_bytes / 1024**2:.1f} MiB"


def moment(seconds: float) -> str:
    """Seconds since 1970 as local date and time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
