"""Kinds of documents, known by their words: which words stand in how many documents of each kind."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import FloatArray, IntArray, freeze
from collapse_guard.corpus.lexicon import words

MOST_WORDS = 20_000
"""Words that kinds are known by at most, the commonest."""
_FEWEST_WITH = 5
"""Documents that such a word stands in at least."""
COMMON = 0.5
"""A word that stands in a larger share of the documents tells no kinds apart that nobody has named."""
_TELLING = 0.2
"""A word that stands in a larger share of all other documents gives no kind its name."""
_TEMPER = 0.3
"""What the words of one document count for: they come together, and would be too sure of themselves as if they did
not. Found on speeches by year and on articles by topic; from 0.1 to 1 kinds are nearly the same."""
_SMOOTHING = 0.1
"""Documents that each word is counted to stand in beside those of a kind."""
_STARTS = 3
_MOST_STEPS = 60
_SETTLED = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class Kinds:
    """k kinds of documents as shares of v words: naive Bayes on which words a document has, tempered.

    Source: Nigam et al. (2000), Text classification from labeled and unlabeled documents using EM, Machine Learning 39.
    """

    words: tuple[str, ...]
    """v."""
    log_shares: FloatArray
    """k v: logarithm of the share of each word in each kind."""
    log_sizes: FloatArray
    """k: logarithm of the share of each kind in the documents."""

    @classmethod
    def of(cls, words: tuple[str, ...], presence: sparse.csr_array, weights: FloatArray) -> Kinds:
        """The kinds that documents with these words belong to.

        Args:
            words: v.
            presence: n v: 1 where a document has a word.
            weights: n k: how far each document belongs to each kind.
        """
        counts = (presence.T @ weights).T + _SMOOTHING
        sizes = weights.sum(axis=0) + 1.0
        shares = counts / counts.sum(axis=1, keepdims=True)
        return cls(words=words, log_shares=np.log(shares), log_sizes=np.log(sizes / sizes.sum()))

    @classmethod
    def found(cls, words: tuple[str, ...], presence: sparse.csr_array, n_kinds: int, *, seed: int) -> Kinds:
        """The n kinds that make the documents most likely: expectation and maximisation from the best of three starts.

        Cost: O(s (n k + z k)) for z words in n documents and s steps, at most 60 from each start.
        """
        with threadpool_limits(1):
            starts = [cls._from(words, presence, n_kinds, np.random.default_rng([seed, i])) for i in range(_STARTS)]
        return max(starts, key=lambda start: start[0])[1]

    @classmethod
    def _from(
        cls, words: tuple[str, ...], presence: sparse.csr_array, n_kinds: int, rng: np.random.Generator
    ) -> tuple[float, Kinds]:
        kinds = cls.of(words, presence, rng.dirichlet(np.full(n_kinds, _TEMPER), presence.shape[0]))
        before = -math.inf
        for _ in range(_MOST_STEPS):
            scores = kinds.scores(presence)
            each = logsumexp(scores, axis=1, keepdims=True)
            likely = float(each.sum())
            kinds = cls.of(words, presence, np.exp(scores - each))
            if likely - before < _SETTLED * abs(likely):
                break
            before = likely
        return likely, kinds

    def scores(self, presence: sparse.csr_array) -> FloatArray:
        """n k: logarithm of how likely each document is, and of each kind."""
        scores: FloatArray = _TEMPER * (presence @ self.log_shares.T) + self.log_sizes
        return scores

    def assign(self, texts: Sequence[str]) -> IntArray:
        """The most likely kind of each text; the first of equally likely ones."""
        return self.most_likely(presence_of(texts, self.words))

    def most_likely(self, presence: sparse.csr_array) -> IntArray:
        """The most likely kind of each document."""
        likely: IntArray = self.scores(presence).argmax(axis=1).astype(np.int64)
        return likely

    def select(self, chosen: IntArray) -> Kinds:
        """These kinds alone, in this order."""
        return replace(self, log_shares=freeze(self.log_shares[chosen]), log_sizes=freeze(self.log_sizes[chosen]))


def telling(presence: sparse.csr_array, words: Sequence[str], kind: IntArray, number: int, most: int) -> list[str]:
    """The words that say most about one kind: they stand in many of its documents, and in few others.

    Args:
        presence: n v: 1 where a document has a word.
        words: v.
        kind: n: the kind of each document.
        number: The kind.
        most: So many words at most.
    """
    inside = kind == number
    n, rest = int(inside.sum()), int((~inside).sum())
    here, elsewhere = (presence.T @ np.asarray(side, dtype=np.float64) for side in (inside, ~inside))
    with np.errstate(divide="ignore", invalid="ignore"):
        says = np.nan_to_num(here / n * np.log((here / n) / ((elsewhere + 0.5) / (rest + 1.0))))
    says[elsewhere > _TELLING * rest] = 0.0
    candidates = (i for i in np.flatnonzero(says > 0.0).tolist() if words[i].isalpha())
    return [words[i] for i in heapq.nsmallest(most, candidates, key=lambda i: (-says[i], words[i]))]


def known_words(texts: Sequence[str], *, common: float = 1.0) -> tuple[str, ...]:
    """The words that kinds of documents are known by, by the alphabet, but for rare and for common ones.

    Args:
        texts: The documents.
        common: Largest share of the documents that a word stands in.
    """
    standing = Counter(chain.from_iterable(set(words(text)) for text in texts))
    most = common * len(texts)
    fitting = {word: n for word, n in standing.items() if _FEWEST_WITH <= n <= most}
    return tuple(sorted(heapq.nsmallest(MOST_WORDS, fitting, key=lambda word: (-fitting[word], word))))


def presence_of(texts: Iterable[str], known: Sequence[str]) -> sparse.csr_array:
    """n v: 1 where a text has a word."""
    number = {word: place for place, word in enumerate(known)}
    columns = [sorted({number[word] for word in words(text) if word in number}) for text in texts]
    ends = np.cumsum([0, *map(len, columns)])
    places = np.array(list(chain.from_iterable(columns)), dtype=np.int64)
    return sparse.csr_array((np.ones(len(places)), places, ends), shape=(len(columns), len(known)))
