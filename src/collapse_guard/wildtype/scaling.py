"""Scaling: what makes columns of different units comparable, frozen on real data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from collapse_guard.arrays import BoolArray, FloatArray, IntArray, freeze

LARGEST_RATIO = 30.0
"""Largest ratio of the deviations of two columns of one unit: pixels reach 7, embeddings and principal components 20, a
column of incomes beside one of ages 1,000. Above, the distance of two rows is that of the larger column alone."""
SMALLEST_SHARE = 0.05
"""Share of the rows that must differ from the median for a column to count: a pixel that is black in nearly all images
deviates little, and is of the same unit as the others."""

_OF_CONSTANT = 0.1
_SHOWN_COLUMNS = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """The linear map of each column, `(x - centre) / scale`, and which columns vary in real data."""

    centre: FloatArray
    """d: mean of each column of the pool."""
    scale: FloatArray
    """d: standard deviation of each column of the pool; of a constant one, a tenth of the larger of its size and 1."""
    varies: BoolArray
    """d: whether a column has different values in the pool."""

    @classmethod
    def of(cls, pool: FloatArray, *, standardized: bool, owners: IntArray | None = None) -> Self:
        """The scaling of a pool; without standardisation the columns stay as they are.

        Args:
            pool: n d.
            standardized: Whether columns are measured in standard deviations.
            owners: d: which columns stand for one thing together, as those of the kinds in one column of a table: they
                have one deviation, the root of the sum of their variances. None: each stands for itself.

        Example:
            >>> pool = np.array([[1.0, 500.0, 7.0], [3.0, 100.0, 7.0]])
            >>> Scaling.of(pool, standardized=True)(pool).tolist()
            [[-1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]
        """
        varies = np.ptp(pool, axis=0) > 0
        if owners is not None:
            varies = (np.bincount(owners, varies) > 0)[owners]
        centre, scale = np.zeros(pool.shape[1]), np.ones(pool.shape[1])
        if standardized:
            # The mean of equal numbers may differ from them in the last bit.
            centre = np.where(varies, pool.mean(axis=0), pool[0])
            deviations = pool.std(axis=0)
            if owners is not None:
                deviations = np.sqrt(np.bincount(owners, deviations**2))[owners]
            scale = np.where(varies, deviations, _OF_CONSTANT * np.maximum(np.abs(centre), 1.0))
        return cls(centre=freeze(centre), scale=freeze(scale), varies=freeze(varies))

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Scale rows: n d. They are returned as they are where nothing is scaled."""
        if self.is_identity:
            return rows
        with np.errstate(over="ignore"):  # infinite, and then it is said that the row is not finite
            scaled: FloatArray = (rows - self.centre) / self.scale
        return scaled

    @cached_property
    def is_identity(self) -> bool:
        """Whether columns stay as they are."""
        return not self.centre.any() and bool((self.scale == 1.0).all())

    def constant_columns(self, labels: Sequence[str] | None = None) -> str:
        """Which columns have one value in the whole pool, as a clause; empty where none has.

        Args:
            labels: d: what the columns are called; None: by their places.

        Example:
            >>> scaling = Scaling.of(np.array([[1.0, 7.0], [3.0, 7.0]]), standardized=False)
            >>> scaling.constant_columns(), scaling.constant_columns(["age", "planet"])
            ('1 of 2 columns constant: 1', '1 of 2 columns constant: planet')
        """
        columns = np.flatnonzero(~self.varies).tolist()
        if not columns:
            return ""
        named = [str(column) if labels is None else labels[column] for column in columns[:_SHOWN_COLUMNS]]
        shown = ", ".join(named) + (", …" if len(columns) > _SHOWN_COLUMNS else "")
        return f"{len(columns)} of {len(self.varies)} columns constant: {shown}"


def differ_in_scale(rows: FloatArray) -> bool:
    """Whether columns are of different units: the deviation of one is more than 30 times that of another.

    Columns that differ from their median in fewer than 5% of the rows do not count.

    Example:
        >>> ages_and_incomes = np.random.default_rng(0).normal([40, 30_000], [12, 15_000], size=(100, 2))
        >>> differ_in_scale(ages_and_incomes), differ_in_scale(ages_and_incomes / [1, 1000])
        (True, False)
    """
    counts = (rows != np.median(rows, axis=0)).mean(axis=0) >= SMALLEST_SHARE
    deviations = rows.std(axis=0)[counts]
    return bool(len(deviations)) and float(deviations.max()) > LARGEST_RATIO * float(deviations.min())
