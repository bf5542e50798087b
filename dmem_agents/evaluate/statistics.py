"""How sure a measured number is: shares with Wilson intervals, paired differences with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmem_agents.errors import ConfigError

FloatRows = NDArray[np.float64]

RESAMPLES = 10_000
"""Bootstrap draws; with equal data the interval is the same every time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Hits among n trials. Raises `ConfigError` without a trial, or with more hits than trials."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n or self.n < 1:
            raise ConfigError(f"Expected 0 to n hits among n ≥ 1 trials; got {self.hits} among {self.n}.")

    @property
    def rate(self) -> float:
        """Hits per trial, 0 to 1."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval at 95 %."""
        z, p = 1.959964, self.rate
        spread = z * math.sqrt(p * (1 - p) / self.n + z * z / (4 * self.n**2))
        middle, scale = p + z * z / (2 * self.n), 1 + z * z / self.n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: hits, n, rate and the interval."""
        return {"hits": self.hits, "n": self.n, "rate": self.rate, "wilson_95": list(self.interval)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A number out of a sample, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values: value and interval."""
        return {"value": self.value, "bootstrap_95": [self.low, self.high]}


def bootstrap(statistic: Callable[[FloatRows], float], samples: Sequence[Sequence[float]]) -> Estimate:
    """A statistic with its percentile bootstrap interval at 95 %, over whole rows: what was paired stays paired.

    Args:
        statistic: of rows `[n, columns]`, float64.
        samples: `[n, columns]`, n ≥ 2, one row per episode, paragraph or prompt.

    Raises:
        ConfigError: fewer than two rows.
    """
    rows = np.asarray(samples, dtype=np.float64)
    if len(rows) < 2:
        raise ConfigError(f"Expected at least two rows to estimate an interval from; got {len(rows)}.")
    draws = np.random.default_rng(0)
    found = [statistic(rows[draws.integers(len(rows), size=len(rows))]) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(value=statistic(rows), low=float(low), high=float(high))


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Mean of `first` − `second` over n ≥ 2 pairs, with its bootstrap interval.

    Raises:
        ConfigError: fewer than two pairs, or values without a partner.
    """
    if len(first) != len(second):
        raise ConfigError(f"Expected pairs of values; got {len(first)} and {len(second)}.")
    return bootstrap(lambda rows: float((rows[:, 0] - rows[:, 1]).mean()), list(zip(first, second, strict=True)))
