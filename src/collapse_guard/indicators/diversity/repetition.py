"""Repetition: how much of what one sample says other samples say too."""

from __future__ import annotations

import math

import numpy as np

from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.document_ngrams import ORDER, KeptSequences, ngrams_by_document
from collapse_guard.indicators.exact_keys import Sequences, check_order, joined
from collapse_guard.records import Direction, EffectScale


def repetition(sequences: Sequences, n: int = 4) -> float:
    r"""Self-repetition across samples: the mean over samples of `log(1 + sum_g N_g)`.

    g runs over the different n-grams of a sample, and N_g is the number of other samples that have g. Only what
    several samples share counts: a loop within one sample is what `self_distinct_n` measures.

    Unit: log repeats. Range: [0, inf). Collapse: up. Undefined (NaN) for fewer than two sequences of n units; shorter
    ones are left out (the `diversity` package, which otherwise defines it the same for words, counts them as 0). It
    grows with the number and the length of samples, so compare it at equal numbers and lengths only. O(N log N) for N
    units.

    Args:
        sequences: Samples as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: Salkar et al. (2022), Self-repetition in abstractive neural summarizers, AACL; in the form of Shaib et al.
        (2024), Standardizing the measurement of text diversity, arXiv:2403.00553.

    Example:
        >>> round(repetition([[1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [6, 7, 8, 9]]), 6)
        0.462098
    """
    check_order(n)
    ids, lengths = joined(sequences)
    long_enough = lengths >= n
    if long_enough.sum() < 2:
        return math.nan
    table = ngrams_by_document(ids, lengths, n)
    others = np.repeat(table.spread - 1, table.spread)
    repeats = np.bincount(table.documents, weights=others, minlength=len(lengths))
    return float(np.log1p(repeats[long_enough]).mean())


class Repetition(DiversityIndicator, KeptSequences):
    """Self-repetition over batches of sequences of token ids; see `repetition`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    all ids, 8 bytes a token, and at most `most_tokens` (2**27, 1 GiB) of them. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.

    Example:
        >>> import torch
        >>> metric = Repetition()
        >>> metric.update([torch.tensor([1, 2, 3, 4, 5]), torch.tensor([0, 1, 2, 3, 4])])
        >>> metric.compute()
        tensor(0.6931, dtype=torch.float64)
    """

    name, place = "repetition", 140
    unit = "log repeats"
    undefined = "fewer than two samples are as long as n"
    shortest = ORDER
    direction = Direction.UP
    value_range = (0.0, math.inf)
    scale = EffectScale.LOG
    misses = "loops within one sample, and the same said in other words"
    formula = staticmethod(repetition)
