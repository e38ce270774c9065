r"""Other units: samples that would be like real rows, were they multiplied, or taken for logarithms.

A unit maps all values of a column alike, months to years as pixels of 255 to those of 1, so that all quantiles of real
rows come back once it is undone. A collapse moves quantiles too, but leaves location where it was (a cloud that shrinks
or grows about its mean), or moves it elsewhere than a unit does, and not one column alone. So samples are taken to be
in another unit where

1. some columns are far from real rows, and each of them comes back by one of the maps of this file, all by the same;
2. all other columns are like real rows as they are;
3. location moved with the width, or columns grew and go with others as before (`OtherUnit.is_told_apart`): else what
   lies around 0 cannot be told from a cloud that grows or shrinks, and is left to the verdict with a remark.

A map with a free factor counts from three times as wide, or a third as wide, on: drift may double an income.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard.arrays import BoolArray, FloatArray, IntArray, is_usable
from collapse_guard.evidence import Evidence
from collapse_guard.measurement.samples import row_samples
from collapse_guard.records.other_unit import OtherUnit, Way
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.columns import owners_of
from collapse_guard.wildtype.contents import of_vectors

FEWEST = 30
"""Rows that quantiles need on both sides."""
LARGEST_DRIFT = 3.0
"""Factor up to which a column that is wider, or narrower, may have drifted."""
ALIKE = 0.75
"""Largest distance of quantiles from real ones, in mean deviations of these, that a healthy column has: its spread may
have fallen to a quarter, or its mean moved by half a standard deviation."""
COMES_BACK = 0.5
"""The same, of a column whose unit was undone, …"""
COMES_BACK_FROM_LESS = 0.25
"""… and of one that had shrunk, because a collapse shrinks."""
MOVED = 0.5
"""Distance of the means, in mean deviations of the wider side, from which on location says something."""
STRONG = 0.3
"""Correlation of two real columns that tells whether they belong together still: where half of the columns that grew
have one, …"""
KEPT = 0.8
"""… and so much of these correlations is left, it was no noise. Noise that makes a column three times as wide leaves a
third."""
MOST_COLUMNS = 256
"""So many columns, of all of them, are looked at."""
MOST_SHARES = 0.4
"""Share of the rows that may be of other kinds in a column of kinds."""
_AFFINE = 8
"""Columns that a common map with an offset needs."""
_ONE_FACTOR = 0.3
"""Logarithms of factors that differ by less are of one factor."""
_MOST_ROWS = 1000
_SHOWN = 3
_GRID = np.linspace(0.05, 0.95, 19)
_ENDS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""What pixels run between."""


class _Sides(NamedTuple):
    """Quantiles of columns of numbers, g by c."""

    here: FloatArray
    """Of the samples."""
    there: FloatArray
    """Of real rows."""
    samples: FloatArray
    """n c: some of the samples, …"""
    real: FloatArray
    """m c: … and of the real rows."""

    def at(self, columns: IntArray | BoolArray) -> _Sides:
        """The sides in some columns."""
        return _Sides(*(side[:, columns] for side in self))

    def missed(self, undone: FloatArray) -> FloatArray:
        """c: how far quantiles are from real ones, in mean deviations of these."""
        missed: FloatArray = np.abs(undone - self.there).mean(axis=0) / _width(self.there)
        return missed

    def missed_together(self, undone: FloatArray) -> float:
        """The same of all columns together, as a distance of rows weighs them."""
        return float(np.abs(undone - self.there).mean(axis=0).sum() / _width(self.there).sum())

    @property
    def moved(self) -> float:
        """How far their means are apart, in mean deviations of the wider side."""
        wider = np.maximum(_width(self.here), _width(self.there))
        return float((np.abs(self.here.mean(axis=0) - self.there.mean(axis=0)) / wider).mean())

    @property
    def factors(self) -> FloatArray:
        """c: what real quantiles are to be multiplied by."""
        # Where one side is 0, as for a kind of another share, nothing is told of the factor.
        there = np.where(self.here != 0.0, self.there, 0.0)
        squares = (there**2).sum(axis=0)
        factors: FloatArray = (self.here * there).sum(axis=0) / np.where(squares > 0.0, squares, np.inf)
        return factors


class _Undone(NamedTuple):
    """A map from samples to real rows."""

    way: Way
    quantiles: FloatArray
    """g c: those of the samples, once it is undone."""
    needed: FloatArray
    """c: `_Sides.missed` up to which it explains a column; below 0: it cannot be meant."""


def unit_of_samples(wild_type: WildType, evidence: Evidence) -> OtherUnit | None:
    """As `other_unit`, of the samples of evidence; None where they are no rows."""
    values = evidence.samples if evidence.embeddings is None else evidence.embeddings
    if wild_type.kind != "vectors" or values is None:
        return None
    return other_unit(wild_type, row_samples(wild_type, values))


def other_unit(wild_type: WildType, rows: FloatArray) -> OtherUnit | None:
    """The unit in which samples look to be given; None where they are in that of the wild type, or nobody can tell.

    Args:
        wild_type: Of vectors.
        rows: n d: samples in their own units.

    Example:
        >>> ages = np.random.default_rng(0).normal(45.0, 12.0, size=(400, 1))
        >>> wild_type = WildType.fit_arrays(ages[:300])
        >>> found = other_unit(wild_type, 12.0 * ages[300:])
        >>> found.way, round(found.factors[0]), found.is_told_apart
        ('factor', 12, True)
        >>> other_unit(wild_type, 45.0 + (ages[300:] - 45.0) / 12.0) is None
        True
    """
    contents = of_vectors(wild_type.contents)
    usable, real = rows[is_usable(rows).all(axis=1)], contents.pool[:_MOST_ROWS]
    if min(len(usable), len(real)) < FEWEST:
        return None
    here = usable[:: max(1, len(usable) // _MOST_ROWS)]
    is_number = np.array(contents.scaling.varies)
    owners = owners_of(contents.columns)
    if owners is not None and contents.columns is not None:
        of_kinds = np.array([column.values is not None for column in contents.columns.columns])[owners]
        if not _kinds_alike(here[:, of_kinds], real[:, of_kinds], owners[of_kinds]):
            return None
        is_number &= ~of_kinds
    chosen = _spaced(np.flatnonzero(is_number))
    if not len(chosen):
        return None
    here, there = here[:, chosen], real[:, chosen]
    # Quantiles that stand between two values are no values of counts and kinds.
    quantiles = [np.quantile(side, _GRID, axis=0, method="nearest") for side in (here, there)]
    sides = _Sides(quantiles[0], quantiles[1], here, there)
    tells = (_width(sides.there) > 0.0) & (_width(sides.here) > 0.0)
    if not tells.any() or (sides.at(~tells).here != sides.at(~tells).there).any():
        return None
    sides, chosen = sides.at(tells), chosen[tells]
    labels = [f"`{contents.labels[j]:.80}`" if contents.labels else str(j) for j in chosen.tolist()]
    is_one_unit = contents.columns is None and not getattr(wild_type.settings, "standardized", False)
    return (_of_all(sides, labels) if is_one_unit else None) or _of_each(sides, labels)


def _of_all(sides: _Sides, labels: Sequence[str]) -> OtherUnit | None:
    """One map of all columns, of an array whose columns are of one unit."""
    if sides.missed_together(sides.here) <= ALIKE:
        return None
    for undone in _common(sides):
        if sides.missed_together(undone.quantiles) <= float(undone.needed[0]):
            far = np.ones(len(labels), dtype=np.bool_)
            return _found(undone.way, sides, labels, far, belongs=_belong_together(sides, far))
    return None


def _common(sides: _Sides) -> Iterator[_Undone]:
    here, there = sides.here, sides.there
    low, high = float(sides.real.min()), float(sides.real.max())
    needed = np.full(here.shape[1], COMES_BACK)
    for a, b in _ENDS:
        if low < a or high > b or high - low < 0.5 * (b - a):
            continue
        for c, d in _ENDS:
            if (a, b) != (c, d):
                yield _Undone("scaled", a + (here - c) * (b - a) / (d - c), needed)
    factor = float((here * there).sum() / (there**2).sum())
    yield _Undone("factor", here / (factor or 1.0), np.full(here.shape[1], _allowed(factor)))
    if here.shape[1] >= _AFFINE:
        centred = there - there.mean()
        factor = float((here * centred).sum() / (centred**2).sum())
        offset = float(here.mean()) - factor * float(there.mean())
        yield _Undone("scaled", (here - offset) / (factor or 1.0), np.full(here.shape[1], _allowed(factor)))


def _of_each(sides: _Sides, labels: Sequence[str]) -> OtherUnit | None:
    """One kind of map of some columns, where all others are like real rows."""
    far = sides.missed(sides.here) > ALIKE
    if not far.any():
        return None
    some = sides.at(far)
    for undone in _separate(some):
        missed, can_be = some.missed(undone.quantiles), (undone.needed > 0.0).all()
        # Counts and kinds come back less exactly than the mean of all columns does.
        if can_be and (missed <= COMES_BACK).all() and missed.mean() <= undone.needed.mean():
            names = [labels[j] for j in np.flatnonzero(far).tolist()]
            return _found(undone.way, some, names, far, belongs=_belong_together(sides, far))
    return None


def _separate(sides: _Sides) -> Iterator[_Undone]:
    here, there, samples, real = sides
    factors, widths = sides.factors, _width(here) / _width(there)
    needed = np.where(widths < 1.0, COMES_BACK_FROM_LESS, COMES_BACK)
    # Many columns that shrank by factors of their own are a collapse to 0 rather than as many units.
    shrank = factors[factors < 1.0]
    is_one = len(shrank) < 2 or float(np.ptp(np.log(np.maximum(shrank, 1e-300)))) < _ONE_FACTOR
    allowed = np.array([_allowed(float(factor)) for factor in factors])
    yield _Undone("factor", here / np.where(factors, factors, 1.0), allowed if is_one else 0.0 * needed - 1.0)
    yield _Undone("standardised", real.mean(axis=0) + here * real.std(axis=0), needed)
    # Of a single column, any samples would come back from a range.
    if len(widths) > 1 and _fill_a_range(samples) and not _fill_a_range(real):
        yield _Undone("scaled", there.mean(axis=0) + (here - here.mean(axis=0)) / widths, needed)
    narrower = np.where(widths < 1.0 / LARGEST_DRIFT, needed, -1.0)
    wider = np.where(widths > LARGEST_DRIFT, needed, -1.0)
    undo: Callable[[FloatArray], FloatArray]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for undo in (np.exp, np.expm1, lambda x: 10.0**x, np.exp2):
            yield _Undone("logarithm", np.nan_to_num(undo(here), nan=np.inf), narrower)
        for undo in (np.log, np.log1p):
            yield _Undone("exponential", np.nan_to_num(undo(here), nan=np.inf), wider)


def _allowed(factor: float) -> float:
    """How near quantiles must come where a factor is free."""
    if 1.0 / LARGEST_DRIFT < factor < LARGEST_DRIFT or factor <= 0.0:
        return -1.0
    return COMES_BACK_FROM_LESS if factor < 1.0 else COMES_BACK


def _fill_a_range(rows: FloatArray) -> bool:
    """Whether all columns lie from 0 to 1, or from -1 to 1, and fill most of that."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    return any(
        bool(((low >= a - 0.1) & (high <= b + 0.1) & (high - low >= 0.5 * (b - a))).all())
        for a, b in ((0.0, 1.0), (-1.0, 1.0))
    )


def _found(way: Way, sides: _Sides, labels: Sequence[str], far: BoolArray, *, belongs: bool) -> OtherUnit:
    factors = sides.factors if way == "factor" else _width(sides.here) / _width(sides.there)
    return OtherUnit(
        way=way,
        columns=tuple(labels[:_SHOWN]),
        n_columns=len(labels),
        of=len(far),
        factors=tuple(factors[:_SHOWN].tolist()),
        here=float(_middle(sides.here)[0]),
        there=float(_middle(sides.there)[0]),
        is_told_apart=sides.moved >= MOVED or (min(factors) >= LARGEST_DRIFT and belongs),
    )


def _belong_together(sides: _Sides, far: BoolArray) -> bool:
    """Whether these columns go with others as in real rows: noise, by which a cloud may grow, does not."""
    if sides.real.shape[1] < 2:
        return False
    there, here = _correlations(sides.real), _correlations(sides.samples)
    is_strong: BoolArray = (np.abs(there) >= STRONG) & far[:, None]
    share = np.asarray(is_strong.any(axis=1))[far].mean()
    return bool(share >= 0.5 and np.median(here[is_strong] / there[is_strong]) >= KEPT)


def _correlations(rows: FloatArray) -> FloatArray:
    """c c: 0 of a column with itself, or where rounding leaves no deviation."""
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.asarray(np.nan_to_num(np.corrcoef(rows, rowvar=False)), dtype=np.float64)
    np.fill_diagonal(correlations, 0.0)
    return correlations


def _kinds_alike(here: FloatArray, there: FloatArray, owners: IntArray) -> bool:
    apart = np.bincount(owners, np.abs(here.mean(axis=0) - there.mean(axis=0)) / 2.0)
    return bool((apart <= MOST_SHARES).all())


def _spaced(columns: IntArray) -> IntArray:
    if len(columns) <= MOST_COLUMNS:
        return columns
    spaced: IntArray = columns[np.linspace(0, len(columns) - 1, MOST_COLUMNS).astype(np.int64)]
    return spaced


def _middle(quantiles: FloatArray) -> FloatArray:
    middle: FloatArray = quantiles[len(_GRID) // 2]
    return middle


def _width(quantiles: FloatArray) -> FloatArray:
    """Mean deviation from the median."""
    width: FloatArray = np.abs(quantiles - _middle(quantiles)).mean(axis=0)
    return width
