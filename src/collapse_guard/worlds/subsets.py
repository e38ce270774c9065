"""Random subsets, for many lineages at once."""

from __future__ import annotations

import numpy as np

from collapse_guard.arrays import IntArray

_MOST_STORED = 8_000_000
"""Numbers stored at once if a workflow keeps all items: 64 MB."""


def subsets(rng: np.random.Generator, *, lineages: int, pool: int, size: int) -> IntArray:
    """`size` different places from 0 to `pool` - 1 for each lineage, all subsets equally likely; [lineages, size].

    Cost: O(lineages pool).

    Example:
        >>> subsets(np.random.default_rng(0), lineages=2, pool=3, size=3).sum(axis=1).tolist()
        [3, 3]
    """
    if size == pool:
        return np.tile(np.arange(pool), (lineages, 1))
    return np.argpartition(rng.random((lineages, pool)), size, axis=1)[:, :size]


def blocks(lineages: int, stored: int) -> list[int]:
    """Sizes of blocks of lineages that bound how much is stored at once, at `stored` numbers per lineage.

    Example:
        >>> blocks(5, 4_000_000)
        [2, 2, 1]
    """
    most = max(1, _MOST_STORED // stored)
    return [min(most, lineages - first) for first in range(0, lineages, most)]
