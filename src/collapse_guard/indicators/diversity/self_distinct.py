"""Self-distinct-n: how much of what one sample says is said for the first time in that sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import DiversityIndicator, FixedOrder
from collapse_guard.indicators.document_ngrams import ngrams_by_document
from collapse_guard.indicators.exact_keys import Sequences, check_order, joined


def self_distinct_n(sequences: Sequences, n: int) -> float:
    r"""Self-distinct-n: the mean over samples of `unique n-grams / n-grams` within each, one minus seq-rep-n.

    Unit: share of n-grams. Range: (0, 1]. Collapse: down, where samples run in loops. Undefined (NaN) where no
    sequence has n units; a sequence without n-grams is left out of the mean. It falls with the length of the
    sequences, so compare it at equal lengths only; the number of sequences does not move it.

    It misses mode collapse: a thousand copies of one good text are each as diverse as ever. `distinct_n` pools the
    samples and sees it, and cannot tell a loop in one sample from a phrase shared by two. Exact. O(N log N) for N
    units.

    Args:
        sequences: Documents as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: Welleck et al. (2020), Neural text generation with unlikelihood training, ICLR (seq-rep-n).

    Example:
        >>> self_distinct_n([[5, 5, 5, 5], [5, 6, 7, 8], [5]], n=2)
        0.6666666666666666
    """
    return ratio(*_shares(sequences, n))


class SelfDistinct(DiversityIndicator):
    """Self-distinct-n over batches of sequences of token ids; see `self_distinct_n`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is a
    sum and a count. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.

    Example:
        >>> import torch
        >>> metric = SelfDistinct(1)
        >>> metric.update([torch.tensor([5, 5, 5, 5]), torch.tensor([5, 6, 7, 8])])
        >>> metric.compute()
        tensor(0.6250, dtype=torch.float64)
    """

    unit = "share of n-grams"
    undefined = "no sample is as long as n"
    misses = "mode collapse: each copy of one good sample is as diverse as before"
    definitions = (4,)
    formula = staticmethod(self_distinct_n)

    def __init__(self, n: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(**kwargs)
        check_order(n)
        self.n = n
        self._add_sum(f"total_of_shares_of_{n}_grams")
        self._add_count(f"sequences_with_{n}_grams")

    def update(self, sequences: Sequences) -> None:
        """Add sequences."""
        self._add_up(*_shares(sequences, self.n))

    def compute(self) -> Tensor:
        """Self-distinct-n of everything since the last reset; NaN without n-grams."""
        return self._scalar(ratio(*map(float, self._totals)))


class SelfDistinct1(FixedOrder, SelfDistinct):
    """Self-distinct-1, the mean share of new tokens in a sample; see `SelfDistinct`.

    Example:
        >>> import torch
        >>> metric = SelfDistinct1()
        >>> metric.update([torch.tensor([7, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place, order = "self_distinct_1", 50, 1


class SelfDistinct2(FixedOrder, SelfDistinct):
    """Self-distinct-2, the mean share of new pairs of tokens in a sample; see `SelfDistinct`.

    Example:
        >>> import torch
        >>> metric = SelfDistinct2()
        >>> metric.update([torch.tensor([7, 8, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place, order = "self_distinct_2", 60, 2


class SelfDistinct3(FixedOrder, SelfDistinct):
    """Self-distinct-3, the mean share of new triples of tokens in a sample; see `SelfDistinct`.

    Example:
        >>> import torch
        >>> metric = SelfDistinct3()
        >>> metric.update([torch.tensor([7, 8, 9]), torch.tensor([7, 8, 9])])
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    name, place, order = "self_distinct_3", 70, 3


class SelfDistinct4(FixedOrder, SelfDistinct):
    """Self-distinct-4, the mean share of new runs of four tokens in a sample; see `SelfDistinct`.

    Example:
        >>> import torch
        >>> metric = SelfDistinct4()
        >>> metric.update([torch.tensor([7, 7, 7, 7, 7, 7])])
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    name, place, order = "self_distinct_4", 80, 4


def _shares(sequences: Sequences, n: int) -> tuple[float, int]:
    """Sum over sequences of the share of their n-grams that are different, and how many have any."""
    check_order(n)
    ids, lengths = joined(sequences)
    different = np.bincount(ngrams_by_document(ids, lengths, n).documents, minlength=len(lengths))
    long_enough = lengths >= n
    return math.fsum(different[long_enough] / (lengths[long_enough] - n + 1)), int(long_enough.sum())
