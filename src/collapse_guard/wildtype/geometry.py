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
_MANY_COLUMNS = 2048
_NEAR = 1e-4
"""Squared distance of a pair, in squared lengths, below which a difference of sums has lost a quarter of its digits."""
_NUMBERS_AT_ONCE = 1 << 22


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
        reference = np.array(vectors, dtype=np.float64)[:LARGEST_REFERENCE]
        _check(reference)
        products = _products(reference) if reference.shape[1] > _MANY_COLUMNS else None
        distances = _distances(reference, products)
        return cls(
            reference=freeze(reference),
            radii=freeze(_radii(distances)),
            codebook=freeze(_codebook(reference, products, n_clusters, seed)),
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


def _products(rows: FloatArray) -> FloatArray:
    """n n: products of all pairs of rows, about their mean."""
    centred = rows - rows.mean(axis=0)
    with threadpool_limits(1):
        products: FloatArray = centred @ centred.T
    return products


def _distances(rows: FloatArray, products: FloatArray | None) -> FloatArray:
    """The distance of each pair of rows, as `pdist` orders them.

    Of many columns, products are ten times as fast. Where a difference of them has lost digits, it is not used.
    """
    if products is None:
        from scipy.spatial.distance import pdist

        distances: FloatArray = pdist(rows)
        return distances
    i, j = np.triu_indices(len(rows), 1)
    squares = products.diagonal()[i] + products.diagonal()[j]
    found = squares - 2.0 * products[i, j]
    near = np.flatnonzero(found < _NEAR * squares)
    at_once = _NUMBERS_AT_ONCE // rows.shape[1] + 1
    for start in range(0, len(near), at_once):
        some = near[start : start + at_once]
        found[some] = ((rows[i[some]] - rows[j[some]]) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(found), dtype=np.float64)


def _radii(distances: FloatArray) -> FloatArray:
    from scipy.spatial.distance import squareform

    matrix = squareform(distances)
    np.fill_diagonal(matrix, np.inf)
    radii: FloatArray = np.partition(matrix, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    return radii


def _bandwidth(distances: FloatArray) -> float:
    return float(np.median(distances)) or float(distances.mean()) or 1.0


def _codebook(reference: FloatArray, products: FloatArray | None, n_clusters: int, seed: int) -> FloatArray:
    from sklearn.cluster import KMeans

    largest = max(2, min(n_clusters, len(reference) // FEWEST_PER_CLUSTER))
    n_distinct = len({row.tobytes() for row in reference + 0.0})
    # One thread adds in one order, so the bits do not depend on the machine's number of cores.
    with threadpool_limits(1):
        points = reference if products is None else _coordinates(products)
        means = KMeans(min(largest, n_distinct), n_init=_RESTARTS, random_state=seed).fit(points)
    if products is None:
        return np.ascontiguousarray(means.cluster_centers_, dtype=np.float64)
    return np.stack([reference[means.labels_ == label].mean(axis=0) for label in np.unique(means.labels_)])


def _coordinates(products: FloatArray) -> FloatArray:
    """n n: points of few columns with the products of rows of many: clusters of the one are those of the other."""
    values, directions = np.linalg.eigh(products)
    coordinates: FloatArray = directions * np.sqrt(np.maximum(values, 0.0))
    return coordinates


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
