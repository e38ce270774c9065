"""A small language model of words: it is fitted by counting, writes by drawing, and scores in nats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray

FLOOR = 0.01
"""Share of the score that all words have in equal parts, so a word that the model lost costs finitely many nats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WordModel:
    """Words by their frequency and, with weight `context`, by the previous word.

    To draw a word, the model takes a random occurrence in the training text: with probability `context` one that
    follows the previous word there, else any. So what it writes is never smoothed. The score of a word is
    (1 - FLOOR) (context P(word | previous word) + (1 - context) P(word)) + FLOOR / vocabulary.
    The first word of a document, and a word after one that nothing follows, is drawn and scored by frequency alone.

    Example:
        >>> model = WordModel.fit(np.array([[0, 1], [0, 1]]), vocabulary=4, context=0.0)
        >>> np.exp(-model.nats(np.array([[0, 3]]))).round(4).tolist()
        [[0.4975, 0.0025]]
    """

    vocabulary: int
    """Number of words of the language."""
    context: float
    """Weight of the previous word, from 0 (frequencies only) to 1."""
    training: IntArray
    """[documents, length]: word numbers."""
    counts: IntArray
    """[vocabulary]: occurrences in the training text."""
    pairs: IntArray
    """Adjacent words of the training text as first * vocabulary + second, sorted; empty without context."""

    @classmethod
    def fit(cls, training: IntArray, *, vocabulary: int, context: float) -> WordModel:
        """Count words and, if context has a weight, adjacent words. Cost: O(N log N) for N words."""
        pairs = training[:, :-1] * vocabulary + training[:, 1:] if context else np.empty(0, dtype=np.int64)
        counts = np.bincount(training.ravel(), minlength=vocabulary)
        return cls(
            vocabulary=vocabulary, context=context, training=training, counts=counts, pairs=np.sort(pairs, axis=None)
        )

    @property
    def known(self) -> int:
        """Words that it can write."""
        return int((self.counts > 0).sum())

    @property
    def homozygosity(self) -> float:
        """Sum of squared word frequencies."""
        return float(((self.counts / self.counts.sum()) ** 2).sum())

    def write(self, rng: np.random.Generator, *, documents: int, length: int) -> IntArray:
        """Documents drawn from the model, [documents, length]."""
        written = self.training.ravel()[rng.integers(self.training.size, size=(documents, length))]
        if self.context:
            for place in range(1, length):
                written[:, place] = self._in_context(rng, written[:, place - 1], otherwise=written[:, place])
        return written

    def nats(self, documents: IntArray) -> FloatArray:
        """Cost of each word, [documents, length]: -ln of its score."""
        shares = self.counts[documents] / self.counts.sum()
        if self.context:
            before, after = documents[:, :-1], documents[:, 1:]
            followers, pair = self._followers(before)[1], before * self.vocabulary + after
            seen = np.searchsorted(self.pairs, pair + 1) - np.searchsorted(self.pairs, pair)
            weight = np.where(followers > 0, self.context, 0.0)
            conditional = seen / np.maximum(followers, 1)
            shares[:, 1:] = weight * conditional + (1.0 - weight) * shares[:, 1:]
        return np.asarray(-np.log((1.0 - FLOOR) * shares + FLOOR / self.vocabulary))

    def _in_context(self, rng: np.random.Generator, before: IntArray, *, otherwise: IntArray) -> IntArray:
        starts, followers = self._followers(before)
        place = starts + (rng.random(len(before)) * followers).astype(np.int64)
        uses = (rng.random(len(before)) < self.context) & (followers > 0)
        return np.where(uses, self.pairs[np.minimum(place, len(self.pairs) - 1)] % self.vocabulary, otherwise)

    def _followers(self, before: IntArray) -> tuple[IntArray, IntArray]:
        """First place and number of the pairs that begin with each word."""
        first = np.searchsorted(self.pairs, before * self.vocabulary)
        return first, np.searchsorted(self.pairs, (before + 1) * self.vocabulary) - first
