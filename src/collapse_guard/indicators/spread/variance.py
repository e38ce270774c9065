"""Spread: how many ways embeddings or vectors vary, and how far, from sums of O(d^2) that add up exactly.

Samples that are equal to float precision have no spread: total_variance is then 0 to rounding, effective_rank
undefined.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.spread.spectra import EPSILON, eigenvalues, hill_number, squared_singular_values
from collapse_guard.indicators.vectors import SpreadIndicator, Vectors, rows


def total_variance(x: Vectors) -> float:
    r"""Total variance: the trace of the unbiased covariance, `sum_j var(x_j)` with divisor n - 1.

    Unit: squared units of x. Range: [0, inf). Collapse: down; its expectation does not depend on n. Undefined (NaN)
    for fewer than two rows, or where a number is not finite. O(n d).

    Args:
        x: n d: rows are samples.

    Source: Shumailov et al. (2024), Nature 631:755 (late collapse is variance near 0).

    Example:
        >>> total_variance([[0.0, 0.0], [2.0, 4.0]])
        10.0
    """
    centred = _centred(rows(x))
    return _trace_of_covariance(len(centred), centred.sum(dim=0), centred.square().sum(dim=0))


def effective_rank(x: Vectors) -> float:
    r"""Effective rank: the number of directions of variation, `exp H(s / sum s)` of singular values s of centred rows.

    Range: [1, min(n - 1, d)]. Collapse: down. It grows with n, so compare it at equal n only. Undefined (NaN) for
    fewer than two rows, for rows that are all equal, or where a number is not finite. O(n d min(n, d)).

    Args:
        x: n d: rows are samples.

    Source: Roy and Vetterli (2007), The effective rank, EUSIPCO, eq. (1)-(4).

    Example:
        >>> round(effective_rank([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]), 6)
        2.0
    """
    vectors = rows(x)
    return _effective_rank(squared_singular_values(_centred(vectors)), size=float(vectors.square().sum()))


class TotalVariance(SpreadIndicator):
    """Total variance over batches of vectors; see `total_variance`.

    As input to `update`: `x` (n, d) of any float type. The sums are not centred: they lose the digits by which the
    squared mean exceeds the variance, of sixteen. Value: float64.

    Args:
        dimension: d.

    Example:
        >>> metric = TotalVariance(dimension=2)
        >>> metric.update(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
        >>> metric.compute()
        tensor(10., dtype=torch.float64)
    """

    name, place = "total_variance", 10
    unit = "squared distance"
    cost = "O(n d)"
    misses = "lost modes if the others move apart; it may rise if noise replaces text"
    value_range = (0.0, math.inf)
    undefined = "there are fewer than two samples"
    formula = staticmethod(total_variance)
    _axes = (("n_rows", 0), ("total", 1), ("squares", 1))

    def _terms(self, x: Tensor) -> tuple[Tensor | int, ...]:
        return len(x), x.sum(dim=0), x.square().sum(dim=0)

    def compute(self) -> Tensor:
        """Total variance of everything since the last reset."""
        n, total, squares = self._totals
        return self._scalar(_trace_of_covariance(int(n), total, squares))


class EffectiveRank(SpreadIndicator):
    """Effective rank over batches of vectors; see `effective_rank`.

    As input to `update`: `x` (n, d) of any float type. The state is d + 1 by d. Directions in which the rows vary
    less than about 1e-7 of their size are not seen. Value: float64.

    Args:
        dimension: d.

    Example:
        >>> metric = EffectiveRank(dimension=2)
        >>> metric.update(torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "effective_rank", 20
    unit = "dimensions"
    cost = "O(n d min(n, d))"
    misses = "a cloud that shrinks equally in all directions, and what the embedder does not separate"
    value_range = (1.0, math.inf)
    undefined = "all vectors are equal: the samples are, or the embedder does not tell them apart"
    formula = staticmethod(effective_rank)

    @classmethod
    def lacking(cls, instruments: Instruments) -> str:
        """Where real vectors vary in one direction alone."""
        one = f"of {len(instruments.varies)} columns only {int(instruments.varies.argmax())} varies in real data"
        return f"{one}: it is 1 for any samples" if instruments.varies.sum() == 1 else super().lacking(instruments)

    _axes = (("n_rows", 0), ("total", 1), ("products", 2))

    def _terms(self, x: Tensor) -> tuple[Tensor | int, ...]:
        return len(x), x.sum(dim=0), x.T @ x

    def compute(self) -> Tensor:
        """Effective rank of everything since the last reset."""
        n, total, products = self._totals
        scatter = products - torch.outer(total, total) / n.clamp(min=1)
        return self._scalar(_effective_rank(eigenvalues(scatter), size=float(products.trace())))


def _trace_of_covariance(n: int, total: Tensor, squares: Tensor) -> float:
    if n < 2:
        return math.nan
    return float((squares - total.square() / n).sum().clamp(min=0.0)) / (n - 1)


def _effective_rank(squared_singular_values: Tensor, *, size: float) -> float:
    """`size` is the squared length of all rows: beside it, what rounding leaves is not spread."""
    floor = EPSILON * len(squared_singular_values) * size
    singular_values = squared_singular_values[squared_singular_values > floor].sqrt()
    return hill_number(singular_values / singular_values.sum(), 1.0)


def _centred(vectors: Tensor) -> Tensor:
    return vectors - vectors.mean(dim=0)
