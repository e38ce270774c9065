"""Entropy of n-grams: how evenly a model uses what it says."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.indicators.diversity.family import DiversityIndicator, FixedOrder
from collapse_guard.indicators.exact_keys import Sequences
from collapse_guard.indicators.ngrams import NgramTable, key_counts, ngram_keys
from collapse_guard.records import Direction, EffectScale


def entropy_n(sequences: Sequences, n: int) -> float:
    r"""Entropy-n: the Shannon entropy of the n-grams pooled over all sequences, `-sum_g p_g log p_g`, p their shares.

    Unit: nats per n-gram. Range: [0, log N] for N n-grams. Collapse: both: narrow decoding lowers it, noise raises it.
    Undefined (NaN) where no sequence has n units. Shares stand for probabilities, so it is too low, by about (types -
    1) / 2N, and grows with N: compare it at equal numbers only.

    n-grams do not cross from one sequence into the next. Exact counts. O(N log N) for N units.

    Args:
        sequences: Documents as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: Zhang et al. (2018), Generating informative and diverse conversational responses, NeurIPS (Ent-n).

    Example:
        >>> round(entropy_n([[0, 1, 0, 1], [2, 3]], n=1), 6)
        1.329661
    """
    return _entropy(key_counts(ngram_keys(sequences, n))[1])


class NgramEntropy(DiversityIndicator, NgramTable):
    """Entropy-n over batches of sequences of token ids; see `entropy_n`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    two int64 for each different n-gram. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.
        vocabulary_size: Larger than any id. Counts are exact where `vocabulary_size**n` is below 2**63; beyond, see
            `ngrams.ngram_hashes`.

    Example:
        >>> import torch
        >>> metric = NgramEntropy(2, vocabulary_size=10)
        >>> metric.update([torch.tensor([0, 1, 0]), torch.tensor([0, 1])])
        >>> metric.compute()
        tensor(0.6365, dtype=torch.float64)
    """

    unit = "nats per n-gram"
    undefined = "no sample is as long as n"
    direction = Direction.BOTH
    value_range = (0.0, math.inf)
    scale = EffectScale.LOG
    misses = "which n-grams they are: a lost one and a new one cancel, and rare ones have little weight"
    definitions = (4, 6, 8)
    formula = staticmethod(entropy_n)

    def compute(self) -> Tensor:
        """Entropy-n of everything since the last reset; NaN without n-grams."""
        return self._scalar(_entropy(self.table[1]))


class NgramEntropy1(FixedOrder, NgramEntropy):
    """Entropy-1, of single tokens; see `NgramEntropy`.

    Example:
        >>> import torch
        >>> metric = NgramEntropy1(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 7, 8])])
        >>> metric.compute()
        tensor(0.6931, dtype=torch.float64)
    """

    name, place, order = "entropy_1", 90, 1


class NgramEntropy2(FixedOrder, NgramEntropy):
    """Entropy-2, of pairs of tokens; see `NgramEntropy`.

    Example:
        >>> import torch
        >>> metric = NgramEntropy2(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.6931, dtype=torch.float64)
    """

    name, place, order = "entropy_2", 100, 2


class NgramEntropy3(FixedOrder, NgramEntropy):
    """Entropy-3, of triples of tokens; see `NgramEntropy`.

    Example:
        >>> import torch
        >>> metric = NgramEntropy3(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 9]), torch.tensor([8, 9, 7])])
        >>> metric.compute()
        tensor(0.6931, dtype=torch.float64)
    """

    name, place, order = "entropy_3", 110, 3


class NgramEntropy4(FixedOrder, NgramEntropy):
    """Entropy-4, of runs of four tokens; see `NgramEntropy`.

    Example:
        >>> import torch
        >>> metric = NgramEntropy4(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 7, 7, 7, 8])])
        >>> metric.compute()
        tensor(0.6365, dtype=torch.float64)
    """

    name, place, order = "entropy_4", 120, 4


def _entropy(counts: IntArray) -> float:
    if not len(counts):
        return math.nan
    shares = counts / counts.sum()
    return max(0.0, -float((shares * np.log(shares)).sum()))
