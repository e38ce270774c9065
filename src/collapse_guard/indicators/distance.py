"""Distance: how far generated vectors are from frozen real ones, and in which way, from counts and sums that add up.

The frozen parts are those of a wild type's geometry (`WildType.geometry`): scores of all generations are on one scale.
The formulas stand in `divergences`, `kernels`, `frechet` and `manifold`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.divergences import jensen_shannon, mauve
from collapse_guard.indicators.fidelity import Coverage, Density, Precision, Recall
from collapse_guard.indicators.frechet import frechet, frechet_to
from collapse_guard.indicators.kernels import RandomFeatures, discrepancy_of_sums, feature_mmd2, mmd2, mmd_test
from collapse_guard.indicators.manifold import Manifold, ManifoldScores, coverage, density, precision, recall
from collapse_guard.indicators.vectors import OfDistance, Vectors, numbers, rows, tag
from collapse_guard.records import Direction

__all__ = [
    "Coverage",
    "Density",
    "Frechet",
    "JensenShannon",
    "Manifold",
    "ManifoldScores",
    "Mauve",
    "Mmd",
    "Precision",
    "RandomFeatures",
    "Recall",
    "coverage",
    "density",
    "feature_mmd2",
    "frechet",
    "frechet_to",
    "jensen_shannon",
    "mauve",
    "mmd2",
    "mmd_test",
    "precision",
    "recall",
]


class _OfClusters(OfDistance):
    """Counts of the nearest centres of a frozen codebook."""

    cost = "O(n c d)"
    definitions = (6, 8)
    undefined = "there are no samples"

    def __init__(self, codebook: Vectors, histogram: npt.ArrayLike | Tensor, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.codebook = rows(codebook, name="codebook")
        self.histogram = numbers(histogram)
        if self.histogram.shape != (len(self.codebook),):
            raise InputError(
                f"`histogram` must have a count for each of the {len(self.codebook)} centres of `codebook`, "
                f"but got the shape {tuple(self.histogram.shape)}"
            )
        self._counts = f"counts_of_clusters_{tag(self.codebook.cpu().numpy())}"
        self._add_sum(self._counts, len(self.codebook))

    def update(self, x: Tensor) -> None:
        """Add rows."""
        vectors = rows(x, dimension=self.codebook.shape[1])
        centres = self.codebook.to(vectors.device)
        nearest = (centres.square().sum(dim=1) - 2.0 * vectors @ centres.T).argmin(dim=1)
        counts = torch.bincount(nearest, minlength=len(centres)).to(torch.float64)
        # A row that is not finite has no nearest centre: as a count that is not a number it is not hidden.
        setattr(self, self._counts, getattr(self, self._counts) + counts + 0.0 * vectors.sum())


class JensenShannon(_OfClusters):
    """Jensen-Shannon divergence over batches of vectors, by the clusters of a frozen codebook; see `jensen_shannon`.

    As input to `update`: `x` (n, d) of any float type. The state is c counts. Value: float64.

    Args:
        codebook: c d, centres; `Geometry.codebook`.
        histogram: c, reference vectors in each cluster; `Geometry.histogram`.

    Example:
        >>> metric = JensenShannon(codebook=[[0.0], [5.0], [9.0]], histogram=[6, 4, 0])
        >>> metric.update(torch.tensor([[0.0]] * 5 + [[5.0]] * 3 + [[9.0]] * 2))
        >>> metric.compute()
        tensor(0.0752, dtype=torch.float64)
    """

    name = "jensen_shannon"
    unit = "nats"
    direction = Direction.UP
    value_range = (0.0, math.log(2.0))
    misses = "what happens within a cluster, and what the embedder does not tell apart"

    def compute(self) -> Tensor:
        """Divergence of everything since the last reset."""
        return self._scalar(jensen_shannon(getattr(self, self._counts), self.histogram))


class Mauve(_OfClusters):
    """MAUVE over batches of vectors, by the clusters of a frozen codebook; see `mauve`.

    As input to `update`: `x` (n, d) of any float type. The state is c counts. Value: float64.

    Args:
        codebook: c d, centres; `Geometry.codebook`.
        histogram: c, reference vectors in each cluster; `Geometry.histogram`.

    Example:
        >>> metric = Mauve(codebook=[[0.0], [5.0], [9.0]], histogram=[6, 4, 0])
        >>> metric.update(torch.tensor([[0.0]] * 5 + [[5.0]] * 3 + [[9.0]] * 2))
        >>> metric.compute()
        tensor(0.7497, dtype=torch.float64)
    """

    name = "mauve"
    unit = "1"
    scale = "log_ratio"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    misses = "what happens within a cluster, and what the embedder does not tell apart"

    def compute(self) -> Tensor:
        """MAUVE of everything since the last reset."""
        return self._scalar(mauve(getattr(self, self._counts), self.histogram))


class Mmd(OfDistance):
    """Unbiased squared MMD over batches of vectors, under a frozen random-feature kernel; see `feature_mmd2`.

    As input to `update`: `x` (n, d) of any float type. The state is one sum of features. Value: float64.

    Args:
        reference: m d, real vectors; `Geometry.reference`.
        bandwidth: Of the kernel; `Geometry.bandwidth`.
        n_features: Directions of the features, two numbers for each.
        seed: Of the directions.

    Example:
        >>> metric = Mmd(reference=[[9.0], [9.0]], bandwidth=1.0)
        >>> metric.update(torch.tensor([[9.0], [9.0]]))
        >>> metric.compute() < 1e-9
        tensor(True)
    """

    name = "mmd"
    unit = "squared kernel distance"
    direction = Direction.UP
    value_range = (-2.0, 4.0)
    cost = "O(n d r)"
    definitions = (3, 6, 8)
    undefined = "there are fewer than two samples"
    misses = "differences much finer or much coarser than the bandwidth of its kernel"

    def __init__(
        self, reference: Vectors, bandwidth: float, n_features: int = 256, seed: int = 0, **kwargs: Any
    ) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        points = rows(reference, name="reference")
        self.features = RandomFeatures(points.shape[1], bandwidth, n_features, seed)
        self.n_reference, self.reference_total = len(points), self.features(points).sum(dim=0)
        suffix = tag(self.features.directions.numpy())
        self._n_rows, self._total = f"n_rows_as_features_{suffix}", f"total_of_features_{suffix}"
        self._add_sum(self._n_rows, dtype=torch.int64)
        self._add_sum(self._total, 2 * n_features)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        features = self.features(x)
        setattr(self, self._n_rows, getattr(self, self._n_rows) + len(features))
        setattr(self, self._total, getattr(self, self._total) + features.sum(dim=0))

    def compute(self) -> Tensor:
        """Squared discrepancy of everything since the last reset."""
        total = getattr(self, self._total)
        n_rows, reference = int(getattr(self, self._n_rows)), self.reference_total.to(total.device)
        return self._scalar(discrepancy_of_sums(n_rows, total, self.n_reference, reference))


class Frechet(OfDistance):
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

    name = "frechet"
    unit = "squared distance"
    scale = "log_ratio"
    direction = Direction.UP
    value_range = (0.0, math.inf)
    cost = "O(n d^2 + d^3)"
    definitions = (3, 4)
    undefined = "there are fewer than two samples"
    misses = "everything but mean and covariance: lost modes and tails that leave these as they are"

    def __init__(self, mean: Vectors, covariance: Vectors, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.mean, self.covariance = numbers(mean), numbers(covariance)
        dimension = len(self.mean)
        # Sums are of rows less the reference mean, beside which a generation's own mean is small.
        names = (f"{part}_about_{tag(self.mean.cpu().numpy())}" for part in ("n_rows", "total", "products"))
        self._n_rows, self._total, self._products = names
        self._add_sum(self._n_rows, dtype=torch.int64)
        self._add_sum(self._total, dimension)
        self._add_sum(self._products, dimension, dimension)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        vectors = rows(x, dimension=len(self.mean))
        shifted = vectors - self.mean.to(vectors.device)
        setattr(self, self._n_rows, getattr(self, self._n_rows) + len(shifted))
        setattr(self, self._total, getattr(self, self._total) + shifted.sum(dim=0))
        setattr(self, self._products, getattr(self, self._products) + shifted.T @ shifted)

    def compute(self) -> Tensor:
        """Squared distance of everything since the last reset."""
        n, total, products = (getattr(self, name) for name in (self._n_rows, self._total, self._products))
        if n < 2:
            return self._scalar(math.nan)
        covariance = (products - torch.outer(total, total) / n) / (n - 1)
        reference = self.covariance.to(total.device)
        return self._scalar(frechet(total / n, covariance, torch.zeros_like(total), reference))
