"""Control of the real share from generation to generation: pure laws, whose only memory is the lineage.

Integrals are computed again from the recorded generations, so anyone can repeat a decision from the store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from collapse_guard.decision.policy import Reinjection
from collapse_guard.genetics.migration import needed_share
from collapse_guard.records import Comparison, Direction

PULL, GAIN = 0.6, 0.15
"""Exponents of the current error and of the sum of errors: small, since a generation drifts by chance."""
_FAR = 0.3
"""Largest error that counts in the sum: a larger one, on the way to the target, says little about n_e."""
MOST_STEPS = 4.0
"""Largest number of steps that evidence of harm raises the share by, unless more is known to be needed."""


class Observation(NamedTuple):
    """A generation, as the control of the fixation index sees it."""

    share: float
    """Real share that it was trained on."""
    fixation: float
    """Its fixation index: the bad end of the interval."""


def raise_share(share: float, comparisons: Sequence[Comparison], rule: Reinjection) -> float:
    """Share after evidence of harm: up by `release` times the bad end in units of its watch level, between 1 and 4.

    The bad end belongs to the interval of the deciding indicator with the most harm in units of its watch level.
    Called on every generation that shows harm, it is an integral; it stops at 1.

    Example:
        >>> raise_share(0.3, [], Reinjection())
        0.35
    """
    return min(1.0, share + rule.release * min(MOST_STEPS, max(1.0, worst_end(comparisons)[0])))


def worst_end(comparisons: Iterable[Comparison]) -> tuple[float, Comparison | None]:
    """The largest bad end of a deciding interval in units of its watch level, and its comparison."""
    ends = [(_bad_end(comparison) / comparison.watch, comparison) for comparison in comparisons if comparison.decides]
    return max(ends, key=lambda end: end[0], default=(0.0, None))


def _bad_end(comparison: Comparison) -> float:
    if comparison.direction is Direction.BOTH:
        return max(abs(comparison.low), abs(comparison.high))
    return comparison.high if comparison.direction is Direction.UP else -comparison.low


def target_share(target: float, past: Sequence[Observation], *, size: float, rule: Reinjection) -> float | None:
    r"""Real share of the next generation that steers the fixation index to a target.

    .. math:: m = 1 - (1 - m^*) \Bigl(\frac{F^*}{F_t}\Bigr)^{a/2}
              \exp\Bigl(-\frac{g}{2} \sum_s \ln\frac{F_s}{F^*}\Bigr)

    m* is the share that holds the target at n_e (`needed_share`), the feed-forward. With a = 1 the next generation
    would be brought to the target at once, whatever chance did to this one; `PULL` is a = 0.6. The sum is an integral
    that makes up for an n_e that was estimated wrongly, with g = `GAIN`. It counts the generations that were trained on
    the share that this law asked for: where that was clamped, held back or overruled, an error says nothing about n_e.

    In closed form the target is reached within 2% in 20 generations and held, also where n_e is wrong by a factor 2.
    Where a generation drifts a fifth of F* by chance, lineages are held some 10% below it on average.

    The share changes by `release` at most where it falls, and once real data are in use it does not fall below half of
    m*, let alone to zero.

    Args:
        target: F*.
        past: The generations after the founder, oldest first; the last is the current one.
        size: Estimate of n_e.
        rule: Steps and bounds.

    Returns:
        The share; None: no share can hold the target at this size.

    Example:
        >>> target_share(0.1, [Observation(0.0, 0.01)], size=100, rule=Reinjection())
        0.0
        >>> round(target_share(0.1, [Observation(0.0, 0.01), Observation(0.0, 0.098)], size=100, rule=Reinjection()), 3)
        0.041
    """
    if size * target <= 1.0:
        return None
    steady = needed_share(target, samples=size)
    integral = 0.0
    for before, after in pairwise(past):
        share = _steer(steady, before.fixation, target, integral)
        if 0.0 < share < 1.0 and math.isclose(share, after.share, abs_tol=0.002):
            step = max(-_FAR, min(_FAR, _error(after.fixation, target)))
            integral = max(-1.0, min(1.0, integral + GAIN * step))
    now = past[-1]
    share = _steer(steady, now.fixation, target, integral)
    return max(share, now.share - rule.release, min(now.share, steady / 2.0))


def _steer(steady: float, fixation: float, target: float, integral: float) -> float:
    share = 1.0 - (1.0 - steady) * math.exp(-(PULL * _error(fixation, target) + integral) / 2.0)
    return max(0.0, min(1.0, share))


def _error(fixation: float, target: float) -> float:
    """ln(F / F*), at most 2 either way."""
    return max(-2.0, min(2.0, math.log(max(fixation, 1e-9) / target)))
