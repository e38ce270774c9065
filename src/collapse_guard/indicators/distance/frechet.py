"""Frechet distance of two Gaussians: how far mean and covariance of generated vectors are from those of real ones."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.indicators.vectors import DistanceIndicator, Vectors, numbers, rows, tag
from collapse_guard.records import Direction, EffectScale


def frechet(mean: Vectors, covariance: Vectors, mean_ref: Vectors, covariance_ref: Vectors) -> float:
    r"""Squared Frechet distance of Gaussians, `|m - m'|^2 + Tr(S + S' - 2 (S S')^(1/2))`.

    Unit: squared distance. Range: [0, inf). Collapse: up. With m and S of n samples it is biased upwards by an amount
    that falls with n and grows with d: compare it at equal n only; it needs n far above d to be near its limit. The
    root has the eigenvalues of `F S' F^T` with `S = F^T F`, which is symmetric: no complex numbers appear.
    Undefined (NaN) where a number is not finite. O(d^3).

    Args:
        mean: d.
        covariance: d d, symmetric.
        mean_ref: d, of the reference.
        covariance_ref: d d, of the reference.

    Raises:
        InputError: The shapes do not fit together.

    Source: Dowson and Landau (1982), The Frechet distance between multivariate normal distributions, J. Multivariate
    Anal. 12:450; Heusel et al. (2017), GANs trained by a two time-scale update rule, NeurIPS, eq. (6).

    Example:
        >>> round(frechet([0.5], [[0.64]], [0.0], [[1.0]]), 6)
        0.29
    """
    reference = _gaussian(mean_ref, covariance_ref, "mean_ref", "covariance_ref")
    own = _gaussian(mean, covariance, "mean", "covariance", dimension=len(reference[0]))
    if not all(part.isfinite().all() for part in (*own, *reference)):
        return math.nan
    values, directions = torch.linalg.eigh(own[1])
    factor = values.clamp(min=0.0).sqrt()[:, None] * directions.T
    return _to_covariance(own[0] - reference[0], factor, reference[1])


def frechet_to(generated: Vectors, mean_ref: Vectors, covariance_ref: Vectors) -> float:
    r"""Squared Frechet distance of vectors, as a Gaussian with their mean and covariance, to a Gaussian; see `frechet`.

    The covariance of n vectors has a rank below n: for a group of n below d, the eigenvalues are those of an n n
    matrix. Range: [0, inf). Collapse: up. Undefined (NaN) for fewer than two rows, or where a number is not finite.
    O(n d^2 + min(n, d)^3).

    Args:
        generated: n d.
        mean_ref: d, of the reference.
        covariance_ref: d d, of the reference.

    Raises:
        InputError: The shapes do not fit together.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, NeurIPS, eq. (6).

    Example:
        >>> frechet_to([[0.0], [2.0], [4.0]], [0.0], [[1.0]])
        5.0
    """
    mean, covariance = _gaussian(mean_ref, covariance_ref, "mean_ref", "covariance_ref")
    x = rows(generated, dimension=len(mean), name="generated")
    n, d = x.shape
    if n < 2 or not (x.isfinite().all() and mean.isfinite().all() and covariance.isfinite().all()):
        return math.nan
    own = x.mean(dim=0)
    factor = (x - own) / math.sqrt(n - 1)
    if n > d:
        return frechet(own, factor.T @ factor, mean, covariance)
    return _to_covariance(own - mean.to(x.device), factor, covariance.to(x.device))


def frechet_to_rows(generated: Vectors, reference: Vectors) -> float:
    r"""Squared Frechet distance of vectors to other vectors, each as a Gaussian with their mean and covariance.

    It is `frechet_to` their mean and covariance, and never makes that d d matrix, which has more numbers than the rows
    where d is large: of `S = A^T A` and `S' = B^T B`, the root has the trace of the singular values of `A B^T`, which
    is n m. Nothing is projected or left out. 128 vectors of 12,288 numbers against 2,048 take a tenth of a second.

    Range: [0, inf). Collapse: up. Undefined (NaN) for fewer than two rows on a side, or where a number is not finite.
    O(n m d + n^2 m).

    Args:
        generated: n d.
        reference: m d.

    Raises:
        InputError: The shapes do not fit together.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, NeurIPS, eq. (6).

    Example:
        >>> round(frechet_to_rows([[0.0], [2.0], [4.0]], [[-1.0], [0.0], [1.0]]), 9)
        5.0
    """
    real = rows(reference, name="reference")
    return _to_factor(generated, _Factor.of(real)) if len(real) > 1 else math.nan


class _Factor(NamedTuple):
    """A Gaussian as its mean and a factor F of its covariance, `F^T F`."""

    mean: Tensor
    """d."""
    factor: Tensor
    """m d."""
    trace: float
    """Of the covariance."""

    @classmethod
    def of(cls, x: Tensor) -> Self:
        """With the mean and the covariance of rows, at least two."""
        mean = x.mean(dim=0)
        factor = (x - mean) / math.sqrt(len(x) - 1)
        return cls(mean, factor, float(factor.square().sum()))


def _to_factor(generated: Vectors, reference: _Factor) -> float:
    x = rows(generated, dimension=len(reference.mean), name="generated")
    if len(x) < 2 or not (x.isfinite().all() and math.isfinite(reference.trace)):
        return math.nan
    own = _Factor.of(x)
    root = torch.linalg.svdvals(own.factor @ reference.factor.to(x.device).T).sum()
    return _distance(own.mean - reference.mean.to(x.device), own.trace, reference.trace, root)


def _to_covariance(shift: Tensor, factor: Tensor, covariance: Tensor) -> float:
    """Of the Gaussian whose covariance is `factor^T factor`."""
    product = factor @ covariance @ factor.T
    root = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0.0).sqrt().sum()
    return _distance(shift, factor.square().sum(), covariance.trace(), root)


def _distance(shift: Tensor, trace: Tensor | float, trace_ref: Tensor | float, root: Tensor) -> float:
    """From the traces of two covariances and of the root of their product."""
    return max(0.0, float(shift.square().sum() + trace + trace_ref - 2.0 * root))


def _gaussian(
    mean: Vectors, covariance: Vectors, mean_name: str, covariance_name: str, dimension: int | None = None
) -> tuple[Tensor, Tensor]:
    centre, matrix = numbers(mean), numbers(covariance)
    if centre.ndim != 1 or matrix.shape != (len(centre), len(centre)) or dimension not in (None, len(centre)):
        size = "d" if dimension is None else dimension
        raise InputError(
            f"`{mean_name}` and `{covariance_name}` must have the shapes ({size},) and ({size}, {size}), but got "
            f"{tuple(centre.shape)} and {tuple(matrix.shape)}"
        )
    return centre, matrix


class Frechet(DistanceIndicator):
    """Squared Frechet distance over batches of vectors to a frozen Gaussian; see `frechet`.

    As input to `update`: `x` (n, d) of any float type. The state is d + 1 by d. Value: float64.

    Args:
        mean: d, of the reference; `Geometry.mean`.
        covariance: d d, of the reference; `Geometry.covariance`.

    Example:
        >>> metric = Frechet(mean=[0.0], covariance=[[1.0]])
        >>> metric.update(torch.tensor([[0.0], [2.0], [4.0]]))
        >>> metric.compute()
        tensor(5., dtype=torch.float64)
    """

    name, place = "frechet", 30
    unit = "squared distance"
    scale = EffectScale.LOG_RATIO
    direction = Direction.UP
    value_range = (0.0, math.inf)
    cost = "O(n d^2 + d^3)"
    definitions = (3, 4)
    undefined = "there are fewer than two samples"
    misses = "everything but mean and covariance: lost modes and tails that leave these as they are"

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group, against the pool."""
        geometry = group.instruments.geometry
        if geometry.dimension > len(geometry.reference):  # of more columns than rows, the covariance is the larger one
            return _to_factor(group.vectors, group.instruments.of(_factor_of_pool))
        return frechet_to(group.vectors, geometry.mean, geometry.covariance)

    def __init__(self, mean: Vectors, covariance: Vectors, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.mean, self.covariance = numbers(mean), numbers(covariance)
        dimension = len(self.mean)
        # Sums are of rows less the reference mean, beside which a generation's own mean is small.
        centre = tag(self.mean.cpu().numpy())
        self._add_count(f"n_rows_about_{centre}")
        self._add_sum(f"total_about_{centre}", dimension)
        self._add_sum(f"products_about_{centre}", dimension, dimension)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        vectors = rows(x, dimension=len(self.mean))
        shifted = vectors - self.mean.to(vectors.device)
        self._add_up(len(shifted), shifted.sum(dim=0), shifted.T @ shifted)

    def compute(self) -> Tensor:
        """Squared distance of everything since the last reset."""
        n, total, products = self._totals
        if n < 2:
            return self._scalar(math.nan)
        covariance = (products - torch.outer(total, total) / n) / (n - 1)
        reference = self.covariance.to(total.device)
        return self._scalar(frechet(total / n, covariance, torch.zeros_like(total), reference))


def _factor_of_pool(frozen: Instruments) -> _Factor:
    return _Factor.of(rows(frozen.geometry.reference))
