"""Lost n-grams: which n-grams of real text do not come back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.ngrams import key_counts, ngram_keys
from collapse_guard.indicators.samples import WordGroup
from collapse_guard.indicators.tails.rare import TailIndicator, count_types
from collapse_guard.records import Direction, EffectScale


def lost_ngrams(counts: Values, probabilities: Values, m: int) -> float:
    r"""Share of the wild type's recurring n-grams that real text of the same size would show but the samples do not.

    `1 - found / expected`: found is the number of frozen n-grams that occur at all, and expected the number that m
    units of the wild type would show, `sum_i 1 - (1 - p_i)^m`. Range: (-inf, 1]. Collapse: up; about 0 for real text
    of any size, 1 where nothing is left, negative where more is shown than expected. Undefined (NaN) where nothing is
    expected: without units or without a frozen set. O(K) for K frozen n-grams.

    It is as honest as its p_i, in two ways (measured on 28 groups of 4,096 words of software documentation, in
    documents of 128 words):

    - Units. Units are taken as drawn one by one. Real text repeats what it has just said, so n-grams are not: with
      n-grams as units real text reads .10 (pairs, triples) to .19 (single words), with documents of equal length as
      units between -.01 and .03.
    - Choice. n-grams that occur twice in a text seem more frequent there than they are. Choose them in one half of
      the wild type and take p_i from the other half: with p_i from the same text real text reads .27 to .45. What is
      left then is a fall below 0 where m exceeds 1/20 of the units of that half (-.05 at 1/6 for a Zipf law).

    Args:
        counts: K: occurrences of each frozen n-gram.
        probabilities: K: p_i, the share of the wild type's units that are (n-grams) or hold (documents) each of them.
        m: Number of units looked at.

    Raises:
        InputError: Counts and probabilities differ in number, or a number is out of range.

    Source: Hurlbert (1971), The nonconcept of species diversity, Ecology 52:577, for the expectation; Good (1953),
    Biometrika 40:237, for the bias of shares that chance helped to choose.

    Example:
        >>> round(lost_ngrams([3, 0, 0, 0], probabilities=[0.25, 0.25, 0.25, 0.25], m=3), 6)
        0.567568
    """
    shares, present = _probabilities(probabilities), as_array(counts) > 0
    if present.shape != shares.shape or m < 0:
        raise InputError(
            f"`counts` must have one entry for each of the {len(shares)} `probabilities` and `m` must be at least 0, "
            f"but got the shape {present.shape} and {m}"
        )
    with np.errstate(divide="ignore"):
        expected = -float(np.expm1(m * np.log1p(-shares)).sum()) if m else 0.0
    return 1.0 - int(present.sum()) / expected if expected else math.nan


class FrozenNgrams(NamedTuple):
    """N-grams that may be lost. One half of the documents chooses them, the other half weighs them, so that the chance
    of the choice does not enter the weights.
    """

    keys: IntArray
    """k: sorted keys."""
    probabilities: FloatArray
    """k: share of each among all n-grams."""

    @classmethod
    def of(cls, choosing: IntArray, weighing: IntArray) -> FrozenNgrams:
        """Those that come at least twice among the keys of one half, weighed by the keys of the other."""
        keys, counts = key_counts(choosing)
        chosen = keys[counts > 1]
        return cls(chosen, _counts_among(chosen, weighing) / max(1, len(weighing)))

    def counts(self, keys: IntArray) -> IntArray:
        """k: how often each frozen n-gram is among `keys`."""
        return _counts_among(self.keys, keys)


class LostNgrams(TailIndicator):
    """Share of the wild type's recurring n-grams that are lost, over batches of n-grams; see `lost_ngrams`.

    As input to `update`: `indices`, of any shape: which of the frozen n-grams each n-gram is, `UNKNOWN` (-1) for all
    others; and `m`, the number of units that they come from, which is the number of indices unless the units are
    documents. The state is one int64 per frozen n-gram. Value: float64.

    Args:
        probabilities: K: the share of the wild type's units that are or hold each frozen n-gram.

    Example:
        >>> import torch
        >>> metric = LostNgrams([0.25, 0.25, 0.25, 0.25])
        >>> metric.update(torch.tensor([0, 0, 0]))
        >>> metric.compute()
        tensor(0.5676, dtype=torch.float64)
    """

    name, place = "lost_ngrams", 40
    unit = "share of recurring n-grams"
    direction = Direction.UP
    value_range = (-math.inf, 1.0)
    scale = EffectScale.SHARE
    undefined = "there are no n-grams, or the wild type has none that recur"
    shortest = 2
    cost = "O(N + K) for N n-grams and K frozen ones"
    misses = "new n-grams; and how often an n-gram occurs"
    definitions = (6, 7)

    @classmethod
    def read(cls, group: WordGroup) -> float:
        """Value of a group, of the pairs of words of the pool."""
        keys, pairs = _pair_keys(group.words), group.instruments.of(_pairs)
        return lost_ngrams(pairs.counts(keys), pairs.probabilities, len(keys))

    @classmethod
    def lacking(cls, instruments: Instruments) -> str:
        """Where no pair of words of the pool comes twice."""
        return "" if len(instruments.of(_pairs).keys) else "no two words of the wild type come twice in the same order"

    def __init__(self, probabilities: Values, **kwargs: Any) -> None:
        """Begin without n-grams."""
        super().__init__(**kwargs)
        self.probabilities = _probabilities(probabilities)
        self._add_count("ngram_counts", len(self.probabilities))
        self._add_count("n_looked_at")

    def update(self, indices: Tensor, m: int | None = None) -> None:
        """Add n-grams."""
        added = count_types(indices, len(self.probabilities))[:-1]
        self._add_up(added.to(self.device), indices.numel() if m is None else m)

    def compute(self) -> Tensor:
        """Share that is lost in everything since the last reset."""
        counts, n_looked_at = self._totals
        return self._scalar(lost_ngrams(counts, self.probabilities, int(n_looked_at)))


def _probabilities(values: Values) -> FloatArray:
    """Shares of units, after checking that they can be that."""
    shares: FloatArray = as_array(values).astype(np.float64)
    if shares.ndim != 1 or not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise InputError(
            "`probabilities` must be 1-D shares from 0 to 1, one for each frozen n-gram, but got the shape "
            f"{shares.shape} and a sum of {shares.sum():g}: divide counts by the number of n-grams or documents"
        )
    return shares


def _pairs(instruments: Instruments) -> FrozenNgrams:
    """The pairs of words that come at least twice in every second document of the pool."""

    def make() -> dict[str, Any]:
        words = instruments.types(instruments.pool)
        return FrozenNgrams.of(_pair_keys(words[::2]), _pair_keys(words[1::2]))._asdict()

    return FrozenNgrams(**instruments.wild_type.kept("pairs", make))


def _pair_keys(words: Sequence[IntArray]) -> IntArray:
    """One key for each pair of neighbouring words, comparable between calls."""
    return ngram_keys(words, 2, base=2**31)


def _counts_among(ordered: IntArray, keys: IntArray) -> IntArray:
    if not len(ordered):
        return np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.bincount(places[ordered[places] == keys], minlength=len(ordered)).astype(np.int64)
