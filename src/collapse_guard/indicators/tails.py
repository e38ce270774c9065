"""Tails: whether rare words and n-grams still occur, how often, and how much is still unseen. Rare things vanish first.

Two kinds of ids: type ids, where all words that the wild type does not know are `UNKNOWN`, and word ids, any int64,
where each different word has an id of its own.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.evidence import FloatArray
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.ngrams import KeyTable
from collapse_guard.indicators.richness import as_array, missing_mass
from collapse_guard.records import Direction

UNKNOWN = -1
"""Type id of a word that the wild type does not know."""
HILL_RANKS = 50
"""Ranks that `hill_index` looks at unless told otherwise."""


def count_types(types: npt.ArrayLike | Tensor, n_types: int) -> Tensor:
    """Count the occurrences of each type id: `n_types` + 1 counts, the last one of unknown types.

    Args:
        types: 1-D ids from 0 to `n_types` - 1, or `UNKNOWN`.
        n_types: Number of known types.

    Raises:
        InputError: An id is out of range.

    Example:
        >>> count_types([0, 2, 2, UNKNOWN], n_types=3)
        tensor([1, 0, 2, 1])
    """
    ids = torch.as_tensor(types).reshape(-1).long()
    if ids.numel() and not UNKNOWN <= int(ids.min()) <= int(ids.max()) < n_types:
        raise InputError(
            f"`types` must be from 0 to {n_types - 1}, or {UNKNOWN} for unknown words, "
            f"but got {int(ids.min())} to {int(ids.max())}"
        )
    return torch.bincount(torch.where(ids == UNKNOWN, n_types, ids), minlength=n_types + 1)


def rare_coverage(counts: Tensor, rare: npt.ArrayLike | Tensor) -> float:
    r"""Share of the wild type's frozen rare types that occur at all: `|{r in rare : count_r > 0}| / |rare|`.

    Range: [0, 1]. Collapse: down. Undefined (NaN) where nothing is rare. It grows with the number of occurrences
    looked at, so compare it at equal numbers only. O(V) for V types.

    Args:
        counts: V + 1 occurrences by type, the last of unknown types (`count_types`).
        rare: r: ids of the rare types.

    Source: tail coverage; Good (1953), Biometrika 40:237 for why rare types are the first to go.

    Example:
        >>> rare_coverage(count_types([0, 0, 2], n_types=4), rare=[2, 3])
        0.5
    """
    found = counts[torch.as_tensor(rare, dtype=torch.long)] > 0
    return int(found.sum()) / len(found) if len(found) else math.nan


def rare_mass(counts: Tensor, rare: npt.ArrayLike | Tensor) -> float:
    r"""Share of all occurrences that are of the wild type's frozen rare types: `sum_rare count / sum count`.

    Range: [0, 1]. Collapse: down. Unknown words count as occurrences, so noise does not hide a loss. Undefined (NaN)
    without occurrences or where nothing is rare. Its expectation does not depend on the number of occurrences. O(V)
    for V types.

    Args:
        counts: V + 1 occurrences by type, the last of unknown types (`count_types`).
        rare: r: ids of the rare types.

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails).

    Example:
        >>> rare_mass(count_types([0, 0, 2, UNKNOWN], n_types=4), rare=[2, 3])
        0.25
    """
    chosen, total = counts[torch.as_tensor(rare, dtype=torch.long)], int(counts.sum())
    return int(chosen.sum()) / total if total and len(chosen) else math.nan


def lost_ngrams(counts: npt.ArrayLike | Tensor, probabilities: npt.ArrayLike | Tensor, m: int) -> float:
    r"""Share of the wild type's recurring n-grams that real text of the same size would show and this does not.

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
    frozen, found = _probabilities(probabilities), as_array(counts) > 0
    if found.shape != frozen.shape or m < 0:
        raise InputError(
            f"`counts` must have one entry for each of the {len(frozen)} `probabilities` and `m` must be at least 0, "
            f"but got the shape {found.shape} and {m}"
        )
    with np.errstate(divide="ignore"):
        expected = -float(np.expm1(m * np.log1p(-frozen)).sum()) if m else 0.0
    return 1.0 - int(found.sum()) / expected if expected else math.nan


def hill_index(counts: npt.ArrayLike | Tensor, k: int = HILL_RANKS) -> float:
    r"""Hill's estimate of the tail index alpha of the k largest counts, `1 / alpha = (1/k) sum_i ln(X_(i) / X_(k+1))`.

    How evenly the commonest words share the text: words of a Zipf law of exponent s have alpha = 1 / s.
    Range: (0, inf). Collapse: both: decoding at a temperature below 1 makes the head heavier (alpha falls by that
    factor), above 1 it flattens it (alpha grows). A tail that is cut off, and noise mixed in evenly, change it little.
    Undefined (NaN) for fewer than k + 1 positive values, where the k + 1 largest are all equal, or where a number is
    not finite. It depends on the number of occurrences, as small counts tie: compare it at equal numbers only. O(V)
    for V words.

    Why 50 ranks: in 4,096 words of Zipf and Zipf-Mandelbrot laws it follows a change of the exponent by 10 % to within
    a third of that change, with a standard deviation of 7 %. Fewer ranks (10, 20) are noisier; from 100 on the counts
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
    k = _checked_ranks(k)
    values = as_array(counts).astype(np.float64).ravel()
    if not np.isfinite(values).all() or int((values > 0).sum()) <= k:
        return math.nan
    largest = np.sort(np.partition(values, -k - 1)[-k - 1 :])
    excess = float(np.log(largest[1:] / largest[0]).sum())
    return k / excess if excess else math.nan


class _OfTails(Indicator):
    family = "tails"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "words"
    definitions: ClassVar[tuple[int, ...]] = (7,)


class _TypeCounts(_OfTails):
    """Counts of type ids. Both indicators read the same, so a MetricCollection may share the state."""

    cost = "O(N + V) for N words and V known types"
    misses = "whether the rare words stand where they make sense"

    type_counts: Tensor

    def __init__(self, rare: npt.ArrayLike | Tensor, n_types: int, **kwargs: Any) -> None:
        """Begin without occurrences."""
        super().__init__(**kwargs)
        self.rare, self.n_types = tuple(torch.as_tensor(rare).long().tolist()), n_types
        self._add_sum("type_counts", n_types + 1, dtype=torch.int64)

    def update(self, types: Tensor) -> None:
        """Add occurrences."""
        self.type_counts = self.type_counts + count_types(types, self.n_types).to(self.type_counts.device)


class RareCoverage(_TypeCounts):
    """Share of rare types that occur, over batches of type ids; see `rare_coverage`.

    As input to `update`: `types`, ids of any shape, `UNKNOWN` (-1) for unknown words. The state is one int64 per
    type. Value: float64.

    Args:
        rare: Ids of the rare types.
        n_types: Number of known types.

    Example:
        >>> metric = RareCoverage(rare=[2, 3], n_types=4)
        >>> metric.update(torch.tensor([0, 0, 2]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "rare_coverage"
    unit = "share of rare words"
    undefined = "no word of the wild type is rare"

    def compute(self) -> Tensor:
        """Coverage of everything since the last reset."""
        return self._scalar(rare_coverage(self.type_counts, self.rare))


class RareMass(_TypeCounts):
    """Share of occurrences that are of rare types, over batches of type ids; see `rare_mass`.

    As input to `update`: `types`, ids of any shape, `UNKNOWN` (-1) for unknown words. The state is one int64 per
    type. Value: float64.

    Args:
        rare: Ids of the rare types.
        n_types: Number of known types.

    Example:
        >>> metric = RareMass(rare=[2, 3], n_types=4)
        >>> metric.update(torch.tensor([0, 0, 2, -1]))
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    name = "rare_mass"
    unit = "share of words"
    undefined = "no word of the wild type is rare, or there are no words"

    def compute(self) -> Tensor:
        """Mass of everything since the last reset."""
        return self._scalar(rare_mass(self.type_counts, self.rare))


class LostNgrams(_OfTails):
    """Share of the wild type's recurring n-grams that are lost, over batches of n-grams; see `lost_ngrams`.

    As input to `update`: `indices`, of any shape: which of the frozen n-grams each n-gram is, `UNKNOWN` (-1) for all
    others; and `m`, the number of units that they come from, which is the number of indices unless the units are
    documents. The state is one int64 per frozen n-gram. Value: float64.

    Args:
        probabilities: K: the share of the wild type's units that are or hold each frozen n-gram.

    Example:
        >>> metric = LostNgrams([0.25, 0.25, 0.25, 0.25])
        >>> metric.update(torch.tensor([0, 0, 0]))
        >>> metric.compute()
        tensor(0.5676, dtype=torch.float64)
    """

    name = "lost_ngrams"
    unit = "share of recurring n-grams"
    direction = Direction.UP
    value_range = (-math.inf, 1.0)
    scale = "absolute"
    undefined = "there are no n-grams, or the wild type has none that recur"
    cost = "O(N + K) for N n-grams and K frozen ones"
    misses = "n-grams that are new; and one n-gram of a kind is as good as the many that real text has"
    definitions = (6, 7)

    ngram_counts: Tensor
    n_looked_at: Tensor

    def __init__(self, probabilities: npt.ArrayLike | Tensor, **kwargs: Any) -> None:
        """Begin without n-grams."""
        super().__init__(**kwargs)
        self.probabilities = _probabilities(probabilities)
        self._add_sum("ngram_counts", len(self.probabilities), dtype=torch.int64)
        self._add_sum("n_looked_at", dtype=torch.int64)

    def update(self, indices: Tensor, m: int | None = None) -> None:
        """Add n-grams."""
        added = count_types(indices, len(self.probabilities))[:-1]
        self.ngram_counts = self.ngram_counts + added.to(self.ngram_counts.device)
        self.n_looked_at = self.n_looked_at + (indices.numel() if m is None else m)

    def compute(self) -> Tensor:
        """Share that is lost in everything since the last reset."""
        return self._scalar(lost_ngrams(self.ngram_counts, self.probabilities, int(self.n_looked_at)))


class _WordTable(_OfTails, KeyTable):
    """Counts of word ids. Both indicators read the same, so a MetricCollection may share the state."""

    cost = "O(N log N) for N words"

    def __init__(self, **kwargs: Any) -> None:
        """Begin without words."""
        super().__init__(**kwargs)
        self._add_table("table_of_words")

    def update(self, words: Tensor) -> None:
        """Add words."""
        if words.is_floating_point():
            raise InputError(f"`words` must be integer ids, one for each different word, but got {words.dtype}")
        self._count(words.reshape(-1).to(torch.int64).cpu().numpy())


class MissingMass(_WordTable):
    """Good-Turing missing mass over batches of words; see `missing_mass`.

    As input to `update`: `words`, of any shape: an int64 id for each word, any int64, the same id for the same word
    only. A word that the wild type does not know needs an id of its own as well: with `UNKNOWN` for all of them the
    words that matter most here would count as one. The state is two int64 for each different word. Value: float64.

    Example:
        >>> metric = MissingMass()
        >>> metric.update(torch.tensor([7, 7, 8, -9]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "missing_mass"
    unit = "probability"
    undefined = "there are no words"
    misses = "which words are rare: misspellings and noise are as new as real rare words"

    def compute(self) -> Tensor:
        """Missing mass of everything since the last reset."""
        return self._scalar(missing_mass(self.table[1]))


class HillIndex(_WordTable):
    """Hill's tail index of word counts over batches of words; see `hill_index`.

    As input to `update`: `words`, of any shape: an int64 id for each word, any int64, the same id for the same word
    only. The state is two int64 for each different word. Value: float64.

    Args:
        k: Number of the commonest words that are compared with the next one.

    Example:
        >>> metric = HillIndex(k=1)
        >>> metric.update(torch.tensor([7, 7, 8]))
        >>> metric.compute()
        tensor(1.4427, dtype=torch.float64)
    """

    name = "hill_index"
    unit = "tail index"
    direction = Direction.BOTH
    value_range = (0.0, math.inf)
    undefined = "at most k different words occur, or the k + 1 commonest occur equally often"
    misses = "everything below the k commonest words: a tail that is cut off, or noise mixed in evenly"
    definitions = (5, 7)

    def __init__(self, k: int = HILL_RANKS, **kwargs: Any) -> None:
        """Begin without words."""
        super().__init__(**kwargs)
        self.k = _checked_ranks(k)

    def compute(self) -> Tensor:
        """Tail index of everything since the last reset."""
        return self._scalar(hill_index(self.table[1], self.k))


def _checked_ranks(k: int) -> int:
    if k < 1:
        raise InputError(f"`k` must be at least 1, but got {k!r}: {HILL_RANKS} suits words")
    return k


def _probabilities(values: npt.ArrayLike | Tensor) -> FloatArray:
    """Shares of units, after checking that they can be that."""
    shares: FloatArray = as_array(values).astype(np.float64)
    if shares.ndim != 1 or not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise InputError(
            "`probabilities` must be 1-D shares from 0 to 1, one for each frozen n-gram, but got the shape "
            f"{shares.shape} and a sum of {shares.sum():g}: divide counts by the number of n-grams or documents"
        )
    return shares
