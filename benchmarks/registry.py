"""The registry of speed cases, and what they share: sides that take turns, and rows with a target.

A case is a function that measures and returns `Result`; `benchmarks.run` runs and writes them, `benchmarks.report`
draws tables and plots from what was written. Everything is measured against something else in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

REPEATS = 7


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    """What was measured, against what."""
    value: float
    """A ratio, or a number in `unit`."""
    target: float | None = None
    """None: measured for information."""
    at: Literal["most", "least"] = "most"
    """Whether the target is an upper or a lower bound."""
    unit: str = "×"
    """Of value and target."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Seconds of each side, sizes, repeats."""

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at == "most" else self.value >= self.target


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a case came to."""

    rows: list[Row]
    series: Mapping[str, Any] = field(default_factory=dict)
    """For plots."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A registered case."""

    run: Callable[[bool], Result]
    """Takes whether it should be quick: fewer repeats and smaller sizes, for a look and not for publishing."""
    about: str
    in_quick: bool


CASES: dict[str, Case] = {}


def case(name: str, *, in_quick: bool = True) -> Callable[[Callable[[bool], Result]], Callable[[bool], Result]]:
    """Register a case under a name."""

    def register(run: Callable[[bool], Result]) -> Callable[[bool], Result]:
        CASES[name] = Case(run=run, about=(run.__doc__ or "").strip().splitlines()[0], in_quick=in_quick)
        return run

    return register


def alternating(
    sides: Mapping[str, Callable[[], object]],
    *,
    repeats: int = REPEATS,
    wait: Callable[[], object] = lambda: None,
) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum seconds of each side, after one call each to warm up.

    The sides take turns, so that all see the same machine. `wait` returns when what was begun is done, before the clock
    starts and before it stops: for a device that works on its own.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for work in sides.values():
        work()
    for _ in range(repeats):
        for name, work in sides.items():
            wait()
            started = time.perf_counter()
            work()
            wait()
            seconds[name].append(time.perf_counter() - started)
    return {name: summary(values) for name, values in seconds.items()}


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds), "repeats": len(seconds)}
