"""Split documents into evaluation and pool, by keyed hashes, so that the order of the input does not matter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import IntArray

_DRAW_BYTES = 16


class Split(NamedTuple):
    """Numbers of the items on either side, in a random order that depends only on the keys and the seed."""

    evaluation: IntArray
    """Items that are never trained on."""
    pool: IntArray
    """The other items."""


def split_clusters(
    labels: IntArray, keys: Sequence[str], *, n_evaluation: int, seed: int, strata: IntArray | None = None
) -> Split:
    """Draw whole clusters for evaluation until `n_evaluation` items are reached.

    Clusters are taken in the order of a keyed hash of their smallest key; one that would exceed `n_evaluation` goes to
    the pool. The members of a cluster stay together.

    Args:
        labels: n: cluster of each item.
        keys: n: identity of each item, such as a content hash; equal keys only within a cluster.
        n_evaluation: Largest number of items for evaluation.
        seed: Seed of the keyed hash.
        strata: n: kind of each item, from -1; each kind has its share of the items for evaluation. A cluster is of the
            kind of its smallest key. None: all are of one kind.

    Example:
        >>> split = split_clusters(np.array([0, 0, 1, 2]), ["a", "b", "c", "d"], n_evaluation=2, seed=0)
        >>> sorted(split.evaluation.tolist() + split.pool.tolist())
        [0, 1, 2, 3]
    """
    by_key = _sorted(keys)
    clusters, first, members = np.unique(labels[by_key], return_index=True, return_inverse=True)
    drawn_by = np.fromiter((_draw(keys[i], seed) for i in by_key[first]), f"S{_DRAW_BYTES}", len(clusters))
    high, low = drawn_by.view(">u8").reshape(-1, 2).T
    order = np.lexsort((low, high))
    sizes = np.bincount(members, minlength=len(clusters))
    kinds = np.zeros(len(keys), np.int64) if strata is None else strata + 1
    kind_of, room = kinds[by_key[first]], _shared_out(n_evaluation, np.bincount(kinds))
    is_drawn = np.zeros(len(clusters), np.bool_)
    for cluster in order:
        if sizes[cluster] <= room[kind_of[cluster]]:
            is_drawn[cluster] = True
            room[kind_of[cluster]] -= sizes[cluster]
        if not room.any():
            break
    ranks = np.empty(len(clusters), np.int64)
    ranks[order] = np.arange(len(clusters))
    drawn = np.argsort(ranks[members], kind="stable")
    for_evaluation = is_drawn[members[drawn]]
    return Split(by_key[drawn[for_evaluation]], by_key[drawn[~for_evaluation]])


def split_given(
    labels: IntArray,
    keys: Sequence[str],
    is_given: npt.NDArray[np.bool_],
    *,
    most: int,
    seed: int,
    strata: IntArray | None = None,
) -> Split:
    """Take items for evaluation that are given for it, at most so many; of the others, those in a cluster with a given
    one are on no side.

    Args:
        labels: n: as in `split_clusters`, and so are `keys`, `seed` and `strata`.
        keys: n.
        is_given: n: whether each item is for evaluation.
        most: Largest number of items for evaluation; more are left out, clusters by the order of `split_clusters`.
        seed: Of the order.
        strata: n.

    Example:
        >>> given = np.array([True, False, False])
        >>> [side.tolist() for side in split_given(np.array([0, 0, 1]), ["a", "b", "c"], given, most=9, seed=0)]
        [[0], [2]]
    """
    given = np.flatnonzero(is_given)
    others = np.flatnonzero(~np.isin(labels, labels[given]))
    drawn = split_clusters(
        labels[given],
        [keys[i] for i in given.tolist()],
        n_evaluation=min(most, len(given)),
        seed=seed,
        strata=None if strata is None else strata[given],
    )
    ordered = split_clusters(labels[others], [keys[i] for i in others.tolist()], n_evaluation=0, seed=seed)
    return Split(given[drawn.evaluation], others[ordered.pool])


def _shared_out(n: int, sizes: IntArray) -> IntArray:
    """n items for kinds of these sizes, each by its share; the largest remainders get what is left."""
    exact = n * sizes / max(1, sizes.sum())
    shares: IntArray = np.floor(exact).astype(np.int64)
    left = n - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:left]] += 1
    return shares


def row_keys(rows: npt.NDArray[np.float64]) -> list[str]:
    """Identify each row of numbers by its bytes; -0.0 counts as 0.0.

    Example:
        >>> len(set(row_keys(np.array([[0.0], [-0.0], [1.0]]))))
        2
    """
    canonical = np.ascontiguousarray(rows + 0.0, dtype="<f8")
    return [hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in canonical]


def _sorted(keys: Sequence[str]) -> IntArray:
    """Numbers of the items by their keys; millions of items come sorted, and their keys are not all made at once."""
    if all(before <= after for before, after in pairwise(keys)):
        return np.arange(len(keys))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _draw(key: str, seed: int) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_DRAW_BYTES, salt=seed.to_bytes(8, "little")).digest()
