"""Self-BLEU: how well each sample is put together from pieces of the others."""

from __future__ import annotations

import math

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.document_ngrams import KeptSequences, ngrams_by_document
from collapse_guard.indicators.exact_keys import Sequences, check_order, joined
from collapse_guard.records import Direction, EffectScale

_EPSILON = 0.1
"""What stands for a count of no matches (smoothing method 1 of Chen and Cherry 2014)."""


def self_bleu(sequences: Sequences, n: int = 4) -> float:
    r"""Self-BLEU: the mean over samples of the BLEU-n of each against all others as its references.

    `BLEU_i = min(1, exp(1 - r_i / l_i)) * (p_1 … p_n)**(1/n)` for the length l_i, the closest length r_i among the
    others (of two as close, the shorter), and the share p_k of the k-grams of i that another sample has; each counts
    at most as often as in the one other sample that has it most. A share of 0 is replaced by 0.1 / k-grams, and a
    sample without any token in common with another, or without tokens, has BLEU 0: as NLTK's `sentence_bleu` with
    `SmoothingFunction().method1`.

    Unit: BLEU. Range: [0, 1]. Collapse: up. Undefined (NaN) for fewer than two sequences. It grows with the number of
    samples, and samples shorter than n cannot reach 1, so compare it at equal numbers and lengths only. It saturates:
    among very many samples nearly every piece is somewhere.

    Exact, and O(N log N) for N units where the definition is O(samples * N): of each k-gram, only the two largest
    counts and the owner of the largest are needed to know the most of all others.

    Args:
        sequences: Samples as 1-D ids, each from 0 to 2**31.
        n: Longest k-grams, 1 to 8; all have the same weight.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: Zhu et al. (2018), Texygen, SIGIR; Papineni et al. (2002), BLEU, ACL; Chen and Cherry (2014), WMT.

    Example:
        >>> round(self_bleu([[1, 2, 3, 4], [1, 2, 3, 5]]), 6)
        0.397635
    """
    check_order(n)
    ids, lengths = joined(sequences)
    if len(lengths) < 2:
        return math.nan
    matches = [_matches(ids, lengths, order) for order in range(1, n + 1)]
    log_precisions = [_log_precision(found, lengths, order) for order, found in enumerate(matches, start=1)]
    scores = np.exp(_log_brevity(lengths) + np.mean(log_precisions, axis=0))
    return float(np.where(matches[0] > 0, scores, 0.0).mean())


class SelfBleu(DiversityIndicator, KeptSequences):
    """Self-BLEU over batches of sequences of token ids; see `self_bleu`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    all ids, 8 bytes a token, and at most `most_tokens` (2**27, 1 GiB) of them. Value: float64.

    Args:
        n: Longest n-grams, 1 to 8.

    Example:
        >>> import torch
        >>> metric = SelfBleu()
        >>> metric.update([torch.tensor([1, 2, 3, 4]), torch.tensor([1, 2, 3, 5])])
        >>> metric.compute()
        tensor(0.3976, dtype=torch.float64)
    """

    name, place = "self_bleu", 130
    unit = "BLEU"
    undefined = "there are fewer than two samples"
    direction = Direction.UP
    scale = EffectScale.ABSOLUTE
    misses = "the same said in other words, and loops within one sample"
    formula = staticmethod(self_bleu)


def _matches(ids: IntArray, lengths: IntArray, n: int) -> IntArray:
    """How many n-grams of each document another document has, each at most as often as the one that has it most."""
    table = ngrams_by_document(ids, lengths, n)
    shared = np.repeat(table.spread > 1, table.spread)
    documents, counts = table.documents[shared], table.counts[shared]
    sizes = table.spread[table.spread > 1]
    clipped = np.minimum(counts, _most_of_others(counts, sizes))
    return np.bincount(documents, weights=clipped, minlength=len(lengths)).astype(np.int64)


def _most_of_others(counts: IntArray, sizes: IntArray) -> IntArray:
    """The largest other count in each row's run of rows; runs of at least two rows stand one behind the other."""
    if not len(counts):
        return counts
    starts = np.cumsum(sizes) - sizes
    most = np.repeat(np.maximum.reduceat(counts, starts), sizes)
    at_most = np.flatnonzero(counts == most)
    owners = at_most[np.searchsorted(at_most, starts)]
    others = counts.copy()
    others[owners] = 0
    most[owners] = np.maximum.reduceat(others, starts)
    return most


def _log_precision(matches: IntArray, lengths: IntArray, n: int) -> FloatArray:
    precision: FloatArray = np.where(matches > 0, matches, _EPSILON) / np.maximum(lengths - n + 1, 1)
    return np.log(precision)


def _log_brevity(lengths: IntArray) -> FloatArray:
    """Logarithm of the penalty of being shorter than the other document of the closest length."""
    ordered = np.sort(lengths)
    here = np.searchsorted(ordered, lengths)
    shorter = ordered[np.maximum(here - 1, 0)]
    longer = ordered[np.minimum(here + 1, len(ordered) - 1)]
    to_longer = np.where(here + 1 < len(ordered), longer - lengths, np.inf)
    to_shorter = np.where(here > 0, lengths - shorter, np.inf)
    return np.where(to_longer < to_shorter, 1.0 - longer / np.maximum(lengths, 1), 0.0)
