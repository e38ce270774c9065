"""Split documents into evaluation and pool, by keyed hashes, so that the order of the input does not matter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import IntArray


class Split(NamedTuple):
    """Numbers of the items on either side, in a random order that depends only on the keys and the seed."""

    evaluation: IntArray
    """Items that are never trained on."""
    pool: IntArray
    """The other items."""


def split_clusters(labels: IntArray, keys: Sequence[str], *, n_evaluation: int, seed: int) -> Split:
    """Draw whole clusters for evaluation until `n_evaluation` items are reached.

    Clusters are taken in the order of a keyed hash of their smallest key; one that would exceed `n_evaluation` goes to
    the pool. The members of a cluster stay together.

    Args:
        labels: n: cluster of each item.
        keys: n: identity of each item, such as a content hash; equal keys only within a cluster.
        n_evaluation: Largest number of items for evaluation.
        seed: Seed of the keyed hash.

    Example:
        >>> split = split_clusters(np.array([0, 0, 1, 2]), ["a", "b", "c", "d"], n_evaluation=2, seed=0)
        >>> sorted(split.evaluation.tolist() + split.pool.tolist())
        [0, 1, 2, 3]
    """
    evaluation: list[int] = []
    pool: list[int] = []
    for members in _drawn_clusters(labels, keys, seed):
        side = evaluation if len(evaluation) + len(members) <= n_evaluation else pool
        side.extend(members)
    return Split(np.array(evaluation, np.int64), np.array(pool, np.int64))


def row_keys(rows: npt.NDArray[np.float64]) -> list[str]:
    """Identify each row of numbers by its bytes; -0.0 counts as 0.0.

    Example:
        >>> len(set(row_keys(np.array([[0.0], [-0.0], [1.0]]))))
        2
    """
    canonical = np.ascontiguousarray(rows + 0.0, dtype="<f8")
    return [hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in canonical]


def _drawn_clusters(labels: IntArray, keys: Sequence[str], seed: int) -> list[list[int]]:
    clusters: dict[int, list[int]] = {}
    for item in sorted(range(len(keys)), key=keys.__getitem__):
        clusters.setdefault(int(labels[item]), []).append(item)
    return sorted(clusters.values(), key=lambda members: _draw(keys[members[0]], seed))


def _draw(key: str, seed: int) -> Any:
    return hashlib.blake2b(key.encode(), digest_size=16, salt=seed.to_bytes(8, "little")).digest()
