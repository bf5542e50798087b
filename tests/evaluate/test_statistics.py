"""Intervals against values known from elsewhere."""

from __future__ import annotations

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.statistics import Share, mean_difference


# Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3.
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_published_wilson_interval(hits: int, n: int, low: float, high: float) -> None:
    assert Share(hits=hits, n=n).interval == pytest.approx((low, high), abs=5e-5)


def test_a_full_share_reaches_one_and_an_empty_one_zero() -> None:
    assert Share(hits=7, n=7).interval[1] == pytest.approx(1.0)
    assert Share(hits=0, n=7).interval[0] == 0.0


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_shares_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ConfigError, match="hits among"):
        Share(hits=hits, n=n)


def test_a_paired_difference_ignores_what_both_sides_share() -> None:
    base = [float(i * i) for i in range(40)]
    found = mean_difference([x + 0.5 + 0.1 * (-1) ** i for i, x in enumerate(base)], base)
    assert found.value == pytest.approx(0.5)
    assert 0.45 < found.low < 0.5 < found.high < 0.55
    assert found.excludes_zero


def test_a_bootstrap_interval_is_near_the_one_of_a_normal_sample() -> None:
    values = [-1.0, 1.0] * 50
    found = mean_difference(values, [0.0] * 100)
    assert (found.low, found.high) == pytest.approx((-0.196, 0.196), abs=0.02)
    assert not found.excludes_zero


def test_intervals_are_the_same_every_time() -> None:
    pairs = [0.1, 0.4, -0.2, 0.9], [0.0, 0.3, 0.1, 0.2]
    assert mean_difference(*pairs) == mean_difference(*pairs)


def test_single_or_unpaired_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least two rows"):
        mean_difference([1.0], [2.0])
    with pytest.raises(ConfigError, match="got 2 and 1"):
        mean_difference([1.0, 2.0], [2.0])
