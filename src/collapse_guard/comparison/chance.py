r"""Chance: what another training sample and another seed do to an effect, from whatever is known of it.

Documents and groups show how well an effect is measured. They do not show how far it would move if the same model were
trained once more on other documents or from another seed, because that moves all of them together. What is known of
that noise comes in three ways, each for nothing or cheaply:

- *refits*: a small model fitted to other draws of real documents (`Refits`), the noise of the data alone;
- *spreads*: changes from generation to generation, slices that nothing happened to, control retrains; each with its
  degrees of freedom, and with the noise of the training in it;
- what the policy assumes: that its watch level w is what this noise reaches with the probability a that may be spent.

A spread of few generations is moderated by that assumption, which counts as eight degrees of freedom, so that one odd
change opens no limit and many outvote it (a moderated variance; Smyth (2004), Stat. Appl. Genet. Mol. Biol. 3:3):

.. math:: s^2 = \frac{8 s_0^2 + \sum_j f_j s_j^2}{8 + \sum_j f_j}, \qquad s_0 = w / z_{1-a}

Control retrains carry the promise of `calibrate`, so there the assumption only fills up what is missing to eight
degrees of freedom, and nine controls leave nothing of it (`filled`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

ASSUMED = 8.0
"""Degrees of freedom that the policy's assumption counts for."""
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
    """What a t variable exceeds with probability `level`; a normal one where the degrees of freedom are infinite.

    Example:
        >>> round(quantile(0.025, 8.0), 3), round(quantile(0.025, math.inf), 3)
        (2.306, 1.96)
    """
    return -float(ndtri(level) if math.isinf(freedom) else stdtrit(freedom, level))


def moderated(spreads: Sequence[Spread], *, watch: float, level: float) -> Spread:
    """One deviation from several and from what the policy assumes, taken as known.

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
    assumed = Spread(watch / quantile(level, math.inf), ASSUMED)
    return pooled([assumed, *spreads])._replace(freedom=math.inf)


def filled(spread: Spread, *, watch: float, level: float) -> Spread:
    """A deviation whose degrees of freedom are filled up to eight by what the policy assumes.

    Args:
        spread: What was measured.
        watch: The policy's watch level, as an effect.
        level: Probability that may be spent.

    Example:
        >>> filled(Spread(0.01, 9.0), watch=0.05, level=0.001)
        Spread(sd=0.01, freedom=9.0)
    """
    missing = max(0.0, ASSUMED - spread.freedom)
    return pooled([Spread(watch / quantile(level, ASSUMED), missing), spread])


def pooled(spreads: Sequence[Spread]) -> Spread:
    """The deviation of several estimates of one variance, by their degrees of freedom.

    Example:
        >>> pooled([Spread(3.0, 2.0), Spread(4.0, 2.0)])
        Spread(sd=3.5355339059327378, freedom=4.0)
    """
    freedom = math.fsum(spread.freedom for spread in spreads)
    return Spread(math.sqrt(math.fsum(spread.freedom * spread.sd**2 for spread in spreads) / freedom), freedom)


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
    known = np.asarray(effects, dtype=np.float64)
    if len(known) <= FEWEST_CHANGES or not np.isfinite(known).all():
        return None
    changes = np.diff(known)
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
