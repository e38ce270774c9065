"""The trend of a lineage over generations: a slope that describes it, without a p-value.

Generations are chained: each is trained on what the one before wrote, so chance errors add up, and a lineage without
any systematic change is a random walk. Trend tests take the values of a chain as exchangeable where there is no trend.
On random walks of 5, 10 and 20 values Mann-Kendall's one-sided test at 5% finds one in 17, 27 and 37% of cases, and
Page's test on several such chains in 11 to 18% (`tests/comparison/test_trend.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
    # It takes half a second to load, and most lineages are too short for a trend.
    from scipy import stats

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
