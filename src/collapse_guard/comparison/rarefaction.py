"""Two shares of different samples at an equal number of samples: the larger set is cut to the smaller in expectation.

A share of different samples falls with the number of samples, so 3,000 samples cannot be held against 600 as they are.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from collapse_guard.arrays import FloatArray
from collapse_guard.comparison.contrast import Contrast, studentised
from collapse_guard.records.census import Census, size_of


def rarefied_log_ratio(*, observed: Census, reference: Census, inflated: tuple[float, float] = (1.0, 1.0)) -> Contrast:
    r"""Log ratio of two shares of different samples at the size m of the smaller set.

    Of n samples, content i of which occurs n_i times, a random part of m has in expectation

    .. math:: D(m) = \sum_i \left(1 - \binom{n - n_i}{m} \Big/ \binom{n}{m}\right)

    different ones (Hurlbert's rarefaction), and the share is D(m) / m. Its variance is the jackknife's over samples,
    which is at least the true one in expectation (Efron and Stein) whatever model wrote them, and at least that of one
    copy more or less, so that no share is certain. Where all numbers of copies have a common divisor, a file was given
    that often, and so many copies are one sample. O(k) for k different numbers of copies.

    Source: Hurlbert (1971), Ecology 52:577; Efron and Stein (1981), Ann. Stat. 9:586.

    Args:
        observed: Of this generation: (k, how many different samples there are k times).
        reference: Of the baseline.
        inflated: How many times larger the variance of each side is, because samples are not independent.

    Example:
        >>> c = rarefied_log_ratio(observed=((3, 100),), reference=((1, 300),))
        >>> round(math.exp(c.effect), 4), round(c.standard_error, 4)
        (0.3333, 0.0105)
    """
    m = min(size_of(observed), size_of(reference))
    (x, v_x), (y, v_y) = (_share_and_variance(census, m) for census in (observed, reference))
    v_x, v_y = inflated[0] * v_x, inflated[1] * v_y

    def statistic(hypothesis: float) -> float:
        ratio = math.exp(hypothesis)
        return studentised(x - ratio * y, math.sqrt(v_x + ratio**2 * v_y))

    ratio = x / y
    return Contrast(
        observed=x,
        reference=y,
        effect=math.log(ratio),
        standard_error=math.sqrt(v_x + ratio**2 * v_y) / x,
        degrees_of_freedom=m - 1.0,
        statistic=statistic,
        method=f"ratio of shares at {m:,} samples (rarefaction, jackknife)",
    )


def _share_and_variance(census: Census, m: int) -> tuple[float, float]:
    """D(m) / m, and its variance."""
    times, different = np.array(census, dtype=np.float64).T
    n, given = float(times @ different), math.gcd(*(count for count, _ in census))
    share = float(different @ (1.0 - _missed(times, n, m))) / m
    if m > n - given:
        # Without a sample there is a content less where it was the only one.
        losses = np.where(times == given, 1.0, 0.0)
    else:
        losses = _missed(times - given, n - given, m) - _missed(times, n - given, m)
    units, weights = n / given, times * different / given
    mean = float(weights @ losses) / units
    jackknife = (units - 1.0) / units * float(weights @ (losses - mean) ** 2)
    return share, max(jackknife, 1.0) / m**2


def _missed(times: FloatArray, n: float, m: int) -> FloatArray:
    """C(n - k, m) / C(n, m): the chance that m of n samples have none of those that are there k times."""
    left = n - times - m
    possible = left >= 0.0
    without = gammaln(n - times + 1.0) - gammaln(np.where(possible, left, 0.0) + 1.0)
    of_all = gammaln(n + 1.0) - gammaln(n - m + 1.0)
    return np.where(possible, np.exp(without - of_all), 0.0)
