"""Kernels: the maximum mean discrepancy, its permutation test, and frozen random features of the Gaussian kernel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arguments import above, whole
from collapse_guard.errors import InputError
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.indicators.vectors import DistanceIndicator, Vectors, rows, tag
from collapse_guard.records.readings import Direction

_TIE = 1e-12
"""Statistics that differ by less are equal up to rounding."""
_LARGEST_TEST = 20_000
"""Rows in both samples for which half of the kernel matrix is still held: 1.6 GB."""
_ROWS = 256


class MmdTest(NamedTuple):
    """A permutation test of two samples."""

    mmd2: float
    """Unbiased squared discrepancy."""
    p_value: float
    """`(1 + k) / (1 + N)` for k of N permutations that are at least as far apart."""
    bandwidth: float
    """Of the kernel."""


class RandomFeatures:
    r"""Frozen Fourier features of the Gaussian kernel: `phi(x) = sqrt(1 / r) [cos(w x), sin(w x)]`, w ~ N(0, I / b^2).

    `phi(x) . phi(y)` is `exp(-|x - y|^2 / (2 b^2))` up to an error with a standard deviation of at most
    sqrt(1 / (2 r)) in each pair, and `|phi(x)| = 1` exactly. What is linear in the features is a kernel method at the
    cost of sums: the kernel Vendi score is `vendi(features(x))`. The w are drawn once from NumPy's generator, so scores
    of different generations are on one scale. O(n d r).

    Args:
        dimension: d of the vectors.
        bandwidth: b, above 0.
        n_features: r, number of directions w.
        seed: Of the w.

    Raises:
        InputError: An argument is out of range.

    Source: Rahimi and Recht (2007), Random features for large-scale kernel machines, NeurIPS; Ospanov et al. (2024),
    arXiv:2407.02961, for the Vendi score.

    Example:
        >>> from collapse_guard.indicators.spread import vendi
        >>> features = RandomFeatures(dimension=1, bandwidth=1.0, n_features=1000)
        >>> round(vendi(features([[0.0], [0.0], [100.0], [100.0]])), 2)
        2.0
    """

    def __init__(self, dimension: int, bandwidth: float, n_features: int = 256, seed: int = 0) -> None:
        """Draw the directions."""
        self.dimension = whole("dimension", dimension, least=1)
        self.n_features = whole("n_features", n_features, least=1)
        draws = np.random.default_rng(seed).normal(size=(n_features, dimension))
        self.directions = torch.from_numpy(draws / above("bandwidth", bandwidth, 0.0))

    def __call__(self, x: Vectors) -> Tensor:
        """Features of vectors: n 2r float64."""
        vectors = rows(x, dimension=self.dimension)
        angles = vectors @ self.directions.to(vectors.device).T
        return torch.cat([angles.cos(), angles.sin()], dim=1) * math.sqrt(1.0 / self.n_features)


def feature_mmd2(*, generated: Vectors, reference: Vectors, features: RandomFeatures) -> float:
    r"""Squared maximum mean discrepancy under the kernel of frozen random features, without bias, from sums.

    `sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1)) - 2 mean k(x_i, y_j)` with
    `k(x, y) = phi(x) . phi(y)`, at the cost of one pass over each sample.

    Range: [-2, 4]; 0 is its expectation for samples of one distribution, at any m and n, so it may be negative.
    Collapse: up. Undefined (NaN) for fewer than two rows on a side, or where a number is not finite. O((m + n) d r) for
    r features.

    Args:
        generated: m d.
        reference: n d.
        features: Of one bandwidth and one seed for all generations.

    Raises:
        InputError: The dimensions are not those of the features.

    Source: Gretton et al. (2012), A kernel two-sample test, JMLR 13:723, eq. (3); Rahimi and Recht (2007), NeurIPS.

    Example:
        >>> features = RandomFeatures(dimension=1, bandwidth=1.0, n_features=1000)
        >>> round(feature_mmd2(generated=[[0.0], [0.0]], reference=[[9.0], [9.0]], features=features), 1)
        2.0
    """
    x, y = features(generated), features(reference)
    return discrepancy_of_sums(len(x), x.sum(dim=0), len(y), y.sum(dim=0).to(x.device))


def discrepancy_of_sums(m: int, total: Tensor, n: int, total_reference: Tensor) -> float:
    """`feature_mmd2` of the numbers of rows and the sums of their features; each feature vector has length one."""
    if min(m, n) < 2:
        return math.nan
    pairs = ((total, total), (total_reference, total_reference), (total, total_reference))
    within, within_reference, between = (float(a @ b) for a, b in pairs)
    return (within - m) / (m * (m - 1)) + (within_reference - n) / (n * (n - 1)) - 2.0 * between / (m * n)


def mmd_test(
    *,
    generated: Vectors,
    reference: Vectors,
    permutations: int = 100,
    bandwidth: float | None = None,
    seed: int = 0,
) -> MmdTest:
    r"""Permutation test of equal distributions by the unbiased MMD^2 under `k(x, y) = exp(-|x - y|^2 / (2 b^2))`.

    The p-value `(1 + k) / (1 + N)` counts the samples as they are as one permutation: it is never 0, and a test at
    level a errs with a probability of at most a. All permutations are one product of the kernel matrix with their
    indicators. Undefined (NaN) for fewer than two rows on a side, or where a number is not finite. It takes
    O((m + n)^2 (d + N)) time and O((m + n)^2) memory.

    Args:
        generated: m d.
        reference: n d; 20,000 rows in both together at most.
        permutations: N.
        bandwidth: b; None: the median distance between two rows of both samples together.
        seed: Of the permutations.

    Raises:
        InputError: The dimensions differ, there are too many rows, or an argument is out of range.

    Source: Gretton et al. (2012), A kernel two-sample test, JMLR 13:723; Phipson and Smyth (2010), Permutation p-values
    should never be zero, Stat. Appl. Genet. Mol. Biol. 9:39.

    Example:
        >>> far = mmd_test(generated=[[0.0]] * 20, reference=[[9.0]] * 20, permutations=99, bandwidth=1.0)
        >>> round(far.mmd2, 6), far.p_value
        (2.0, 0.01)
    """
    x = rows(generated, name="generated")
    y = rows(reference, dimension=x.shape[1], name="reference").to(x.device)
    whole("permutations", permutations, least=1)
    n_rows = len(x) + len(y)
    if n_rows > _LARGEST_TEST:
        raise InputError(
            f"`generated` and `reference` must have at most {_LARGEST_TEST:,} rows together, but got {n_rows:,}: "
            "take a sample of each, or compare with `feature_mmd2`"
        )
    if min(len(x), len(y)) < 2 or not (x.isfinite().all() and y.isfinite().all()):
        return MmdTest(math.nan, math.nan, math.nan)
    squared = _upper_blocks(torch.cat([x, y]))
    width = _median_distance(squared) if bandwidth is None else above("bandwidth", bandwidth, 0.0)
    kernel = [block.mul_(-0.5 / width**2).exp_() for block in squared]
    statistics = _statistics(kernel, _memberships(len(x), len(y), permutations, seed).to(x.device))
    n_as_far = int((statistics[1:] >= statistics[0] - _TIE).sum())
    return MmdTest(float(statistics[0]), (1 + n_as_far) / (1 + permutations), width)


def _memberships(m: int, n: int, permutations: int, seed: int) -> Tensor:
    """1 for the rows of the one sample: first as they are, then permuted; m + n by 1 + N."""
    own = np.zeros((1 + permutations, m + n))
    own[:, :m] = 1.0
    own[1:] = np.random.default_rng(seed).permuted(own[1:], axis=1)
    return torch.from_numpy(np.ascontiguousarray(own.T))


def _upper_blocks(x: Tensor) -> list[Tensor]:
    """Squared distances, of some rows at a time to these and all later ones.

    `|x|^2 + |y|^2 - 2 x y` is one product of a left and a right factor; a large mean would cost digits.
    """
    x = x - x.mean(dim=0)
    lengths, ones = x.square().sum(dim=1, keepdim=True), torch.ones_like(x[:, :1])
    left, right = torch.cat([-2.0 * x, ones, lengths], dim=1), torch.cat([x, lengths, ones], dim=1)
    return [left[start : start + _ROWS] @ right[start:].T for start in range(0, len(x), _ROWS)]


def _statistics(kernel: list[Tensor], own: Tensor) -> Tensor:
    """Unbiased MMD^2 for each column of indicators, from the upper blocks of the kernel matrix."""
    m, n = float(own[:, 0].sum()), float(len(own) - own[:, 0].sum())
    within, sums, start = torch.zeros_like(own[0]), torch.zeros_like(own[:, 0]), 0
    for block in kernel:
        size = len(block)
        here, later, start = own[start : start + size], own[start + size :], start + size
        within += (here * (block[:, :size] @ here + 2.0 * block[:, size:] @ later)).sum(dim=0)
        sums[start - size : start] += block.sum(dim=1)
        sums[start:] += block[:, size:].sum(dim=0)
    of_own = own.T @ sums
    other = sums.sum() - 2.0 * of_own + within
    return (within - m) / (m * (m - 1)) + (other - n) / (n * (n - 1)) - 2.0 * (of_own - within) / (m * n)


def _median_distance(blocks: list[Tensor]) -> float:
    """Median over pairs of different rows, to seven digits; 1 where it is 0, and most rows are equal."""
    parts = []
    for block in blocks:
        single, size = block.float().cpu().numpy(), len(block)
        parts += [single[:, :size][np.triu_indices(size, 1)], single[:, size:].ravel()]
    squared = np.concatenate(parts)
    middle = len(squared) // 2
    return math.sqrt(max(float(np.partition(squared, middle)[middle]), 0.0)) or 1.0


class Mmd(DistanceIndicator):
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

    name, place = "mmd", 20
    unit = "squared kernel distance"
    direction = Direction.UP
    value_range = (-2.0, 4.0)
    cost = "O(n d r)"
    definitions = (3, 6, 8)
    undefined = "there are fewer than two samples"
    misses = "differences much finer or much coarser than the bandwidth of its kernel"

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group, against the pool, by random features of a kernel as wide as its vectors are apart."""
        features, total = group.instruments.of(_features)
        n_reference = len(group.instruments.geometry.reference)
        return discrepancy_of_sums(len(group.vectors), features(group.vectors).sum(dim=0), n_reference, total)

    def __init__(
        self, reference: Vectors, bandwidth: float, n_features: int = 256, seed: int = 0, **kwargs: Any
    ) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        points = rows(reference, name="reference")
        self.features = RandomFeatures(points.shape[1], bandwidth, n_features, seed)
        self.n_reference, self.reference_total = len(points), self.features(points).sum(dim=0)
        suffix = tag(self.features.directions.numpy())
        self._add_count(f"n_rows_as_features_{suffix}")
        self._add_sum(f"total_of_features_{suffix}", 2 * n_features)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        features = self.features(x)
        self._add_up(len(features), features.sum(dim=0))

    def compute(self) -> Tensor:
        """Squared discrepancy of everything since the last reset."""
        n_rows, total = self._totals
        reference = self.reference_total.to(total.device)
        return self._scalar(discrepancy_of_sums(int(n_rows), total, self.n_reference, reference))


def _features(instruments: Instruments) -> tuple[RandomFeatures, Tensor]:
    """Random features, and their sum over the reference vectors."""
    geometry = instruments.geometry
    features = RandomFeatures(geometry.dimension, geometry.bandwidth, seed=instruments.wild_type.settings.seed)
    return features, features(geometry.reference).sum(dim=0)
