"""One effect with its uncertainty: its interval, and tests of whether it is beyond or within a margin.

A `Contrast` knows how far the data are from a hypothetical effect, in standard errors (`statistic`); everything else
follows. Interval and p-values invert the same statistic, so they cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from collapse_guard.records import Direction

LARGEST_EFFECT = 50.0


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """An estimated effect: 0 means equal to the baseline, positive means larger."""

    observed: float
    """Mean of this generation's replicates."""
    reference: float
    """Mean of the baseline's."""
    effect: float
    """Log ratio of the two, or their difference; -inf where the observed mean of a ratio is 0."""
    standard_error: float
    """Standard error of the effect (by linearisation for a ratio); NaN if the effect is infinite."""
    degrees_of_freedom: float
    """Degrees of freedom of the t distribution."""
    statistic: Callable[[float], float]
    """Effect under a hypothesis -> standardised distance of the data above it; decreasing."""
    method: str
    """Name of the method."""


def studentised(distance: float, standard_error: float) -> float:
    """Divide, where no spread means certainty: ±inf, and 0 for no distance."""
    if standard_error > 0.0:
        return distance / standard_error
    return math.copysign(math.inf, distance) if distance else 0.0


def p_above(contrast: Contrast, hypothesis: float) -> float:
    """One-sided p-value against "the effect is at most `hypothesis`"."""
    return float(stdtr(contrast.degrees_of_freedom, -contrast.statistic(hypothesis)))


def p_below(contrast: Contrast, hypothesis: float) -> float:
    """One-sided p-value against "the effect is at least `hypothesis`"."""
    return float(stdtr(contrast.degrees_of_freedom, contrast.statistic(hypothesis)))


def beyond(contrast: Contrast, margin: float, direction: Direction) -> float:
    """p-value against "harm is at most the margin"; two-sided harm pays for looking at both sides (Bonferroni)."""
    up, down = p_above(contrast, margin), p_below(contrast, -margin)
    return {Direction.UP: up, Direction.DOWN: down, Direction.BOTH: min(1.0, 2.0 * min(up, down))}[direction]


def within(contrast: Contrast, margin: float, direction: Direction) -> float:
    """p-value against "harm is at least the margin"; two-sided harm takes the larger of two one-sided p (TOST)."""
    below, above = p_below(contrast, margin), p_above(contrast, -margin)
    return {Direction.UP: below, Direction.DOWN: above, Direction.BOTH: max(below, above)}[direction]


def interval(contrast: Contrast, level: float) -> tuple[float, float]:
    """Two-sided confidence interval of the effect: the hypotheses that the statistic does not reject at `level`."""
    critical = float(stdtrit(contrast.degrees_of_freedom, 0.5 + level / 2.0))
    return _effect_at(contrast, critical), _effect_at(contrast, -critical)


def _effect_at(contrast: Contrast, value: float) -> float:
    def gap(hypothesis: float) -> float:
        return max(-1e12, min(1e12, contrast.statistic(hypothesis))) - value

    if gap(-LARGEST_EFFECT) <= 0.0:
        return -math.inf
    if gap(LARGEST_EFFECT) >= 0.0:
        return math.inf
    return float(brentq(gap, -LARGEST_EFFECT, LARGEST_EFFECT, xtol=1e-12))
