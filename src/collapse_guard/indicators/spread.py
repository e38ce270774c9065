"""Spread: how many ways embeddings or vectors vary, and how far, from sums of O(d^2) that add up exactly.

Samples that are equal to float precision have no spread: total_variance is then 0 to rounding, effective_rank
undefined.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.records import Direction

_EPSILON = torch.finfo(torch.float64).eps


def total_variance(x: npt.ArrayLike | Tensor) -> float:
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
    centred = _centred(_rows(x))
    return _trace_of_covariance(len(centred), centred.sum(dim=0), centred.square().sum(dim=0))


def effective_rank(x: npt.ArrayLike | Tensor) -> float:
    r"""Effective rank: in how many directions samples vary, `exp H(s / sum s)` of singular values s of centred rows.

    Range: [1, min(n - 1, d)]. Collapse: down. It grows with n, so compare it at equal n only. Undefined (NaN) for
    fewer than two rows, for rows that are all equal, or where a number is not finite. O(n d min(n, d)).

    Args:
        x: n d: rows are samples.

    Source: Roy and Vetterli (2007), The effective rank, EUSIPCO, eq. (1)-(4).

    Example:
        >>> round(effective_rank([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]), 6)
        2.0
    """
    rows = _rows(x)
    centred = _centred(rows)
    return _effective_rank(_squared_singular_values(centred), size=float(rows.square().sum()))


def vendi(x: npt.ArrayLike | Tensor, q: float = 1.0) -> float:
    r"""Vendi score: the effective number of different samples, `exp H_q(eigenvalues of K / n)` for cosines K.

    Range: [1, min(n, d + 1)]. Collapse: down. It grows with n, so compare it at equal n only. Undefined (NaN) without
    rows, or where a number is not finite. The eigenvalues are those of the d d second-moment matrix where d < n: O(n
    d min(n, d)), exactly.

    K_ij is the cosine of rows i and j. A row of zeros (the embedding of an empty text) has no direction: all such
    rows count as equal to each other and different from every other row.

    Args:
        x: n d: rows are samples.
        q: Order of the entropy, from 0 (rank) over 1 (Shannon) and 2 (1 / sum of squares) to inf (1 / largest).

    Raises:
        InputError: `q` is negative or NaN.

    Source: Friedman and Dieng (2023), The Vendi score, TMLR; Pasarkar and Dieng (2024), AISTATS, for the order q.

    Example:
        >>> round(vendi([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]]), 6)
        2.0
    """
    unit, n_zero = _directions(_rows(x))
    return _vendi(_squared_singular_values(unit), n_zero, len(unit), _order(q))


class _OfVectors(Indicator):
    family = "spread"
    direction = Direction.DOWN
    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "vectors"


class TotalVariance(_OfVectors):
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

    name = "total_variance"
    unit = "squared distance"
    value_range = (0.0, math.inf)
    undefined = "there are fewer than two samples"

    n_rows: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, dimension: int, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self._add_sum("n_rows", dtype=torch.int64)
        self._add_sum("total", dimension)
        self._add_sum("squares", dimension)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        rows = _rows(x, dimension=len(self.total))
        self.n_rows = self.n_rows + len(rows)
        self.total = self.total + rows.sum(dim=0)
        self.squares = self.squares + rows.square().sum(dim=0)

    def compute(self) -> Tensor:
        """Total variance of everything since the last reset."""
        return self._scalar(_trace_of_covariance(int(self.n_rows), self.total, self.squares))


class EffectiveRank(_OfVectors):
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

    name = "effective_rank"
    unit = "dimensions"
    value_range = (1.0, math.inf)
    undefined = "all samples are equal"

    n_rows: Tensor
    total: Tensor
    products: Tensor

    def __init__(self, dimension: int, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self._add_sum("n_rows", dtype=torch.int64)
        self._add_sum("total", dimension)
        self._add_sum("products", dimension, dimension)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        rows = _rows(x, dimension=len(self.total))
        self.n_rows = self.n_rows + len(rows)
        self.total = self.total + rows.sum(dim=0)
        self.products = self.products + rows.T @ rows

    def compute(self) -> Tensor:
        """Effective rank of everything since the last reset."""
        scatter = self.products - torch.outer(self.total, self.total) / self.n_rows.clamp(min=1)
        return self._scalar(_effective_rank(_eigenvalues(scatter), size=float(self.products.trace())))


class Vendi(_OfVectors):
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

    name = "vendi"
    unit = "effective samples"
    value_range = (1.0, math.inf)
    undefined = "there are no samples"

    n_directions: Tensor
    n_zero: Tensor
    cosines: Tensor

    def __init__(self, dimension: int, q: float = 1.0, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.q = _order(q)
        self._add_sum("n_directions", dtype=torch.int64)
        self._add_sum("n_zero", dtype=torch.int64)
        self._add_sum("cosines", dimension, dimension)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        unit, n_zero = _directions(_rows(x, dimension=len(self.cosines)))
        self.n_directions = self.n_directions + len(unit)
        self.n_zero = self.n_zero + n_zero
        self.cosines = self.cosines + unit.T @ unit

    def compute(self) -> Tensor:
        """Vendi score of everything since the last reset."""
        return self._scalar(_vendi(_eigenvalues(self.cosines), int(self.n_zero), int(self.n_directions), self.q))


def _trace_of_covariance(n: int, total: Tensor, squares: Tensor) -> float:
    if n < 2:
        return math.nan
    return float((squares - total.square() / n).sum().clamp(min=0.0)) / (n - 1)


def _effective_rank(squared_singular_values: Tensor, *, size: float) -> float:
    """`size` is the squared length of all rows: beside it, what rounding leaves is not spread."""
    floor = _EPSILON * len(squared_singular_values) * size
    singular_values = squared_singular_values[squared_singular_values > floor].sqrt()
    return _hill_number(singular_values / singular_values.sum(), 1.0)


def _vendi(eigenvalues: Tensor, n_zero: int, n_directions: int, q: float) -> float:
    shares = torch.cat([eigenvalues, eigenvalues.new_tensor([n_zero])]) / (n_directions + n_zero)
    return _hill_number(shares[shares > _EPSILON * len(shares)], q) if shares.isfinite().all() else math.nan


def _hill_number(shares: Tensor, q: float) -> float:
    """Exponential of the Renyi entropy of order q of positive shares that sum to one; NaN where there are none."""
    if not len(shares):
        return math.nan
    if q == 1.0:
        number = math.exp(-float((shares * shares.log()).sum()))
    elif math.isinf(q):
        number = 1.0 / float(shares.max())
    else:
        number = float(shares.pow(q).sum()) ** (1.0 / (1.0 - q))
    return max(1.0, number)


def _eigenvalues(matrix: Tensor) -> Tensor:
    """Of a symmetric matrix; NaN where it is not finite."""
    return torch.linalg.eigvalsh(matrix) if matrix.isfinite().all() else matrix.new_full((1,), math.nan)


def _squared_singular_values(x: Tensor) -> Tensor:
    return _eigenvalues(x @ x.T if x.shape[0] < x.shape[1] else x.T @ x)


def _rows(x: npt.ArrayLike | Tensor, dimension: int | None = None) -> Tensor:
    rows = torch.as_tensor(x).detach().to(torch.float64)
    if rows.ndim != 2 or dimension not in (None, rows.shape[1]):
        wanted = "d" if dimension is None else dimension
        raise InputError(f"`x` must have the shape (n, {wanted}), a row for each sample, but got {tuple(rows.shape)}")
    return rows


def _centred(rows: Tensor) -> Tensor:
    return rows - rows.mean(dim=0)


def _directions(rows: Tensor) -> tuple[Tensor, int]:
    """Rows scaled to unit length, without those of length 0, and the number of these."""
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    unit = (rows / lengths)[lengths[:, 0] != 0]
    return unit, len(rows) - len(unit)


def _order(q: float) -> float:
    if not q >= 0.0:
        raise InputError(f"`q` must be at least 0, but got {q!r}: 1 is the Shannon order")
    return float(q)
