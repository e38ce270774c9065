"""Two-sample comparisons of group values: groups of equal size, this generation's against the baseline's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from collapse_guard.comparison.contrast import Contrast, studentised

FEWEST = 5
"""Groups that a comparison needs at least. Groups of copies count as no fewer, so that a model which writes a few texts
again and again is still seen to do so."""


def two_sample_log_ratio(
    *, observed: Sequence[float], reference: Sequence[float], different: tuple[float, float] = (1.0, 1.0)
) -> Contrast:
    r"""Log ratio of two means by a t test that is linear in the means, with unequal variances.

    For a hypothetical log ratio h the contrast mean(x) - e^h mean(y) has expectation 0:

    .. math:: T(h) = \frac{\bar x - e^h \bar y}{\sqrt{s_x^2/n_x + e^{2h} s_y^2/n_y}}

    so the interval (Fieller's) and the p-values are defined where a group mean is 0 and no logarithm could be taken: an
    indicator that fell to nothing. Degrees of freedom by Welch-Satterthwaite at the estimated ratio. O(n).
    Fieller (1954), J. R. Stat. Soc. B 16:175-185; Sasabuchi (1988) for the test.

    Args:
        observed: g: group values of this generation; at least 2.
        reference: h: group values of the baseline, at least 2, with a mean above 0.
        different: Share of the samples of each side that differ from each other: g groups count as g times that.

    Example:
        >>> c = two_sample_log_ratio(observed=[0.9, 1.0, 1.1], reference=[2.0, 2.1, 1.9])
        >>> round(c.effect, 4), round(c.standard_error, 4)
        (-0.6931, 0.0645)
    """
    x, y = np.asarray(observed, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    mean_x, mean_y = float(x.mean()), float(y.mean())
    n_x, n_y = counted(len(x), different[0]), counted(len(y), different[1])
    v_x, v_y = float(x.var(ddof=1)) / n_x, float(y.var(ddof=1)) / n_y

    def statistic(hypothesis: float) -> float:
        ratio = math.exp(hypothesis)
        return studentised(mean_x - ratio * mean_y, math.sqrt(v_x + ratio**2 * v_y))

    ratio = mean_x / mean_y
    return Contrast(
        observed=mean_x,
        reference=mean_y,
        effect=math.log(ratio) if ratio > 0 else -math.inf,
        standard_error=math.sqrt(v_x + ratio**2 * v_y) / mean_x if mean_x > 0 else math.nan,
        degrees_of_freedom=_welch(v_x, n_x, ratio**2 * v_y, n_y),
        statistic=statistic,
        method="ratio of group means t (Fieller, Welch)",
    )


def two_sample_difference(
    *, observed: Sequence[float], reference: Sequence[float], different: tuple[float, float] = (1.0, 1.0)
) -> Contrast:
    r"""Difference of two means by Welch's t test: for numbers that may be 0 or negative, or are logarithms already.

    .. math:: T(h) = \frac{\bar x - \bar y - h}{\sqrt{s_x^2/n_x + s_y^2/n_y}}

    O(n). Welch (1947), Biometrika 34:28.

    Args:
        observed: g: group values of this generation; at least 2.
        reference: h: group values of the baseline, at least 2.
        different: Share of the samples of each side that differ from each other: g groups count as g times that.

    Example:
        >>> c = two_sample_difference(observed=[0.1, 0.2, 0.3], reference=[0.0, 0.0, 0.0])
        >>> round(c.effect, 4), round(c.standard_error, 4), round(c.degrees_of_freedom, 4)
        (0.2, 0.0577, 2.0)
    """
    x, y = np.asarray(observed, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    mean_x, mean_y = float(x.mean()), float(y.mean())
    difference = mean_x - mean_y
    n_x, n_y = counted(len(x), different[0]), counted(len(y), different[1])
    v_x, v_y = float(x.var(ddof=1)) / n_x, float(y.var(ddof=1)) / n_y
    error = math.sqrt(v_x + v_y)
    return Contrast(
        observed=mean_x,
        reference=mean_y,
        effect=difference,
        standard_error=error,
        degrees_of_freedom=_welch(v_x, n_x, v_y, n_y),
        statistic=lambda hypothesis: studentised(difference - hypothesis, error),
        method="difference of group means t (Welch)",
    )


def counted(n: int, different: float) -> float:
    """As how many groups n groups count where samples are copies."""
    return max(min(n, FEWEST), n * different)


def _welch(v_x: float, n_x: float, v_y: float, n_y: float) -> float:
    pooled = v_x**2 / (n_x - 1) + v_y**2 / (n_y - 1)
    return (v_x + v_y) ** 2 / pooled if pooled > 0 else n_x + n_y - 2
