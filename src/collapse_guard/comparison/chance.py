r"""Chance: what another training sample and another seed do to an effect, from whatever is known of it.

Documents and groups show how well an effect is measured. They do not show how far it would move if the same model were
trained once more on other documents or from another seed, because that moves all of them together. What is known of
that noise comes in three ways, each for nothing or cheaply:

- *refits*: a small model fitted to other draws of real documents (`Refits`), the noise of the data alone;
- *spreads*: changes from generation to generation, slices that nothing happened to, control retrains; each with its
  degrees of freedom, and with the noise of the training in it;
- what the policy assumes: that its watch level is the limit of this noise.

The assumption fills up what is missing to eight degrees of freedom, so that two generations or controls do not
overthrow it, and nine leave nothing of it:

.. math:: s^2 = \frac{f_0 s_0^2 + \sum_j f_j s_j^2}{f_0 + \sum_j f_j}, \qquad f_0 = \max(0, 8 - \sum_j f_j), \qquad
          s_0 = w / t_{8, 1-a}

with w the watch level and a the probability that may be spent. This is a moderated variance (Smyth (2004), Stat. Appl.
Genet. Mol. Biol. 3:3). The data alone are a lower bound, so the larger of s and the refits' deviation counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

ASSUMED = 8.0
"""Degrees of freedom up to which the policy's assumption stands in for what was not measured."""
FEWEST_CHANGES = 3
"""Changes from generation to generation that say something of their spread."""
_SHARED = 1.5
"""1 + 2 r^2 with the correlation r = -1/2 of neighbouring changes (Bartlett)."""
_MAD = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""


class Spread(NamedTuple):
    """An estimate of a standard deviation."""

    sd: float
    """The deviation."""
    freedom: float
    """Its degrees of freedom."""


def quantile(level: float, freedom: float) -> float:
    """What a t variable exceeds with probability `level`.

    Example:
        >>> round(quantile(0.025, 8.0), 3)
        2.306
    """
    return -float(stdtrit(freedom, level))


def moderated(spreads: Sequence[Spread], *, watch: float, level: float) -> Spread:
    """One deviation from several, and from the assumption that the watch level is reached with probability `level`.

    Args:
        spreads: What was measured; empty: the assumption stands.
        watch: The policy's watch level, as an effect.
        level: Probability that may be spent.

    Example:
        >>> assumed = moderated([], watch=0.05, level=0.001)
        >>> round(quantile(0.001, assumed.freedom) * assumed.sd, 12)
        0.05
        >>> round(moderated([Spread(0.05, 1e6)], watch=0.05, level=0.001).sd, 4)
        0.05
    """
    missing = max(0.0, ASSUMED - math.fsum(spread.freedom for spread in spreads))
    parts = [Spread(watch / quantile(level, ASSUMED), missing), *spreads]
    freedom = math.fsum(part.freedom for part in parts)
    variance = math.fsum(part.freedom * part.sd**2 for part in parts) / freedom
    return Spread(math.sqrt(variance), freedom)


def spread_of_changes(effects: Sequence[float]) -> Spread | None:
    """Spread of the effects of a lineage, from their changes from one generation to the next.

    A shift that stays, and one that grows evenly, do not add to it, because changes are taken about their mean. Two
    generations differ by the noise of both, as a generation and its founder do. Neighbouring changes share a generation
    (their correlation is -1/2), so n of them carry as much as n / 1.5 independent ones.

    Args:
        effects: Of the generations after the founder, oldest first, without the one that is judged.

    Returns:
        None with fewer than three changes.

    Example:
        >>> spread_of_changes([0.1, 0.2, 0.3, 0.4]).sd < 1e-15
        True
        >>> spread_of_changes([0.1, 0.2, 0.3]) is None
        True
    """
    changes = np.diff(np.asarray(effects, dtype=np.float64))
    if len(changes) < FEWEST_CHANGES or not np.isfinite(changes).all():
        return None
    return Spread(float(changes.std(ddof=1)), (len(changes) - 1.0) / _SHARED)


def spread_of_others(effects: Sequence[float]) -> Spread | None:
    """Spread of the effects of slices that nothing was shown to happen to: robust, because it may have to one of them.

    Args:
        effects: Of the other slices.

    Returns:
        None with fewer than four slices.

    Example:
        >>> round(spread_of_others([0.01, -0.02, 0.0, 0.02, -0.01, 9.0]).sd, 4)
        0.0222
    """
    values = np.asarray(effects, dtype=np.float64)
    if len(values) <= FEWEST_CHANGES:
        return None
    deviation = _MAD * float(np.median(np.abs(values - np.median(values))))
    return Spread(deviation, len(values) - 1.0)


def reach(spread: Spread, *, standard_error: float, freedom: float, level: float) -> float:
    """Harm that chance alone exceeds with probability `level`: of training and of measuring together.

    Args:
        spread: Of the effect where retraining changes nothing.
        standard_error: Of the effect, from its documents or groups.
        freedom: Degrees of freedom of the standard error.
        level: Probability that may be spent.

    Example:
        >>> round(reach(Spread(0.03, 1e9), standard_error=0.04, freedom=1e9, level=0.025), 3)
        0.098
    """
    of_training, of_measuring = quantile(level, spread.freedom) * spread.sd, quantile(level, freedom) * standard_error
    return math.hypot(of_training, of_measuring)
