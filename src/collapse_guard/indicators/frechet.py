"""Frechet distance of two Gaussians: how far mean and covariance of generated vectors are from those of real ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.vectors import Vectors, numbers, rows


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
    return _distance(own[0] - reference[0], factor, reference[1])


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
    return _distance(own - mean.to(x.device), factor, covariance.to(x.device))


def _distance(shift: Tensor, factor: Tensor, covariance: Tensor) -> float:
    """Of the Gaussian whose covariance is `factor^T factor`."""
    product = factor @ covariance @ factor.T
    roots = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0.0).sqrt()
    return max(0.0, float(shift.square().sum() + factor.square().sum() + covariance.trace() - 2.0 * roots.sum()))


def _gaussian(
    mean: Vectors, covariance: Vectors, mean_name: str, covariance_name: str, dimension: int | None = None
) -> tuple[Tensor, Tensor]:
    centre, matrix = numbers(mean), numbers(covariance)
    if centre.ndim != 1 or matrix.shape != (len(centre), len(centre)) or dimension not in (None, len(centre)):
        wanted = "d" if dimension is None else dimension
        raise InputError(
            f"`{mean_name}` and `{covariance_name}` must have the shapes ({wanted},) and ({wanted}, {wanted}), but got "
            f"{tuple(centre.shape)} and {tuple(matrix.shape)}"
        )
    return centre, matrix
