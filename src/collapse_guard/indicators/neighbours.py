"""Neighbours among many vectors, exactly and in blocks: float32 products propose pairs, float64 differences decide.

The product |x|^2 + |y|^2 - 2 x y of two blocks is many times faster than differences, but its rounding errors are of
the size of |x|^2: it finds the pairs that can be within a limit, with room for these errors, and what is kept is
recomputed from the differences. No matrix of all pairs is ever held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import BoolArray, FloatArray, IntArray

SingleArray = npt.NDArray[np.float32]

PAIRS_AT_ONCE = 2**22
"""Pairs whose distances are held at once: 16 MB."""
TILE = 2**10
"""Rows and columns of a tile of a symmetric matrix of distances."""
_CHUNK = 2**18
"""Numbers whose differences are held at once."""
DENSE = 16
"""Where more than one in so many pairs are in doubt, a product in float64 decides."""
_STRANDS = 128
_ROWS_OF_MIDDLE = 256
_ROUNDING = 2.0**-24
_DEVIATIONS = 8.0
_SMALLEST = 1e-30
"""Squared distances that float32 may lose altogether."""


class Pairs(NamedTuple):
    """Pairs of rows, each of one set, and their squared distances."""

    left: IntArray
    """Rows of the one set."""
    right: IntArray
    """Rows of the other set."""
    squared: FloatArray
    """Squared distances: from differences of float64 wherever the rounding of the product could change an answer."""


class Frame(NamedTuple):
    """Where the origin is and what counts as length one, so that a large mean or unit drowns no digits."""

    centre: FloatArray
    """d."""
    scale: float
    """A power of two: what is divided by it keeps its digits."""

    @classmethod
    def of(cls, rows: FloatArray) -> Frame:
        """The middle of rows, which one far row does not move as it moves the mean, and the size of what is left."""
        centre = np.median(rows[:: len(rows) // _ROWS_OF_MIDDLE + 1], axis=0)
        size = float(max((rows.max(axis=0) - centre).max(), (centre - rows.min(axis=0)).max()))
        return cls(centre, math.ldexp(1.0, math.frexp(size)[1]))


class Points:
    """A set of rows with what the search needs of it; sets that are searched together have one frame.

    Args:
        rows: n d.
        frame: Of one of the sets.
    """

    def __init__(self, rows: FloatArray, frame: Frame) -> None:
        """Move the rows into the frame."""
        self.rows = np.ascontiguousarray((rows - frame.centre) / frame.scale)
        self.squares = np.einsum("nd,nd->n", self.rows, self.rows)

    @cached_property
    def left(self) -> SingleArray:
        """n (d + 2): `left(x) . right(y) = |x|^2 + |y|^2 - 2 x y`."""
        return self._single(-2.0, np.ones(len(self)), self.squares)

    @cached_property
    def right(self) -> SingleArray:
        """n (d + 2): the other factor."""
        return self._single(1.0, self.squares, np.ones(len(self)))

    def _single(self, factor: float, *columns: FloatArray) -> SingleArray:
        single = np.empty((len(self), self.rows.shape[1] + len(columns)), np.float32)
        with np.errstate(over="ignore"):
            np.multiply(self.rows, factor, out=single[:, : -len(columns)], casting="same_kind")
            for place, column in enumerate(columns, -len(columns)):
                single[:, place] = column
        return single

    def __len__(self) -> int:
        """n."""
        return len(self.rows)

    def slack(self, block: slice, other: Points) -> FloatArray:
        """Bound of the rounding errors of the squared distances of some rows to any row of the other set.

        A sum of D terms in float32 is off by more than `8 sqrt(D)` roundings of its largest partial sum with a
        probability below 1e-13 (Higham and Mary 2019, A new approach to probabilistic rounding error analysis).
        """
        share = (_DEVIATIONS * math.sqrt(self.rows.shape[1] + 2) + _DEVIATIONS) * _ROUNDING
        slack: FloatArray = 2.0 * share * (self.squares[block] + other.squares.max(initial=0.0)) + _SMALLEST
        return slack


def neighbour_radii(rows: FloatArray, k: int, frame: Frame | None = None, points: Points | None = None) -> FloatArray:
    """Distance of each row to its k-th nearest other row; 0 where k others equal it. O(n^2 d), k below n.

    Args:
        rows: n d.
        k: Neighbours.
        frame: Of these rows; None: found here.
        points: These rows in the frame; None: made here.
    """
    frame = frame or Frame.of(rows)
    first, inverse, counts = distinct(rows)
    if len(first) == len(rows):
        return frame.scale * _radii(points or Points(rows, frame), k)
    # More than k + 1 copies of a row are nobody's k-th neighbour: a set that has collapsed costs nothing.
    copies = np.minimum(counts, k + 1)
    radii = _radii(Points(np.repeat(rows[first], copies, axis=0), frame), k)
    of_each: FloatArray = frame.scale * radii[np.cumsum(copies) - copies][inverse]
    return of_each


def distinct(rows: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """First place of each different row, which of these each row is, and how often each occurs."""
    if len(np.unique(rows.sum(axis=1))) == len(rows):
        each = np.arange(len(rows))
        return each, each, np.ones_like(each)
    # Adding 0.0 makes -0.0 and 0.0 the same bytes.
    whole = np.ascontiguousarray(rows + 0.0).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, inverse, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    return first, inverse.ravel(), counts


def _radii(points: Points, k: int) -> FloatArray:
    radii, room = np.empty(len(points)), 2.0 * points.slack(slice(None), points)
    near = _near(points, k, room)
    for block in _cut(len(points), max(1, PAIRS_AT_ONCE // len(points))):
        own = np.arange(block.start, block.stop)
        low, high = np.searchsorted(near.left, [block.start, block.stop])
        pairs = _chosen(near, slice(low, high))
        nearest = _kth_of_each(pairs, own, np.full(len(own), k))
        floor, ceiling = ((nearest + sign * room[block])[pairs.left - block.start] for sign in (-1.0, 1.0))
        n_nearer = np.bincount(pairs.left[pairs.squared < floor] - block.start, minlength=len(own))
        doubtful = _chosen(pairs, ~((pairs.squared < floor) | (pairs.squared > ceiling)))
        radii[block] = np.sqrt(_kth_of_each(_decided(points, points, doubtful), own, k - n_nearer))
    return radii


def _near(points: Points, k: int, room: FloatArray) -> Pairs:
    """Pairs of different rows, sorted by the left one, among which are the k nearest of each, by the product.

    A distance is that of both of its rows, so half of the products are enough.
    """
    nearest, parts = np.full((len(points), k), np.inf, np.float32), []
    for rows, columns, proposed in _tiles(points):
        limits = _narrowed(nearest[rows], proposed, room[rows])
        parts.append(_placed(rows, columns, _at(proposed, ~(proposed > limits[:, None]))))
        if rows != columns:
            limits = _narrowed(nearest[columns], proposed.T, room[columns])
            below, beside, squared = _at(proposed, ~(proposed > limits))
            parts.append(_placed(columns, rows, Pairs(beside, below, squared)))
    pairs = Pairs(*map(np.concatenate, zip(*parts, strict=True)))
    pairs = _chosen(pairs, ~(pairs.squared > nearest[pairs.left, -1] + room[pairs.left]))
    return _chosen(pairs, np.argsort(pairs.left, kind="stable"))


def _narrowed(nearest: SingleArray, proposed: SingleArray, room: FloatArray) -> SingleArray:
    """How far the k nearest of each row can be; `nearest` is brought down to the k smallest distances so far."""
    k = nearest.shape[1]
    seen = np.concatenate([nearest, _strand_minima(proposed, k)], axis=1)
    nearest[:] = np.partition(seen, k - 1, axis=1)[:, :k]
    return _single(nearest[:, -1].astype(np.float64) + room)


def _placed(rows: slice, columns: slice, pairs: Pairs) -> Pairs:
    """Pairs of a tile under the numbers of their rows, without those of a row and itself."""
    left, right = pairs.left + rows.start, pairs.right + columns.start
    return _chosen(Pairs(left, right, pairs.squared), left != right)


def _tiles(points: Points) -> Iterator[tuple[slice, slice, SingleArray]]:
    """Squared distances of some rows to some at or behind them, by the product; each overwrites the one before."""
    blocks = list(_cut(len(points), TILE))
    room = np.empty(min(TILE, len(points)) ** 2, np.float32)
    for i, rows in enumerate(blocks):
        for columns in blocks[i:]:
            shape = rows.stop - rows.start, columns.stop - columns.start
            proposed = room[: math.prod(shape)].reshape(shape)
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(points.left[rows], points.right[columns].T, out=proposed)
            if rows == columns:
                np.fill_diagonal(proposed, np.inf)
            yield rows, columns, proposed


def _cut(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def pairs_within(left: Points, right: Points, left_limits: FloatArray, right_limits: FloatArray) -> Iterator[Pairs]:
    """Pairs whose squared distance is at most the limit of either row, block by block.

    Args:
        left: n rows.
        right: m rows.
        left_limits: n squared distances; a negative one admits nothing.
        right_limits: m squared distances; negative ones admit nothing.
    """
    for block, proposed in _blocks(left, right):
        room = left.slack(block, right)
        outside = proposed > _single(left_limits[block] + room)[:, None]
        outside &= proposed > _single(right_limits + room.max(initial=0.0))
        pairs = _at(proposed, ~outside)
        pairs = pairs._replace(left=pairs.left + block.start)
        margins = [pairs.squared - left_limits[pairs.left], pairs.squared - right_limits[pairs.right]]
        clear = np.isfinite(pairs.squared)
        for margin in margins:
            clear &= np.abs(margin) > room[pairs.left - block.start]
        pairs.squared[~clear] = _decided(left, right, _chosen(pairs, ~clear)).squared
        within = (pairs.squared <= left_limits[pairs.left]) | (pairs.squared <= right_limits[pairs.right])
        yield _chosen(pairs, within)


def _blocks(left: Points, right: Points) -> Iterator[tuple[slice, SingleArray]]:
    """Squared distances of some rows to all, by the product; each overwrites the one before."""
    blocks = list(_cut(len(left), max(1, PAIRS_AT_ONCE // max(1, len(right)))))
    # New memory for each block would cost half as much time as the product.
    room = np.empty((max((block.stop - block.start for block in blocks), default=0), len(right)), np.float32)
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):
            yield block, np.matmul(left.left[block], right.right.T, out=room[: block.stop - block.start])


def _single(limits: FloatArray) -> SingleArray:
    with np.errstate(over="ignore"):
        return limits.astype(np.float32)


def _strand_minima(proposed: SingleArray, k: int) -> SingleArray:
    """Minima of strands of each row, which are much fewer: the k-th smallest of them bounds that of the row."""
    strands, n = max(_STRANDS, 8 * k), proposed.shape[1]
    if n < 2 * strands:
        return proposed
    minima = proposed[:, :strands].copy(order="K")
    for start in range(strands, n - strands + 1, strands):
        np.minimum(minima, proposed[:, start : start + strands], out=minima)
    return minima


def _at(proposed: SingleArray, mask: BoolArray) -> Pairs:
    # Many times faster than np.nonzero.
    places = np.flatnonzero(mask)
    rows, columns = np.divmod(places, proposed.shape[1])
    return Pairs(rows, columns, proposed.ravel()[places].astype(np.float64))


def _chosen(pairs: Pairs, mask: BoolArray | IntArray | slice) -> Pairs:
    return Pairs(pairs.left[mask], pairs.right[mask], pairs.squared[mask])


def _decided(left: Points, right: Points, pairs: Pairs) -> Pairs:
    """Pairs of one block with their squared distances in float64."""
    touched = np.unique(pairs.left)
    if len(pairs.left) * DENSE > len(touched) * len(right):
        squared = _products(left, right, touched)[np.searchsorted(touched, pairs.left), pairs.right]
    else:
        squared = _differences(left.rows, right.rows, pairs.left, pairs.right)
    return pairs._replace(squared=squared)


def _differences(left: FloatArray, right: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    squared = np.empty(len(rows))
    size = max(1, _CHUNK // left.shape[1])
    for start in range(0, len(rows), size):
        chunk = slice(start, start + size)
        difference = left[rows[chunk]] - right[columns[chunk]]
        squared[chunk] = np.einsum("nd,nd->n", difference, difference)
    return squared


def _products(left: Points, right: Points, rows: IntArray) -> FloatArray:
    """Squared distances of some rows to all; what is rounding beside the squared lengths is 0."""
    lengths = left.squares[rows, None] + right.squares
    squared: FloatArray = lengths - 2.0 * left.rows[rows] @ right.rows.T
    floor = left.rows.shape[1] * np.finfo(np.float64).eps * lengths
    return np.where(squared > floor, squared, 0.0)


def _kth_of_each(pairs: Pairs, rows: IntArray, k: IntArray) -> FloatArray:
    """The k-th smallest squared distance of each row, each with its k; every row has as many pairs."""
    order = np.lexsort((pairs.squared, pairs.left))
    starts = np.searchsorted(pairs.left[order], rows)
    kth: FloatArray = pairs.squared[order][starts + k - 1]
    return kth
