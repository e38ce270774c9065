"""Fidelity and diversity apart: how generated vectors lie among the balls around reference vectors, and the other way.

A ball around a vector reaches to its k-th nearest neighbour in its own set. A vector is within a ball where its
distance is at most the radius less a trillionth of it: a duplicate lies in a ball of radius 0, and the k-th neighbour
itself, which is on the border, does not count, whatever rounding makes of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.neighbours import Frame, Points, distinct, neighbour_radii, pairs_within
from collapse_guard.indicators.vectors import Vectors, array

_WITHIN = 1.0 - 2e-12
"""Of the squared radius."""


class ManifoldScores(NamedTuple):
    """The four scores of one set of generated vectors."""

    precision: float
    """See `precision`."""
    recall: float
    """See `recall`."""
    density: float
    """See `density`."""
    coverage: float
    """See `coverage`."""


class Membership(NamedTuple):
    """Which vectors lie in which balls, counted."""

    reference_balls: FloatArray
    """m: balls of the reference in which each generated vector lies."""
    covered: FloatArray
    """n: 1 where a ball of the reference holds a generated vector."""
    recalled: FloatArray
    """n: 1 where a reference vector lies in a ball of a generated one; 0 where these were not asked for."""


class Manifold:
    """Reference vectors with their radii, found once: the scores of many groups of generated vectors against them.

    A group of 128 vectors against 2,048 reference vectors in 384 dimensions takes about 10 ms.

    Args:
        reference: n d finite numbers, n > k.
        radii: n, distance of each to its k-th nearest other one; None: found here.
        k: Neighbours that a ball reaches to.

    Raises:
        InputError: `k` is not below n, or an array has another shape or is not finite.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> manifold = Manifold(rng.normal(size=(100, 2)))
        >>> narrow = manifold.scores(rng.normal(size=(100, 2)) / 10)
        >>> narrow.precision, narrow.coverage < 0.3
        (1.0, True)
    """

    def __init__(self, reference: Vectors, radii: npt.ArrayLike | None = None, k: int = 5) -> None:
        """Find the radii, unless given."""
        rows = array(reference, name="reference")
        if not np.isfinite(rows).all():
            raise InputError("`reference` must be finite, but some numbers are not: drop these rows")
        check_k(k, len(rows), "reference")
        self.k = k
        self._frame = Frame.of(rows)
        self._points = Points(rows, self._frame)
        if radii is None:
            self.radii = neighbour_radii(rows, k, self._frame, self._points)
        else:
            self.radii = _checked_radii(radii, len(rows))
        self._limits = _limits(self.radii, self._frame)

    def __len__(self) -> int:
        """n."""
        return len(self.radii)

    def membership(self, generated: Vectors, *, recall: bool = True) -> Membership:
        """Count which vectors lie in which balls, in one pass over all pairs; NaN where a number is not finite.

        Args:
            generated: m d.
            recall: Whether to find the balls of the generated vectors too; needs m > k.

        Raises:
            InputError: Another shape, or `recall` with too few vectors.
        """
        rows = array(generated, dimension=len(self._frame.centre), name="generated")
        if recall:
            check_k(self.k, len(rows), "generated")
        if not np.isfinite(rows).all():
            return Membership(*(np.full(size, np.nan) for size in (len(rows), len(self), len(self))))
        first, inverse, _ = distinct(rows)
        limits = _limits(neighbour_radii(rows, self.k), self._frame) if recall else np.full(len(rows), -np.inf)
        membership = _count(self._points, Points(rows[first], self._frame), self._limits, limits[first])
        return membership._replace(reference_balls=membership.reference_balls[inverse])

    def scores(self, generated: Vectors) -> ManifoldScores:
        """The four scores of generated vectors, m > k.

        Raises:
            InputError: Another shape, or `k` is not below m.
        """
        membership = self.membership(generated)
        return ManifoldScores(
            precision=float((membership.reference_balls > 0).mean())
            if np.isfinite(membership.covered).all()
            else np.nan,
            recall=float(membership.recalled.mean()),
            density=float(membership.reference_balls.mean()) / self.k,
            coverage=float(membership.covered.mean()),
        )


def precision(*, reference: Vectors, generated: Vectors, k: int = 5) -> float:
    r"""Precision: the share of generated vectors that lie within the ball of some reference vector.

    Range: [0, 1]. Collapse: both; it falls where samples leave the data, and rises where they crowd in its dense
    parts. It grows with the number of reference vectors. Undefined (NaN) without generated vectors, or where a number
    is not finite. O(n (n + m) d) time, O(n + m) memory beside the vectors.

    Args:
        reference: n d: real vectors.
        generated: m d: vectors to judge. Swapped with `reference`, this is recall: both are keyword-only.
        k: Neighbours that a ball reaches to.

    Raises:
        InputError: `k` is not below n, or a shape does not fit.

    Source: Kynkaanniemi et al. (2019), Improved precision and recall metric for assessing generative models, NeurIPS,
    eq. (1)-(2).

    Example:
        >>> precision(reference=[[0.0], [1.0], [2.0]], generated=[[1.5], [9.0]], k=1)
        0.5
    """
    balls = _balls(reference, generated, k)
    return float(np.where(np.isnan(balls), np.nan, balls > 0).mean()) if len(balls) else np.nan


def recall(*, reference: Vectors, generated: Vectors, k: int = 5) -> float:
    r"""Recall: the share of reference vectors that lie within the ball of some generated vector.

    Range: [0, 1]. Collapse: down. It grows with the number of generated vectors, so compare it at equal m only.
    Undefined (NaN) without generated vectors, or where a number is not finite. O(m (n + m) d) time.

    Args:
        reference: n d: real vectors.
        generated: m d: vectors to judge. Swapped with `reference`, this is precision: both are keyword-only.
        k: Neighbours that a ball reaches to.

    Raises:
        InputError: `k` is not below m, or a shape does not fit.

    Source: Kynkaanniemi et al. (2019), Improved precision and recall metric for assessing generative models, NeurIPS,
    eq. (1)-(2).

    Example:
        >>> recall(reference=[[1.5], [9.0]], generated=[[0.0], [1.0], [2.0]], k=1)
        0.5
    """
    rows = array(generated, name="generated")
    if not len(rows) or not np.isfinite(rows).all():
        return np.nan
    return precision(reference=rows, generated=array(reference, name="reference"), k=k)


def density(*, reference: Vectors, generated: Vectors, k: int = 5) -> float:
    r"""Density: the mean number of reference balls that a generated vector lies in, as a share of k.

    Range: [0, n / k]. Collapse: both; it falls where samples leave the data, and rises where they crowd around a few
    points of it. 1 is its expectation for vectors of the same distribution, at any n and m, and its value for the
    reference itself. Undefined (NaN) without generated vectors, or where a number is not finite. O(n (n + m) d) time.

    Args:
        reference: n d: real vectors.
        generated: m d: vectors to judge.
        k: Neighbours that a ball reaches to.

    Raises:
        InputError: `k` is not below n, or a shape does not fit.

    Source: Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, ICML, eq. (5).

    Example:
        >>> density(reference=[[0.0], [1.0], [2.0]], generated=[[1.5], [9.0]], k=1)
        1.0
    """
    balls = _balls(reference, generated, k)
    return float(balls.mean()) / k if len(balls) else np.nan


def coverage(*, reference: Vectors, generated: Vectors, k: int = 5) -> float:
    r"""Coverage: the share of reference vectors whose ball holds some generated vector.

    Range: [0, 1]. Collapse: down. It grows with the number of generated vectors, so compare it at equal m only: for m
    vectors of the same distribution its expectation is `1 - prod_i (n - i) / (n + m - i)`, i from 1 to k.
    Undefined (NaN) without generated vectors, or where a number is not finite. O(n (n + m) d) time.

    Args:
        reference: n d: real vectors.
        generated: m d: vectors to judge.
        k: Neighbours that a ball reaches to.

    Raises:
        InputError: `k` is not below n, or a shape does not fit.

    Source: Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, ICML, eq. (7).

    Example:
        >>> coverage(reference=[[0.0], [1.0], [5.0], [6.0]], generated=[[0.5], [0.6]], k=1)
        0.5
    """
    membership = Manifold(reference, k=k).membership(generated, recall=False)
    return float(membership.covered.mean()) if len(membership.reference_balls) else np.nan


def check_k(k: int, n: int, name: str) -> None:
    """Raise InputError where a ball has no k-th neighbour to reach to."""
    if not 1 <= k < n:
        raise InputError(
            f"`k` must be from 1 to one less than the number of `{name}` vectors, but got {k} with {n} of them: "
            "give more vectors or a smaller `k`"
        )


def _balls(reference: Vectors, generated: Vectors, k: int) -> FloatArray:
    return Manifold(reference, k=k).membership(generated, recall=False).reference_balls


def _limits(radii: FloatArray, frame: Frame) -> FloatArray:
    return _WITHIN * (radii / frame.scale) ** 2


def _count(reference: Points, generated: Points, limits: FloatArray, generated_limits: FloatArray) -> Membership:
    membership = Membership(np.zeros(len(generated)), np.zeros(len(reference)), np.zeros(len(reference)))
    for pairs in pairs_within(reference, generated, limits, generated_limits):
        in_reference = pairs.squared <= limits[pairs.left]
        np.add.at(membership.reference_balls, pairs.right[in_reference], 1.0)
        membership.covered[pairs.left[in_reference]] = 1.0
        membership.recalled[pairs.left[pairs.squared <= generated_limits[pairs.right]]] = 1.0
    return membership


def _checked_radii(radii: npt.ArrayLike, n: int) -> FloatArray:
    values = np.asarray(radii, dtype=np.float64)
    if values.shape != (n,) or not (values >= 0).all() or not np.isfinite(values).all():
        raise InputError(
            f"`radii` must be {n} finite numbers of at least 0, one for each reference vector, but got shape "
            f"{values.shape}: leave it out to have them found"
        )
    return values
