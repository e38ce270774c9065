"""Precision, recall, density and coverage as metrics, against a frozen reference; the formulas stand in `manifold`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.arguments import whole
from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.distance.manifold import Manifold, ManifoldScores, recall
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.ngrams import FlatStates
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.indicators.vectors import DistanceIndicator, Vectors, array, rows, tag
from collapse_guard.records import Direction

_MOST_ROWS = 100_000


class _ManifoldIndicator(DistanceIndicator):
    """One of `ManifoldScores`, by its name."""

    unit = "1"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    definitions: ClassVar[tuple[int, ...]] = (6, 7)

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group, against the pool."""
        return float(group.of(_scores)._asdict()[cls.name])


class _BallIndicator(_ManifoldIndicator):
    """Counts of generated vectors in the balls of frozen reference vectors."""

    cost = "O(n m d) for m reference vectors"
    undefined = "there are no samples"

    def __init__(self, reference: Vectors, radii: npt.ArrayLike | None = None, k: int = 5, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.manifold = Manifold(reference, radii, k)
        suffix = tag(array(reference), self.manifold.radii)
        self._add_count(f"n_rows_of_{suffix}")
        self._add_sum(f"n_inside_of_{suffix}")
        self._add_sum(f"n_memberships_of_{suffix}")
        self._covered = f"covered_of_{suffix}"
        self.add_state(self._covered, torch.zeros(len(self.manifold), dtype=torch.float64), dist_reduce_fx="max")

    def update(self, x: Tensor) -> None:
        """Add rows."""
        membership = self.manifold.membership(x, recall=False)
        balls = membership.reference_balls
        inside = np.where(np.isnan(balls), np.nan, balls > 0)
        self._add_up(len(balls), float(inside.sum()), float(balls.sum()))
        covered = getattr(self, self._covered)
        setattr(self, self._covered, torch.maximum(covered, torch.from_numpy(membership.covered).to(covered.device)))

    def compute(self) -> Tensor:
        """The score of everything since the last reset; NaN without rows."""
        n, inside, memberships = map(float, self._totals)
        covered = float(getattr(self, self._covered).mean()) if n else math.nan
        shares = {
            "precision": ratio(inside, n),
            "density": ratio(memberships, n) / self.manifold.k,
            "coverage": covered,
        }
        return self._scalar(shares[self.name])


class Precision(_BallIndicator):
    """Precision over batches of vectors against a frozen reference; see `precision`.

    As input to `update`: `x` (n, d) of any float type. The state is O(m) for m reference vectors. Value: float64.

    Args:
        reference: m d, real vectors; `Geometry.reference`.
        radii: m, of their balls; `Geometry.radii`. None: found here.
        k: Neighbours that a ball reaches to.

    Example:
        >>> metric = Precision(reference=[[0.0], [1.0], [2.0]], k=1)
        >>> metric.update(torch.tensor([[1.5], [9.0]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "precision", 50
    direction = Direction.BOTH
    definitions = (8,)
    misses = "lost modes: samples that are all equal and real have a precision of 1"


class Density(_BallIndicator):
    """Density over batches of vectors against a frozen reference; see `density`.

    As input to `update`: `x` (n, d) of any float type. The state is O(m) for m reference vectors. Value: float64.

    Args:
        reference: m d, real vectors; `Geometry.reference`.
        radii: m, of their balls; `Geometry.radii`. None: found here.
        k: Neighbours that a ball reaches to.

    Example:
        >>> metric = Density(reference=[[0.0], [1.0], [2.0]], k=1)
        >>> metric.update(torch.tensor([[1.5], [9.0]]))
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    name, place = "density", 70
    direction = Direction.BOTH
    value_range = (0.0, math.inf)
    definitions = (8,)
    misses = "lost modes, and samples outside of the data if as many crowd in its dense parts"


class Coverage(_BallIndicator):
    """Coverage over batches of vectors of a frozen reference; see `coverage`.

    As input to `update`: `x` (n, d) of any float type. The state is O(m) for m reference vectors. Value: float64.

    Args:
        reference: m d, real vectors; `Geometry.reference`.
        radii: m, of their balls; `Geometry.radii`. None: found here.
        k: Neighbours that a ball reaches to.

    Example:
        >>> metric = Coverage(reference=[[0.0], [1.0], [5.0], [6.0]], k=1)
        >>> metric.update(torch.tensor([[0.5], [0.6]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "coverage", 80
    misses = "samples outside of the data, and shares: one sample near a mode covers it"


class Recall(_ManifoldIndicator, FlatStates):
    """Recall over batches of vectors of a frozen reference; see `recall`.

    As input to `update`: `x` (n, d) of any float type. The balls are those of all generated vectors together, so these
    are kept, 100,000 at most. Value: float64.

    Args:
        reference: m d, real vectors; `Geometry.reference`.
        k: Neighbours that a ball of a generated vector reaches to.

    Example:
        >>> metric = Recall(reference=[[1.5], [9.0]], k=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [2.0]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "recall", 60
    cost = "O(n (n + m) d) for m reference vectors"
    undefined = "there are no more than k samples"
    misses = "shares of modes, and, where samples are few, holes between them: their balls are wide"

    def __init__(self, reference: Vectors, k: int = 5, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.reference: FloatArray = array(reference, name="reference")
        self.k = whole("k", k, least=1)
        self._kept = f"vectors_of_{self.reference.shape[1]}"
        self._add_flat(self._kept, torch.float64)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        vectors = rows(x, dimension=self.reference.shape[1])
        kept = len(getattr(self, self._kept)) // self.reference.shape[1]
        self._check_room("x", kept + len(vectors), _MOST_ROWS, "rows")
        self._append(self._kept, vectors.ravel())

    def compute(self) -> Tensor:
        """Recall by everything since the last reset."""
        generated = getattr(self, self._kept).reshape(-1, self.reference.shape[1])
        if len(generated) <= self.k:
            return self._scalar(math.nan)
        return self._scalar(recall(reference=self.reference, generated=generated, k=self.k))


def _scores(group: VectorGroup) -> ManifoldScores:
    """How a group lies among the reference; NaN where it is too small for balls of its own."""
    manifold = group.instruments.of(_manifold)
    if len(group.vectors) <= manifold.k:
        return ManifoldScores(math.nan, math.nan, math.nan, math.nan)
    return manifold.scores(group.vectors)


def _manifold(instruments: Instruments) -> Manifold:
    """Balls around the reference vectors."""
    return Manifold(instruments.geometry.reference, instruments.geometry.radii)
