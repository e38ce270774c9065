"""Betting e-values: evidence that documents got harder, valid for any distribution and any number of them.

A gambler bets a share of a fortune on every document that harm exceeds the margin. If it does not, the fortune does not
grow on average; so the fortune is the evidence. Waudby-Smith and Ramdas (2024), J. R. Stat. Soc. B 86:1-27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError

CLIP = 0.5
"""Clip of a document's contribution, in nats per token (or multiples of the baseline's mean, for ratios): fixed in
advance, never chosen from the data."""
BETS = 0.95 * (np.arange(1, 17) / 16.0) ** 1.5
_LARGEST_LOG = 690.0


def betting_e_value(contrasts: npt.ArrayLike) -> float:
    r"""e-value against "independent contrasts have a mean of at most 0".

    .. math:: e = \frac1J \sum_{j=1}^{J} \prod_{i=1}^{n} (1 + b_j c_i), \qquad b_j = 0.95 \, (j/J)^{3/2}, \quad J = 16

    - *Valid*: contrasts are independent, with expectations m_i that sum to at most 0; they need not be alike. Then the
      expectation of a product is prod(1 + b m_i) <= (1 + b mean(m_i))^n <= 1, as a geometric mean is at most the
      arithmetic one. So is that of the mean over bets, and P(e >= 1/a) <= a (Markov): 1/e is a p-value for any n.
    - *Monotone*: no factor is negative and each rises with its contrast, so e never falls when a contrast rises.
    - *Fair to all documents*: e does not depend on their order, unlike a bet that learns from one document to the next.

    The mean over bets does almost as well as the best of them, for large effects and for small ones: at 80% power it
    needs 1.5 to 1.6 times the documents of a t test at level 10^-4, and 2.3 to 2.5 times at 5%, as long as the best
    bet (effect divided by variance) is below 0.95. Contrasts that are all far below 1 need more. A t test of 20
    documents of which few got much easier (an exponential tail) alarms in 11% of cases at 5%, and at 10^-4 in 0.6%:
    58 times its level. O(n).

    Args:
        contrasts: n: numbers in [-1, 1], one for each document.

    Returns:
        A number in [0, 1e300], capped at about 10^299; a large one is evidence of harm. 1 without documents, NaN if a
        contrast is NaN.

    Raises:
        InputError: A contrast is outside of [-1, 1], or they are not one row of numbers.

    Example:
        >>> round(betting_e_value([0.5, 0.2, -0.1, 0.4]), 3)
        1.479
    """
    c = np.sort(np.asarray(contrasts, dtype=np.float64))
    if c.ndim != 1:
        raise InputError(f"`contrasts` must be one row of numbers, but got an array of shape {c.shape}: flatten it")
    if np.isnan(c).any():
        return math.nan
    worst = float(c[np.argmax(np.abs(c))]) if len(c) else 0.0
    if abs(worst) > 1.0:
        raise InputError(f"`contrasts` must lie in [-1, 1], but got {worst:g}: scale and clip them first")
    log_fortunes = np.log1p(BETS[:, None] * c[None, :]).sum(axis=1)
    return math.exp(min(_LARGEST_LOG, float(np.logaddexp.reduce(log_fortunes)) - math.log(len(BETS))))


def paired_e_value(
    *,
    observed: Sequence[float],
    reference: Sequence[float],
    weights: Sequence[float] = (),
    hypothesis: float,
    side: int = 1,
    log_ratio: bool = False,
    without_worst: int = 0,
) -> float:
    r"""e-value against "the effect is at most `hypothesis`" of paired documents; of a fall, for side -1.

    .. math:: c_i = \pm \mathrm{clip}\left(\frac{w_i}{\bar w} \cdot \frac{x_i - y_i - h}{s}, -1, 1\right)
              \quad\text{or, for ratios,}\quad
              \pm \mathrm{clip}\left(\frac{w_i}{\bar w} \cdot \frac{x_i - e^h y_i}{s \bar y}, -1, 1\right)

    with s = `CLIP`, and the baseline's weighted mean in the second. The test is about the mean of the *clipped*
    contributions: a document of mean weight counts for at most s + h nats per token, one twice as long for at most
    s/2 + h. Documents that became that much easier are clipped too. So if a few of them gain far more than s, or are
    far longer than the others, the clipped mean is above the plain one: cut a corpus into passages.

    Documents are independent draws; their weights are part of the design, known before anything is scored. O(n).

    Args:
        observed: n: rate of each document in this generation.
        reference: n: rate of the same documents in the baseline.
        weights: n: weight of each document, at least 0; empty: equal.
        hypothesis: Largest effect, or for side -1 smallest, that the hypothesis allows: a difference, or a log ratio.
        side: 1: evidence that the effect is above it; -1: below it.
        log_ratio: Whether the effect is the log ratio of the means instead of their difference.
        without_worst: k: so many documents may be no fair ones, and nobody knows which. The k largest contributions are
            left out: whichever the fair documents are, as many of them say at least as much.

    Returns:
        As `betting_e_value`: NaN where a rate is NaN.

    Raises:
        InputError: Lengths differ, a weight is negative or all are 0, the side is not 1 or -1, or the baseline of a
            ratio has a mean that is not above 0.

    Example:
        >>> founder = [4.0, 5.0, 3.0] * 20
        >>> paired_e_value(observed=[4.3, 5.3, 3.3] * 20, reference=founder, hypothesis=0.1) > 1000
        True
        >>> paired_e_value(observed=[4.3, 5.3, 3.3] * 20, reference=founder, hypothesis=0.4) < 1
        True
    """
    if side not in (1, -1):
        raise InputError(f"`side` must be 1 (rises) or -1 (falls), but got {side}")
    x, y = np.asarray(observed, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if x.shape != y.shape:
        raise InputError(f"`observed` and `reference` must be of the same documents, but got {len(x)} and {len(y)}")
    w = _relative_weights(weights, len(x))
    distance = (x - math.exp(hypothesis) * y) / _mean_above_0(y, w) if log_ratio else x - y - hypothesis
    contributions = np.sort(side * np.clip(w * distance / CLIP, -1.0, 1.0))
    return betting_e_value(contributions[: max(0, len(contributions) - without_worst)])


def _relative_weights(weights: Sequence[float], n: int) -> FloatArray:
    """Weights as multiples of their mean; all 1 where they are equal."""
    w = np.asarray(weights, dtype=np.float64) if len(weights) else np.ones(n)
    if len(w) != n:
        raise InputError(f"`weights` must be one for each of {n} documents, but got {len(w)}")
    if not n:
        return w
    if not (np.all(w >= 0.0) and np.any(w > 0.0) and w.max() < math.inf):
        got = f"{w.min():g} to {w.max():g}"
        raise InputError(f"`weights` must be finite, at least 0 and not all 0, but got {got}: drop documents")
    return w / float(w.mean())


def _mean_above_0(rates: FloatArray, weights: FloatArray) -> float:
    mean = float(weights @ rates / weights.sum())
    if mean <= 0.0:
        raise InputError(f"`reference` must have a mean above 0 for a log ratio, but got {mean:g}: take the difference")
    return mean
