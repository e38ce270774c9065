"""Betting e-values: evidence that documents got harder, valid for any distribution and any number of them.

Somebody who bets a share of his money on every document that harm goes beyond the margin cannot grow rich, on average,
where it does not. His fortune is the evidence. Waudby-Smith and Ramdas (2024), J. R. Stat. Soc. B 86:1-27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from collapse_guard.errors import InputError
from collapse_guard.evidence import FloatArray

CLIP = 0.5
"""Nats per token (or multiples of the baseline's mean, for ratios) from which on a document counts as just that: fixed
in advance, never looked up from the data."""
_BETS = 0.95 * 2.0 ** (-np.arange(16) / 2.0)
_LARGEST_LOG = 690.0


def betting_e_value(contrasts: FloatArray) -> float:
    r"""e-value against "independent contrasts have a mean of at most 0".

    .. math:: e = \frac1J \sum_{j=1}^{J} \prod_{i=1}^{n} (1 + b_j c_i), \qquad b_j = 0.95 \cdot 2^{-(j-1)/2}, J = 16

    Each product has an expectation of at most 1 under the hypothesis, so has their mean, and P(e >= 1/a) <= a (Markov).
    The mean over bets does about as well as the best of them, for large effects and small ones, and does not depend on
    the order of the documents, as a bet that learns from one to the next would. It does not fall where any contrast
    rises, because every factor is positive and rises with it. O(n).

    Args:
        contrasts: n: numbers in [-1, 1], one for each document.

    Returns:
        A number in [0, 1e299]; large is evidence of harm. 1 for no documents, NaN where a contrast is NaN.

    Raises:
        InputError: A contrast is outside of [-1, 1].

    Example:
        >>> round(betting_e_value(np.array([0.5, 0.2, -0.1, 0.4])), 3)
        1.232
    """
    c = np.sort(np.asarray(contrasts, dtype=np.float64))
    if np.isnan(c).any():
        return math.nan
    if len(c) and max(-c[0], c[-1]) > 1.0:
        worst = c[0] if -c[0] > c[-1] else c[-1]
        raise InputError(f"`contrasts` must lie in [-1, 1], but got {worst:g}: scale and clip them first")
    log_fortunes = np.log1p(_BETS[:, None] * c[None, :]).sum(axis=1)
    return math.exp(min(_LARGEST_LOG, float(logsumexp(log_fortunes)) - math.log(len(_BETS))))


def paired_e_value(
    *,
    observed: Sequence[float],
    reference: Sequence[float],
    weights: Sequence[float] = (),
    hypothesis: float,
    side: int = 1,
    log_ratio: bool = False,
) -> float:
    r"""e-value against "the effect is at most `hypothesis`" of paired documents; of a fall, for side -1.

    .. math:: c_i = \pm \frac{w_i}{\max w} \mathrm{clip}\left(\frac{x_i - y_i - h}{s}, -1, 1\right)
              \quad\text{or, for ratios,}\quad
              \pm \frac{w_i}{\max w} \mathrm{clip}\left(\frac{x_i - e^h y_i}{s \bar y}, -1, 1\right)

    with s = 0.5. What is tested is the weighted mean of the clipped contrasts. Documents are independent draws; weights
    belong to them. A document with a far larger weight than all others makes the bets on these small. O(n).

    Args:
        observed: n: rate of each document in this generation.
        reference: n: rate of the same documents in the baseline.
        weights: n: weight of each document, above 0; empty: equal.
        hypothesis: Largest effect, or for side -1 smallest, that the hypothesis allows.
        side: 1: evidence that the effect is above it; -1: below it.
        log_ratio: Whether the effect is the log ratio of the means instead of their difference.

    Returns:
        As `betting_e_value`.

    Example:
        >>> founder = [4.0, 5.0, 3.0] * 20
        >>> paired_e_value(observed=[4.3, 5.3, 3.3] * 20, reference=founder, hypothesis=0.1) > 1000
        True
    """
    x, y = np.asarray(observed, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64) if len(weights) else np.ones_like(x)
    if log_ratio:
        contrasts = (x - math.exp(hypothesis) * y) / (CLIP * float(w @ y / w.sum()))
    else:
        contrasts = (x - y - hypothesis) / CLIP
    return betting_e_value(side * w / w.max() * np.clip(contrasts, -1.0, 1.0))
