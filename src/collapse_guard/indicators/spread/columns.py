"""Columns: the one of a table that varies least beside real rows, which no sum over all columns shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from collapse_guard.arrays import BoolArray, FloatArray, IntArray
from collapse_guard.indicators.base import EvidenceKind
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.indicators.vectors import VectorIndicator, Vectors, array, rows
from collapse_guard.records import Direction

FARTHEST = 3.0
"""Real mean deviations from the median: values beyond count as that far, so that single ones make no variance."""
NOISE = 0.25
"""Relative variance that the variance of a column in a group may have by chance, so that it is looked at: those of a
kind that is rare in a group have more."""


def narrowest_column(x: Vectors, variances: Values, owners: Sequence[int] | IntArray | None = None) -> float:
    r"""Variance of the column that varies least beside real rows: the smallest of `var_j(x) / variance_j`.

    A table of many columns may lose all variety of one, and hardly lose any total variance or rank. The columns of 0
    and 1 that stand for the kinds in one column of a table count together. The smallest of many is below 1 by chance,
    the more so the fewer rows, so compare it at equal n only.

    Unit: multiples of real variance. Range: [0, inf). Collapse: down. Undefined (NaN) for fewer than two rows, where
    no variance is above 0, or where a number is not finite. O(n d).

    Args:
        x: n d: rows are samples.
        variances: d: variance of each column of real rows; 0 leaves it out.
        owners: d: which columns stand for one of the table together, by its number; None: each stands for itself.

    Source: Ours; the worst of several, as in Sagawa et al. (2020), ICLR, for groups; the ratio of variances is that of
        the F test.

    Example:
        >>> narrowest_column([[0.0, 1.0], [2.0, 1.5]], variances=[2.0, 1.0])
        0.125
    """
    values = array(x)
    if len(values) < 2 or not np.isfinite(values).all():
        return math.nan
    return _narrowest(values.var(axis=0, ddof=1), as_array(variances).astype(np.float64), owners)


class NarrowestColumn(VectorIndicator):
    """Variance of the column that varies least beside real rows; see `narrowest_column`.

    As input to `update`: `x` (n, d) of any float type. The sums are not centred: they lose the digits by which the
    squared mean exceeds the variance, of sixteen. Value: float64.

    Args:
        variances: As in `narrowest_column`.
        owners: As there.

    Example:
        >>> import torch
        >>> metric = NarrowestColumn([2.0, 1.0])
        >>> metric.update(torch.tensor([[0.0, 1.0], [2.0, 1.5]]))
        >>> metric.compute()
        tensor(0.1250, dtype=torch.float64)
    """

    name, place = "narrowest_column", 25
    family = "spread"
    unit = "multiples of real variance"
    direction = Direction.DOWN
    value_range = (0.0, math.inf)
    evidence: ClassVar[EvidenceKind] = "columns"
    definitions = (4, 6)
    cost = "O(n d)"
    misses = (
        "columns that belong together no longer, a kind that is rare in a group, and a column behind a narrower one"
    )
    undefined = "there are fewer than two samples"

    @classmethod
    def lacking(cls, instruments: Instruments) -> str:
        """Where the variance of no column can be told from a group."""
        if instruments.of(_real).counts.any():
            return ""
        return f"no column varies so much in real data that {instruments.wild_type.group_samples} rows show it"

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group."""
        real = group.instruments.of(_real)
        return narrowest_column(real.within_reach(group.vectors), real.variances, real.owners)

    def __init__(self, variances: Values, owners: Sequence[int] | None = None, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.variances, self.owners = as_array(variances).astype(np.float64), owners
        self._add_count("n_rows_narrowest")
        for part in ("total_narrowest", "squares_narrowest"):
            self._add_sum(part, len(self.variances))

    def update(self, x: Tensor) -> None:
        """Add rows."""
        values = rows(x, dimension=len(self.variances))
        self._add_up(len(values), values.sum(dim=0), values.square().sum(dim=0))

    def compute(self) -> Tensor:
        """Variance of the narrowest column of everything since the last reset."""
        n, total, squares = self._totals
        if int(n) < 2:
            return self._scalar(math.nan)
        found = (squares - total.square() / n).clamp(min=0.0) / (n - 1)
        return self._scalar(_narrowest(found.cpu().numpy(), self.variances, self.owners))


class _Real(NamedTuple):
    """What real rows do."""

    counts: BoolArray
    """d: which columns are looked at."""
    reach: FloatArray
    """c: how far from their median values of each count as they are."""
    variances: FloatArray
    """c: of real values within that."""
    owners: IntArray | None
    """c: which columns stand for one of the table together."""

    def within_reach(self, vectors: FloatArray) -> FloatArray:
        """n c: distances from the median."""
        return _within(vectors[:, self.counts], self.reach)


def _real(frozen: Instruments) -> _Real:
    reference, owners = frozen.geometry.reference, frozen.owners
    reach = FARTHEST * np.abs(reference - np.median(reference, axis=0)).mean(axis=0)
    values = _within(reference, reach)
    counts = _tells(values, frozen.wild_type.group_samples) & frozen.varies
    if owners is not None:
        counts = (np.bincount(owners, counts) > 0)[owners]
    return _Real(
        counts=counts,
        reach=reach[counts],
        variances=values[:, counts].var(axis=0, ddof=1),
        owners=None if owners is None else owners[counts],
    )


def _within(values: FloatArray, reach: FloatArray) -> FloatArray:
    return (values - np.median(values, axis=0)).clip(-reach, reach)


def _tells(values: FloatArray, n: int) -> BoolArray:
    """d: whether the variance of n values is near that of all: its relative variance is about (kurtosis - 1) / n."""
    centred = values - values.mean(axis=0)
    variances = (centred**2).mean(axis=0)
    tells: BoolArray = (centred**4).mean(axis=0) <= (1.0 + NOISE * n) * variances**2
    tells &= variances > 0.0
    return tells


def _narrowest(found: FloatArray, real: FloatArray, owners: Sequence[int] | IntArray | None) -> float:
    if owners is not None:
        places = np.unique(np.asarray(owners), return_inverse=True)[1]
        found, real = np.bincount(places, found).astype(np.float64), np.bincount(places, real).astype(np.float64)
    told = real > 0.0
    return float((found[told] / real[told]).min()) if told.any() else math.nan
