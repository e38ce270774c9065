"""What is looked up when a generation is measured: derived from a wild type once, and kept as long as it is used.

All of it stands on the pool, so the wild type's own reading, on evaluation documents, is as independent of it as that
of a generation that writes like real people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from torch import Tensor

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.distance.frechet import frechet_to
from collapse_guard.indicators.distance.kernels import RandomFeatures, discrepancy_of_sums
from collapse_guard.indicators.distance.manifold import Manifold, ManifoldScores
from collapse_guard.indicators.genetics.inbreeding import homozygosity
from collapse_guard.indicators.ngrams import key_counts, ngram_keys
from collapse_guard.indicators.novelty.excerpts import NgramIndex, TrainingIndex
from collapse_guard.measurement.recent import Recent
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.geometry import Geometry

MOST_TRAINING_DOCUMENTS = 50_000
"""Pool documents that copies are looked for in, a random choice: with a larger pool, what is found is a lower bound."""
COPIED_LENGTH = 8
"""Tokens in a row that count as copied."""


class FrozenNgrams(NamedTuple):
    """n-grams whose loss is looked for. One half of the documents chose them, the other half says how likely they are:
    chance has no part in both.
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


def _counts_among(ordered: IntArray, keys: IntArray) -> IntArray:
    if not len(ordered):
        return np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.bincount(places[ordered[places] == keys], minlength=len(ordered)).astype(np.int64)


class TextInstruments:
    """Words, n-grams and documents of a wild type of texts."""

    def __init__(self, wild_type: WildType) -> None:
        """Begin with the words."""
        self._wild_type = wild_type
        self.word_ids = {word: i for i, word in enumerate(wild_type.known_words)}
        self.rare = np.array(sorted(self.word_ids[word] for word in wild_type.rare_words), dtype=np.int64)

    @cached_property
    def token_homozygosity(self) -> float:
        """The chance that two tokens of the pool are the same."""
        return homozygosity(np.bincount(np.concatenate(self._pool_tokens)))

    @cached_property
    def pairs(self) -> FrozenNgrams:
        """The pairs of words that come at least twice in every second document of the pool."""
        types = self.types(self._pool)
        return FrozenNgrams.of(pair_keys(types[::2]), pair_keys(types[1::2]))

    @cached_property
    def copied(self) -> NgramIndex:
        """The runs of tokens of the pool."""
        return NgramIndex.of(self._pool_tokens, COPIED_LENGTH)

    @cached_property
    def training(self) -> TrainingIndex:
        """The documents of the pool."""
        return TrainingIndex.of(self._pool)

    def types(self, texts: Sequence[str]) -> list[IntArray]:
        """Ids of the words of each text; words that the wild type does not know get the next ones, by the alphabet."""
        written = [self._wild_type.words(text) for text in texts]
        unknown = sorted({word for words in written for word in words} - self.word_ids.keys())
        ids = self.word_ids | {word: i for i, word in enumerate(unknown, len(self.word_ids))}
        return [np.array([ids[word] for word in words], dtype=np.int64) for words in written]

    def decode(self, tokens: Sequence[IntArray]) -> list[str]:
        """Texts of token ids."""
        return self._wild_type.decode(tokens)

    @cached_property
    def _pool(self) -> list[str]:
        # The pool stands in a random order that depends on its contents alone.
        return self._wild_type.pool[:MOST_TRAINING_DOCUMENTS].texts

    @cached_property
    def _pool_tokens(self) -> list[IntArray]:
        return [ids.astype(np.int64, copy=False) for ids in self._wild_type.encode(self._pool)]


class Space:
    """The frozen geometry of a wild type, with what is computed from it once."""

    def __init__(self, geometry: Geometry, *, seed: int) -> None:
        """Begin with the geometry."""
        self.geometry, self._seed = geometry, seed

    @cached_property
    def manifold(self) -> Manifold:
        """Balls around the reference vectors."""
        return Manifold(self.geometry.reference, self.geometry.radii)

    @cached_property
    def features(self) -> RandomFeatures:
        """Random features of a Gaussian kernel that is as wide as the reference vectors are apart."""
        return RandomFeatures(self.geometry.dimension, self.geometry.bandwidth, seed=self._seed)

    @cached_property
    def _feature_sum(self) -> Tensor:
        return self.features(self.geometry.reference).sum(dim=0)

    def mmd(self, group: FloatArray) -> float:
        """Discrepancy of a group of vectors from the reference, by the random features."""
        total = self.features(group).sum(dim=0)
        return discrepancy_of_sums(len(group), total, len(self.geometry.reference), self._feature_sum)

    def frechet(self, group: FloatArray) -> float:
        """Distance of a group of vectors, as a Gaussian, to the reference."""
        return frechet_to(group, self.geometry.mean, self.geometry.covariance)

    def scores(self, group: FloatArray) -> ManifoldScores:
        """How a group of vectors lies among the reference; NaN where it is too small for balls of its own."""
        if len(group) <= self.manifold.k:
            return ManifoldScores(math.nan, math.nan, math.nan, math.nan)
        return self.manifold.scores(group)

    def histogram(self, group: FloatArray) -> IntArray:
        """c: vectors of the group in each cluster of the frozen codebook."""
        return np.bincount(self.geometry.assign(group), minlength=len(self.geometry.codebook)).astype(np.int64)

    @cached_property
    def cluster_homozygosity(self) -> float:
        """The chance that two reference vectors fall into one cluster."""
        return homozygosity(self.geometry.histogram)


def pair_keys(types: Sequence[IntArray]) -> IntArray:
    """One key for each pair of neighbouring words, comparable between calls."""
    return ngram_keys(types, 2, base=2**31)


def text_instruments(wild_type: WildType) -> TextInstruments:
    """Those of this wild type, by fingerprint."""
    return _instruments.of(wild_type.fingerprint, lambda: TextInstruments(wild_type))


def space(wild_type: WildType) -> Space:
    """That of this wild type, by fingerprint."""
    return _spaces.of(wild_type.fingerprint, lambda: Space(wild_type.geometry, seed=wild_type.settings.seed))


_instruments: Recent[str, TextInstruments] = Recent()
_spaces: Recent[str, Space] = Recent()
