"""Cosines: how different the directions of samples are, as an effective number of them or as a mean distance.

A row of zeros (the embedding of an empty text) has no direction: all such rows count as equal to each other and
different from every other row.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.spread.spectra import EPSILON, eigenvalues, hill_number, squared_singular_values
from collapse_guard.indicators.vectors import SpreadIndicator, Vectors, rows


def vendi(x: Vectors, q: float = 1.0) -> float:
    r"""Vendi score: the effective number of different samples, `exp H_q(eigenvalues of K / n)` for cosines K.

    Range: [1, min(n, d + 1)]. Collapse: down. It grows with n, so compare it at equal n only. Undefined (NaN) without
    rows, or where a number is not finite. The eigenvalues are those of the d d second-moment matrix where d < n: O(n
    d min(n, d)), exactly.

    K_ij is the cosine of rows i and j; that of two rows of zeros is 1, and that of one with any other row 0.

    Args:
        x: n d: rows are samples.
        q: Order of the entropy, from 0 (rank) over 1 (Shannon) and 2 (1 / sum of squares) to inf (1 / largest).

    Raises:
        InputError: `q` is negative or NaN.

    Source: Friedman and Dieng (2023), The Vendi score, TMLR; Pasarkar and Dieng (2024), AISTATS, for the order q.

    Example:
        >>> round(vendi([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]]), 6)
        2.0

        With the frozen random features of a Gaussian kernel, distances count and not only directions:

        >>> from collapse_guard.indicators.distance.kernels import RandomFeatures
        >>> features = RandomFeatures(dimension=1, bandwidth=1.0)
        >>> round(vendi([[1.0], [1.0], [9.0]]), 2), round(vendi(features([[1.0], [1.0], [9.0]])), 1)
        (1.0, 1.9)
    """
    unit, n_zero = _directions(rows(x))
    return _vendi(len(unit), n_zero, squared_singular_values(unit), _order(q))


def vendi_2(x: Vectors) -> float:
    r"""Vendi score of order 2: one over the mean squared cosine of two draws, `1 / ||K / n||_F^2`.

    It is `vendi(x, q=2)` without eigenvalues. Unlike order 1 it converges with some thousand samples, and it is the
    exponential of the Renyi kernel entropy.

    Range: [1, min(n, d + 1)]. Collapse: down. It grows with n, so compare it at equal n only. Undefined (NaN) without
    rows, or where a number is not finite. O(n d min(n, d)).

    Args:
        x: n d: rows are samples.

    Source: Jalali, Li and Farnia (2023), An information-theoretic evaluation of generative models, NeurIPS; Pasarkar
    and Dieng (2024), AISTATS.

    Example:
        >>> round(vendi_2([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]]), 6)
        2.0
    """
    unit, n_zero = _directions(rows(x))
    cosines = unit @ unit.T if unit.shape[0] < unit.shape[1] else unit.T @ unit
    return _order_2(len(unit), n_zero, cosines)


def mean_distance(x: Vectors) -> float:
    r"""Mean cosine distance of two different samples: `1 - sum_{i != j} cos(x_i, x_j) / (n (n - 1))`, from sums.

    Unit: cosine distance. Range: [0, 2]; at most n / (n - 1). Collapse: down; its expectation does not depend on n: no
    sample is compared with itself. Two rows of zeros are at 0 from each other, and at 1 from every other row.
    Undefined (NaN) for fewer than two rows, or where a number is not finite. O(n d).

    Args:
        x: n d: rows are samples.

    Source: Shaib et al. (2024), arXiv:2403.00553 (remote clique); Rao (1982), Theor. Popul. Biol. 21:24, for the mean
    difference of two draws.

    Example:
        >>> round(mean_distance([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), 6)
        0.666667
    """
    unit, n_zero = _directions(rows(x))
    return _mean_distance(len(unit), n_zero, unit.sum(dim=0))


class _CosineIndicator(SpreadIndicator):
    """Sums over rows of unit length: of their products and how many there are."""

    unit = "effective samples"
    cost = "O(n d min(n, d))"
    value_range = (1.0, math.inf)
    undefined = "there are no samples"
    _axes = (("n_directions", 0), ("n_zero", 0), ("cosines", 2))

    def _terms(self, x: Tensor) -> tuple[Tensor | int, ...]:
        unit, n_zero = _directions(x)
        return len(unit), n_zero, unit.T @ unit


class Vendi(_CosineIndicator):
    """Vendi score over batches of vectors; see `vendi`.

    As input to `update`: `x` (n, d) of any float type. The state is d by d. Value: float64.

    Args:
        dimension: d.
        q: Order of the entropy.

    Example:
        >>> metric = Vendi(dimension=2)
        >>> metric.update(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "vendi", 30
    misses = "lengths: only directions count; and what the embedder does not tell apart"
    formula = staticmethod(vendi)

    def __init__(self, dimension: int, q: float = 1.0, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(dimension, **kwargs)
        self.q = _order(q)

    def compute(self) -> Tensor:
        """Vendi score of everything since the last reset."""
        n_directions, n_zero, cosines = self._totals
        return self._scalar(_vendi(int(n_directions), int(n_zero), eigenvalues(cosines), self.q))


class Vendi2(_CosineIndicator):
    """Vendi score of order 2 over batches of vectors; see `vendi_2`.

    As input to `update`: `x` (n, d) of any float type. The state is d by d. Value: float64.

    Args:
        dimension: d.

    Example:
        >>> metric = Vendi2(dimension=2)
        >>> metric.update(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "vendi_2", 40
    misses = "rare directions: squares weigh common ones; lengths; and what the embedder does not tell apart"
    formula = staticmethod(vendi_2)

    def compute(self) -> Tensor:
        """Vendi score of everything since the last reset."""
        n_directions, n_zero, cosines = self._totals
        return self._scalar(_order_2(int(n_directions), int(n_zero), cosines))


class MeanDistance(SpreadIndicator):
    """Mean cosine distance over batches of vectors; see `mean_distance`.

    As input to `update`: `x` (n, d) of any float type. The state is O(d). Value: float64.

    Args:
        dimension: d.

    Example:
        >>> metric = MeanDistance(dimension=2)
        >>> metric.update(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """

    name, place = "mean_distance", 50
    unit = "cosine distance"
    cost = "O(n d)"
    misses = "lost modes among many; lengths; and what the embedder does not tell apart"
    value_range = (0.0, 2.0)
    undefined = "there are fewer than two samples"
    formula = staticmethod(mean_distance)
    _axes = (("n_directions", 0), ("n_zero", 0), ("total_direction", 1))

    def _terms(self, x: Tensor) -> tuple[Tensor | int, ...]:
        unit, n_zero = _directions(x)
        return len(unit), n_zero, unit.sum(dim=0)

    def compute(self) -> Tensor:
        """Mean distance of everything since the last reset."""
        n_directions, n_zero, total = self._totals
        return self._scalar(_mean_distance(int(n_directions), int(n_zero), total))


def _vendi(n_directions: int, n_zero: int, values: Tensor, q: float) -> float:
    shares = torch.cat([values, values.new_tensor([n_zero])]) / (n_directions + n_zero)
    return hill_number(shares[shares > EPSILON * len(shares)], q) if shares.isfinite().all() else math.nan


def _order_2(n_directions: int, n_zero: int, cosines: Tensor) -> float:
    n = n_zero + n_directions
    if not n:
        return math.nan
    number = n**2 / (float(cosines.square().sum()) + n_zero**2)
    return max(1.0, number) if math.isfinite(number) else math.nan


def _mean_distance(n_directions: int, n_zero: int, total: Tensor) -> float:
    n = n_zero + n_directions
    if n < 2:
        return math.nan
    cosines = float(total @ total) - n_directions + n_zero * (n_zero - 1)
    distance = 1.0 - cosines / (n * (n - 1))
    return min(max(0.0, distance), 2.0) if math.isfinite(distance) else math.nan


def _directions(vectors: Tensor) -> tuple[Tensor, int]:
    """Rows scaled to unit length, without those of length 0, and the number of these."""
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    unit = (vectors / lengths)[lengths[:, 0] != 0]
    return unit, len(vectors) - len(unit)


def _order(q: float) -> float:
    if not q >= 0.0:
        raise InputError(f"`q` must be at least 0, but got {q!r}: 1 is the Shannon order")
    return float(q)
