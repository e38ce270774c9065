"""Hill's tail index: how evenly the commonest words share the text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from collapse_guard.arguments import whole
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.tails.words import WordTable
from collapse_guard.records.readings import Direction

HILL_RANKS = 50
"""Ranks that `hill_index` looks at unless told otherwise."""


def hill_index(counts: Values, k: int = HILL_RANKS) -> float:
    r"""Hill's estimate of the tail index alpha of the k largest counts, `1 / alpha = (1/k) sum_i ln(X_(i) / X_(k+1))`.

    How evenly the most common words share the text: words of a Zipf law of exponent s have alpha = 1 / s.
    Range: (0, inf). Collapse: both: decoding at a temperature below 1 makes the head heavier (alpha falls by that
    factor), above 1 it flattens it (alpha grows). A tail that is cut off, and noise mixed in evenly, change it little.
    Undefined (NaN) for fewer than k + 1 positive values, where the k + 1 largest are all equal, or where a number is
    not finite. It depends on the number of occurrences, as small counts tie: compare it at equal numbers only. O(V)
    for V words.

    Why 50 ranks: in 4,096 words of Zipf and Zipf-Mandelbrot laws it follows a change of the exponent by 10% to within
    a third of that change, with a standard deviation of 7%. Fewer ranks (10, 20) are noisier; from 100 on the counts
    are so small that ties decide (at 200 it did not move at all).

    Args:
        counts: Occurrences of each different word, or other sizes, of any shape; zeros do not count.
        k: Number of the largest values that are compared with the next one.

    Raises:
        InputError: `k` is below 1.

    Source: Hill (1975), A simple general approach to inference about the tail of a distribution, Ann. Statist. 3:1163.

    Example:
        >>> round(hill_index([8, 4, 2, 1], k=2), 6)
        0.961797
    """
    k = whole("k", k, least=1)
    values = as_array(counts).astype(np.float64).ravel()
    if not np.isfinite(values).all() or int((values > 0).sum()) <= k:
        return math.nan
    largest = np.sort(np.partition(values, -k - 1)[-k - 1 :])
    excess = float(np.log(largest[1:] / largest[0]).sum())
    return k / excess if excess else math.nan


class HillIndex(WordTable):
    """Hill's tail index of word counts over batches of words; see `hill_index`.

    As input to `update`: `words`, of any shape: an int64 id for each word, any int64, the same id for the same word
    only. The state is two int64 for each different word. Value: float64.

    Args:
        k: Number of the commonest words that are compared with the next one.

    Example:
        >>> import torch
        >>> metric = HillIndex(k=1)
        >>> metric.update(torch.tensor([7, 7, 8]))
        >>> metric.compute()
        tensor(1.4427, dtype=torch.float64)
    """

    name, place = "hill_index", 50
    unit = "tail index"
    direction = Direction.BOTH
    value_range = (0.0, math.inf)
    undefined = "at most k different words occur, or the k + 1 commonest occur equally often"
    misses = "everything below the k commonest words: a tail that is cut off, or noise mixed in evenly"
    definitions = (5, 7)
    formula = staticmethod(hill_index)

    def __init__(self, k: int = HILL_RANKS, **kwargs: Any) -> None:
        """Begin without words."""
        super().__init__(**kwargs)
        self.k = whole("k", k, least=1)

    def compute(self) -> Tensor:
        """Tail index of everything since the last reset."""
        return self._scalar(hill_index(self.table[1], self.k))
