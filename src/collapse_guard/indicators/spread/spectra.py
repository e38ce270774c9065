"""Spectra: eigenvalues of the products of rows, and the effective number of the directions that they tell."""

from __future__ import annotations

import math

import torch
from torch import Tensor

EPSILON = torch.finfo(torch.float64).eps
"""Rounding of a float64."""


def hill_number(shares: Tensor, q: float) -> float:
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


def eigenvalues(matrix: Tensor) -> Tensor:
    """Of a symmetric matrix; NaN where it is not finite."""
    return torch.linalg.eigvalsh(matrix) if matrix.isfinite().all() else matrix.new_full((1,), math.nan)


def squared_singular_values(x: Tensor) -> Tensor:
    """Of rows, through the smaller one of their two products."""
    return eigenvalues(x @ x.T if x.shape[0] < x.shape[1] else x.T @ x)
