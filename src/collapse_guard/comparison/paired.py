"""Paired comparison over the same wild-type documents: each document is its own control.

Pairing removes the spread between documents, which is far larger than the change between generations. Documents are the
units of sampling and tokens are not: the tokens of one document are dependent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collapse_guard.arrays import FloatArray
from collapse_guard.comparison.contrast import Contrast, studentised
from collapse_guard.indicators.rates import weighted_error


def paired_difference(
    *, observed: Sequence[float], reference: Sequence[float], weights: Sequence[float] = ()
) -> Contrast:
    r"""Difference of weighted means over paired documents, as a ratio estimator.

    .. math:: D = \frac{\sum_i w_i (x_i - y_i)}{\sum_i w_i}, \qquad
              \mathrm{SE}^2 = \frac{n}{n-1} \frac{\sum_i w_i^2 (x_i - y_i - D)^2}{(\sum_i w_i)^2}

    With x, y in nats per token and w the token counts, exp(D) is the ratio of the two corpus perplexities. Degrees of
    freedom are Kish's effective n, (sum w)^2 / sum w^2, less one. O(n). Cochran (1977), Sampling Techniques, section
    6.

    Args:
        observed: d: rate of each document in this generation.
        reference: d: rate of the same documents in the baseline.
        weights: d: weight of each document; empty: equal.

    Example:
        >>> d = paired_difference(observed=[1.0, 2.0, 3.0], reference=[0.9, 2.0, 2.6])
        >>> round(d.effect, 4), round(d.standard_error, 4)
        (0.1667, 0.1202)
    """
    x, y, w = _arrays(observed, reference, weights)
    difference = float(w @ (x - y) / w.sum())
    error = weighted_error(w, x - y - difference) / float(w.sum())
    return Contrast(
        observed=float(w @ x / w.sum()),
        reference=float(w @ y / w.sum()),
        effect=difference,
        standard_error=error,
        degrees_of_freedom=_kish(w) - 1.0,
        statistic=lambda hypothesis: studentised(difference - hypothesis, error),
        method="paired t on documents",
    )


def paired_log_ratio(
    *, observed: Sequence[float], reference: Sequence[float], weights: Sequence[float] = ()
) -> Contrast:
    r"""Log ratio of weighted means over paired documents; the test is linear in the means (Fieller), so 0 is allowed.

    .. math:: T(h) = \frac{\sum_i w_i (x_i - e^h y_i)}{\sqrt{\frac{n}{n-1} \sum_i w_i^2 (x_i - e^h y_i - \bar d_h)^2}}

    Args:
        observed: d: rate of each document in this generation.
        reference: d: rate of the same documents in the baseline; their weighted mean must be above 0.
        weights: d: weight of each document; empty: equal.

    Example:
        >>> round(paired_log_ratio(observed=[2.0, 4.1], reference=[1.0, 2.0]).effect, 4)
        0.7097
    """
    x, y, w = _arrays(observed, reference, weights)
    total_x, total_y = float(w @ x), float(w @ y)

    def statistic(hypothesis: float) -> float:
        contrast = x - np.exp(hypothesis) * y
        centre = float(w @ contrast / w.sum())
        return studentised(float(w @ contrast), weighted_error(w, contrast - centre))

    ratio = total_x / total_y
    with np.errstate(divide="ignore"):
        effect = float(np.log(ratio))
    residual = weighted_error(w, x - ratio * y)
    return Contrast(
        observed=total_x / float(w.sum()),
        reference=total_y / float(w.sum()),
        effect=effect,
        standard_error=residual / total_x if total_x > 0 else float("nan"),
        degrees_of_freedom=_kish(w) - 1.0,
        statistic=statistic,
        method="paired ratio t on documents",
    )


def _arrays(
    observed: Sequence[float], reference: Sequence[float], weights: Sequence[float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, y = np.asarray(observed, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64) if len(weights) else np.ones_like(x)
    return x, y, w


def _kish(weights: FloatArray) -> float:
    return float(weights.sum() ** 2 / np.sum(weights**2))
