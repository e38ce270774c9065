"""Geometry: real data as frozen points, so that distances to them mean the same in every generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import FloatArray, IntArray, freeze
from collapse_guard.errors import InputError

LARGEST_REFERENCE = 2048
"""Largest number of reference vectors."""
NEIGHBOURS = 5
"""k of the radii, as in Naeem et al. (2020)."""
FEWEST_PER_CLUSTER = 8
"""Smallest mean number of reference vectors per cluster."""
_BLOCK = 4096
_RESTARTS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """Frozen points of real data, with the radius of each, clusters over them, and the width of a kernel.

    MAUVE, Jensen-Shannon, precision, recall, density, coverage, MMD and Frechet are measured against it. It is never
    fitted again, so the scores of all generations are on one scale.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(100, 3))
        >>> geometry = Geometry.fit(points, n_clusters=64, seed=0)
        >>> geometry.reference.shape, geometry.codebook.shape, int(geometry.histogram.sum())
        ((100, 3), (12, 3), 100)
    """

    reference: FloatArray
    """n d: vectors of real data, at most 2,048."""
    radii: FloatArray
    """n: distance of each vector to its k-th nearest other vector, k = `NEIGHBOURS`; 0 if it has k equal ones."""
    codebook: FloatArray
    """c d: centres of the clusters."""
    bandwidth: float
    """Width of a Gaussian kernel: the median distance between two reference vectors; if that is 0, the mean distance;
    if that is 0 too, 1."""

    @classmethod
    def fit(cls, vectors: npt.ArrayLike, *, n_clusters: int = 64, seed: int = 0) -> Geometry:
        """Freeze the first 2,048 vectors, and fit radii, codebook and bandwidth on them.

        The clusters come from k-means, the best of four k-means++ starts. Their number is the smaller of `n_clusters`
        and n // 8, at least 2, but never more than there are different vectors. The same vectors in the same order with
        the same seed give the same bits on one machine, with any number of threads. Cost: O(n^2 d + n c d).

        Args:
            vectors: n d finite numbers, n > `NEIGHBOURS`, in an order independent of their values.
            n_clusters: Largest number of clusters.
            seed: Seed of k-means.

        Raises:
            InputError: The shape is wrong, there are too few vectors, or a number is not finite.
        """
        from scipy.spatial.distance import pdist

        reference = np.array(vectors, dtype=np.float64)[:LARGEST_REFERENCE]
        _check(reference)
        distances = pdist(reference)
        return cls(
            reference=freeze(reference),
            radii=freeze(_radii(distances)),
            codebook=freeze(_codebook(reference, n_clusters, seed)),
            bandwidth=_bandwidth(distances),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Geometry:
        """Rebuild a geometry from `arrays`.

        Raises:
            InputError: An array is missing, does not fit the shape of the others, or is not finite.
        """
        reference, radii, codebook, bandwidth = (_array(arrays, name) for name in _NAMES)
        _check(reference)
        n, d = reference.shape
        _require(radii.shape == (n,) and bool((radii >= 0).all()), f"`radii` must be {n} numbers of at least 0")
        _require(codebook.ndim == 2 and codebook.shape[1] == d and len(codebook) > 0, f"`codebook` must be c by {d}")
        _require(bandwidth.shape == (1,) and bandwidth[0] > 0, "`bandwidth` must be one number above 0")
        return cls(
            reference=freeze(reference),
            radii=freeze(radii),
            codebook=freeze(codebook),
            bandwidth=float(bandwidth[0]),
        )

    def arrays(self) -> dict[str, FloatArray]:
        """All parts by name, for `from_arrays`."""
        return {name: np.atleast_1d(getattr(self, name)) for name in _NAMES}

    @property
    def dimension(self) -> int:
        """d."""
        return int(self.reference.shape[1])

    def assign(self, vectors: npt.ArrayLike) -> IntArray:
        """Nearest centre of each vector; the first one of equally near ones. Cost: O(m c d).

        Args:
            vectors: m d.

        Raises:
            InputError: The shape is wrong.

        Example:
            >>> points = np.random.default_rng(0).normal(size=(100, 3))
            >>> geometry = Geometry.fit(points, n_clusters=4, seed=0)
            >>> geometry.assign(geometry.codebook).tolist()
            [0, 1, 2, 3]
        """
        rows = np.asarray(vectors, dtype=np.float64)
        _require(
            rows.ndim == 2 and rows.shape[1] == self.dimension,
            f"`vectors` must be m by {self.dimension}, but got shape {rows.shape}",
        )
        parts = [_nearest(rows[start : start + _BLOCK], self.codebook) for start in range(0, len(rows), _BLOCK)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    @cached_property
    def histogram(self) -> IntArray:
        """c: reference vectors in each cluster."""
        counts: IntArray = np.bincount(self.assign(self.reference), minlength=len(self.codebook)).astype(np.int64)
        return freeze(counts)

    @cached_property
    def mean(self) -> FloatArray:
        """d: mean of the reference."""
        return freeze(self.reference.mean(axis=0))

    @cached_property
    def covariance(self) -> FloatArray:
        """d d: covariance of the reference with divisor n - 1."""
        return freeze(np.atleast_2d(np.cov(self.reference, rowvar=False)))


_NAMES = ("reference", "radii", "codebook", "bandwidth")


def _radii(distances: FloatArray) -> FloatArray:
    from scipy.spatial.distance import squareform

    matrix = squareform(distances)
    np.fill_diagonal(matrix, np.inf)
    radii: FloatArray = np.partition(matrix, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    return radii


def _bandwidth(distances: FloatArray) -> float:
    return float(np.median(distances)) or float(distances.mean()) or 1.0


def _codebook(reference: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    from sklearn.cluster import KMeans

    largest = max(2, min(n_clusters, len(reference) // FEWEST_PER_CLUSTER))
    n_distinct = len(np.unique(reference, axis=0))
    # One thread adds in one order, so the bits do not depend on the machine's number of cores.
    with threadpool_limits(1):
        means = KMeans(min(largest, n_distinct), n_init=_RESTARTS, random_state=seed).fit(reference)
    return np.ascontiguousarray(means.cluster_centers_, dtype=np.float64)


def _nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    # |x - c|^2 less |x|^2, which is the same for all centres.
    scores = (centres**2).sum(axis=1) - 2.0 * rows @ centres.T
    nearest: IntArray = scores.argmin(axis=1).astype(np.int64)
    return nearest


def _array(arrays: Mapping[str, FloatArray], name: str) -> FloatArray:
    _require(name in arrays, f"a geometry must have `{name}`, but got {', '.join(sorted(arrays)) or 'nothing'}")
    array = np.asarray(arrays[name], dtype=np.float64)
    _require(bool(np.isfinite(array).all()), f"`{name}` must be finite")
    return array


def _check(reference: FloatArray) -> None:
    _require(
        reference.ndim == 2 and reference.shape[1] > 0 and len(reference) > NEIGHBOURS,
        f"`vectors` must be at least {NEIGHBOURS + 1} rows of d numbers, but got shape {reference.shape}: "
        "give more real data",
    )
    _require(bool(np.isfinite(reference).all()), "`vectors` must be finite, but some numbers are not: drop their rows")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InputError(message)
