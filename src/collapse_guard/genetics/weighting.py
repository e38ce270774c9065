r"""How much weight real items should have beside synthetic ones, and why fresh real items differ from an archive.

The case with a closed form: each generation estimates a mean from n_r real items with a total weight of w and m_s
synthetic items, drawn around the last estimate, with a total weight of 1 - w. With e_t the error of the estimate, and
variances in units of the variance of one item,

    e_{t+1} = w e_real + (1 - w) (e_t + e_synthetic),   Var e_real = 1/n_r,   Var e_synthetic = 1/m_s

Fresh real items have a new error each time, which averages out. The items of an archive always have the same error,
which does not: with an archive, no weight is better than the real items alone.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import numbers
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError

Origin = Literal["fresh", "archive"]
"""Whether each generation has real items of its own, or all have the same ones."""


def optimal_real_weight(ratio: npt.ArrayLike) -> FloatArray:
    r"""Weight of fresh real items that minimises the lasting error, `w* = (sqrt(r^2 + 4 r) - r) / 2`.

    It is more than their share r / (1 + r): if a tenth is real, r = 1/9, it is 0.28. Range: (0, 1); 0.618 at r = 1,
    the golden ratio. The lasting variance is then w* / n_r (`pooled_variance`). It does not apply to an archive, where
    real items should have all of the weight. Cost: O(1) per value.

    Args:
        ratio: r = n_r / m_s, real items for each synthetic one, above 0, of any shape.

    Returns:
        Of the shape of `ratio`.

    Raises:
        InputError: A ratio is not above 0.

    Source: He, Xu and Cheng (2025), Golden ratio weighting prevents model collapse, arXiv:2502.18049; for r = 1.

    Example:
        >>> optimal_real_weight([1 / 9, 1]).round(6).tolist()
        [0.282376, 0.618034]
    """
    r = _above_zero("ratio", ratio)
    # The same number without a subtraction, which would lose all digits for large r.
    return np.asarray(2.0 / (1.0 + np.sqrt(1.0 + 4.0 / r)))


def pooled_variance(
    weight: npt.ArrayLike, *, real: npt.ArrayLike, synthetic: npt.ArrayLike, origin: Origin = "fresh"
) -> FloatArray:
    r"""Lasting variance of an estimated mean, in units of the variance of one item.

    Fresh: `[w^2/n_r + (1 - w)^2/m_s] / (2 w - w^2)`; archive: `1/n_r + (1 - w)^2 / (m_s (2 w - w^2))`. Range: above 0;
    1/n_r is what real items alone give. Collapse: up, infinite at w = 0, where the mean drifts without end.
    Cost: O(1) per value.

    Args:
        weight: w: total weight of the real items, from 0 to 1, of any shape.
        real: n_r: real items in each generation, above 0, of a shape that broadcasts.
        synthetic: m_s: synthetic items in each generation, above 0, of a shape that broadcasts.
        origin: Whether each generation has fresh real items, or all have the same ones ("archive").

    Returns:
        Of the shape that the arguments broadcast to.

    Raises:
        InputError: An argument is outside of its range, or shapes do not fit.

    Source: He, Xu and Cheng (2025), arXiv:2502.18049, for fresh items with n_r = m_s; the rest is derived from the law
    at the top of the file.

    Example:
        >>> float(pooled_variance(0.1, real=100, synthetic=900).round(6))
        0.005263
        >>> float(pooled_variance(0.1, real=100, synthetic=900, origin="archive").round(6))
        0.014737
    """
    w = numbers("weight", weight, least=0.0, most=1.0)
    n, m = _above_zero("real", real), _above_zero("synthetic", synthetic)
    if origin not in get_args(Origin):
        raise InputError(f"`origin` must be one of {list(get_args(Origin))}, but got {origin!r}: give one of them")
    try:
        with np.errstate(divide="ignore"):
            passed_on = (1.0 - w) ** 2 / m / (w * (2.0 - w))
            return np.asarray(passed_on + (1.0 / n if origin == "archive" else w / (n * (2.0 - w))))
    except ValueError as error:
        raise InputError(
            f"`weight`, `real` and `synthetic` must broadcast, but got the shapes {w.shape}, {n.shape} and {m.shape}: "
            "give numbers, or arrays of one shape"
        ) from error


def _above_zero(name: str, values: Any) -> FloatArray:
    array = numbers(name, values)
    if (array <= 0.0).any():
        raise InputError(f"`{name}` must be above 0, but got {array.min()}: give the number of items")
    return array
