r"""Effective size from the fixation index of a lineage, with an interval.

One generation changes the fixation index by (`genetics.migration`, with a bias term b)

.. math:: F_{t+1} = \frac1n + b + \left(1 - \frac1n\right)(1 - m_t)^2 F_t

so y = F_{t+1} - (1 - m_t)^2 F_t is x / n + b with x = 1 - (1 - m_t)^2 F_t. If x hardly changes, n and b cannot be
separated. So the fit answers two questions: how many samples would lose as much by drift alone (b = 0), and what
remains as a bias if n is known. The errors are the chance in each generation and the error of measurement; both show
in the scatter of y.

The chance of one generation lasts longer than F itself: the part of F that is linear in the deviation from the wild
type shrinks with 1 - m, not with its square, so a deviation e returns in later y as m (1 - m) e, m (1 - m)^2 e and so
on. The interval counts all of these, as if F were linear. That is the worst case (up to twice as wide).

Counted from the founder, h = 1 - (1 - F)/(1 - F_0) with F_0 = 1/n, the same law is h_{t+1} = (1 - m_t)^2 (h_t + (1 -
h_t)/n), so x = (1 - m_t)^2 (1 - h_t): later generations are not charged for a founder that writes more narrowly than
the wild type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from collapse_guard.arguments import above
from collapse_guard.arrays import FloatArray
from collapse_guard.genetics.series import by_generation, checked_shares, confidence, series

FEWEST = 3
"""Generations after the founder that an effective size needs; an interval from fewer steps is too wide to use."""


class Bias(NamedTuple):
    """What a generation adds to F beyond drift; each of the shape of the lineages."""

    value: FloatArray
    """b."""
    low: FloatArray
    """Lower end of its interval; above 0, something other than chance narrows the lineage."""
    high: FloatArray
    """Upper end."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DriftFit:
    """Effective sizes of lineages, and the bias in each generation; each of the shape of the lineages."""

    size: FloatArray
    """n_e: the number of samples with which drift alone would lose as much; infinite if nothing is lost."""
    size_low: FloatArray
    """Lower end of the interval of n_e; at least 1."""
    size_high: FloatArray
    """Upper end; infinite if there is no evidence of drift."""
    bias: Bias | None
    """What a generation adds to F beyond drift of the known number of items; None if that number is not known."""
    level: float
    """Confidence of the intervals."""


def fit_drift(
    fixation: npt.ArrayLike,
    *,
    real_shares: npt.ArrayLike = 0.0,
    reference: Literal["wild_type", "founder"] = "wild_type",
    items: float | None = None,
    level: float = 0.9,
) -> DriftFit:
    r"""Effective size n_e of each lineage by least squares on its steps, with a t interval.

    Unit: drawn items of the kind that F counts (tokens, n-grams, clusters). Collapse: down. An infinite n_e means that
    the lineage loses nothing. Cost: O(lineages * generations).

    Args:
        fixation: [..., generations + 1]: F of the founder and of each generation after it, against one reference.
        real_shares: m: the share of fresh real data that each generation after the founder was trained on; one number,
            or [..., generations].
        reference: What F is counted from: the wild type, where the founder has an F of its own, or the founder, whose F
            is 0.
        items: How many items each generation was trained on, of the kind that F counts, at least 1; None: not known.
        level: Confidence of the intervals, between 0 and 1.

    Raises:
        InputError: Fewer than three generations after the founder, a value that is not finite, or a share outside of
            its range.

    Source: Wright (1931), Genetics 16:97; Nei and Tajima (1981), Genetics 98:625, for an effective size from how much
        changes from one sample to the next.

    Example:
        >>> from collapse_guard.genetics.inbreeding import inbreeding
        >>> fit = fit_drift(inbreeding(range(1, 8), samples=50))
        >>> round(float(fit.size), 6)
        50.0
    """
    values = series("fixation", fixation, fewest=FEWEST)
    retention = by_generation("real_shares", (1.0 - checked_shares("real_shares", real_shares)) ** 2, values)
    y = values[..., 1:] - retention * values[..., :-1]
    x = 1.0 - retention * values[..., :-1] if reference == "wild_type" else retention * (1.0 - values[..., :-1])
    steps, spread = y.shape[-1], (x**2).sum(-1)
    reach = np.asarray(float(stdtrit(steps - 1, 0.5 + 0.5 * confidence(level))) * _persistence(retention))
    some = np.maximum(spread, np.finfo(float).tiny)
    rate = (x * y).sum(-1) / some
    # If nothing was synthetic, no step carries information.
    half = np.where(spread > 0.0, reach * _scatter(y - rate[..., None] * x) / np.sqrt(some), math.inf)
    return DriftFit(
        size=_inverse(rate),
        size_low=_inverse(rate + half),
        size_high=_inverse(rate - half),
        bias=_bias(y, x, reach, items),
        level=level,
    )


def _bias(y: FloatArray, x: FloatArray, reach: FloatArray, items: float | None) -> Bias | None:
    if items is None:
        return None
    beyond = y - x / above("items", items, 0.0)
    value = beyond.mean(-1)
    half = reach * _scatter(beyond - value[..., None]) / math.sqrt(y.shape[-1])
    return Bias(value, value - half, value + half)


def _scatter(residuals: FloatArray) -> FloatArray:
    """Standard deviation of residuals about one fitted number."""
    return np.asarray(np.sqrt((residuals**2).sum(-1) / (residuals.shape[-1] - 1)))


def _persistence(retention: FloatArray) -> FloatArray:
    """How much larger the error of a mean of y is than it would be for independent terms."""
    stay = np.sqrt(retention)
    later, squares = np.zeros(retention.shape[:-1]), np.zeros(retention.shape[:-1])
    for step in reversed(range(retention.shape[-1])):
        squares = squares + (1.0 + later) ** 2
        later = stay[..., step] * (1.0 - stay[..., step] + later)
    return np.asarray(np.sqrt(squares / retention.shape[-1]))


def _inverse(rate: FloatArray) -> FloatArray:
    """1/rate as a size: at least 1, and infinite for a rate that is not positive."""
    with np.errstate(divide="ignore"):
        return np.where(rate > 0.0, np.maximum(1.0, 1.0 / rate), math.inf)
