"""Trends over generations: a slope that describes one lineage, and a test where there are several.

Generations are chained: each is trained on what the one before wrote, so chance errors add up, and a lineage without
any systematic change is a random walk. Trend tests take the values of a chain as exchangeable where there is no trend.
On random walks of 5, 10 and 20 values Mann-Kendall's one-sided test at 5% finds one in 17, 27 and 37% of cases, and
Page's test on several such chains in 11 to 18% (`tests/comparison/test_trend.py`). So one lineage gets a slope without
a p-value, and several independent ones are the replicates of a t test, each with one slope: 4.7 to 5.7%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from collapse_guard.comparison.contrast import studentised
from collapse_guard.errors import InputError

FEWEST_CHAINS = 3


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Change per generation of one lineage: a description; no verdict rests on it."""

    slope: float
    """Median of the slopes between all pairs of generations, in the unit of the values."""
    low: float
    """Lower end of the 95% interval that would hold if generations were independent; for chained ones too narrow."""
    high: float
    """Upper end of the same."""
    n: int
    """How many generations had a value."""


def theil_sen(values: Sequence[float]) -> Trend:
    r"""Theil-Sen slope per generation: robust, so that one odd generation does not make a trend.

    .. math:: \mathrm{median}_{s<t} \frac{v_t - v_s}{t - s}

    Undefined (all NaN) with fewer than 2 values, and where a value is infinite. O(n^2). Theil (1950); Sen (1968), J.
    Am. Stat. Assoc. 63:1379-1389, also for the interval.

    Args:
        values: n: one for each generation, oldest first; NaN where a generation has none, which keeps its place.

    Example:
        >>> trend = theil_sen([20, 22.1, 21.8, 23, 24.5, 24.2, 26, 27.1, 28])
        >>> round(trend.slope, 3), round(trend.low, 3), round(trend.high, 3), trend.n
        (1.0, 0.8, 1.1, 9)
    """
    v = np.asarray(values, dtype=np.float64)
    generations = np.flatnonzero(~np.isnan(v))
    n = len(generations)
    if n < 2 or np.isinf(v).any():
        return Trend(slope=math.nan, low=math.nan, high=math.nan, n=n)
    fit = stats.theilslopes(v[generations], generations, alpha=0.95)
    return Trend(slope=float(fit.slope), low=float(fit.low_slope), high=float(fit.high_slope), n=n)


def generations_until(level: float, newest: float, slope: float) -> float:
    """How many more generations at this slope until a value rises to a level; for falls change all three signs.

    Args:
        level: Such as the margin.
        newest: Value of the newest generation, such as its harm.
        slope: Change per generation.

    Returns:
        A number of generations, not rounded: 0 if the level is reached, infinity if it never is at this slope, NaN if
        an argument is NaN.

    Example:
        >>> generations_until(0.1, newest=0.04, slope=0.02), generations_until(0.1, newest=0.04, slope=-0.01)
        (3.0, inf)
    """
    if math.isnan(level) or math.isnan(newest) or math.isnan(slope):
        return math.nan
    if newest >= level:
        return 0.0
    return (level - newest) / slope if slope > 0.0 else math.inf


def slope_across_chains(chains: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean slope of independent lineages, and a one-sided p-value against "their expected slope is at most 0".

    Each chain gives one Theil-Sen slope; slopes of independent chains are independent, whatever happens within, so a t
    test of them holds for random walks too. Lineages of one founder are not independent: what they share does not show.
    O(m n^2).

    Args:
        chains: m times n: values of a lineage over generations; m is at least 3. Lengths may differ: slopes then have
            different spreads, which a t test bears as long as lengths are not too different.

    Returns:
        Mean slope, and p in [0, 1]. Both are NaN where a chain has no slope (`theil_sen`).

    Raises:
        InputError: There are fewer than 3 chains.

    Example:
        >>> slope, p = slope_across_chains([[0.0, 0.1, 0.2, 0.4], [0.0, 0.2, 0.2, 0.3], [0.1, 0.1, 0.3, 0.3]])
        >>> round(slope, 3), round(p, 3)
        (0.1, 0.005)
    """
    if len(chains) < FEWEST_CHAINS:
        raise InputError(
            f"`chains` must be at least {FEWEST_CHAINS} independent lineages, but got {len(chains)}: "
            "describe one lineage by `theil_sen`"
        )
    slopes = np.array([theil_sen(chain).slope for chain in chains])
    mean = float(slopes.mean())
    statistic = studentised(mean, float(slopes.std(ddof=1)) / math.sqrt(len(slopes)))
    return mean, math.nan if math.isnan(mean) else float(stats.t.sf(statistic, len(slopes) - 1))
