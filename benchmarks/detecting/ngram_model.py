"""A trigram language model that is trained in tens of milliseconds, and can do all that a lineage needs.

Jelinek and Mercer (1980): the relative frequencies of trigram, bigram and word are interpolated, with weights that
depend on how often the context was seen. The weights are fitted by expectation maximisation on a tenth of the
documents, drawn at random: so two trainings on the same data differ, as those of real models do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from detecting.passages import Ids, Passages

Floats = npt.NDArray[np.float64]
HELD_OUT, ITERATIONS, BUCKETS, N_SPECIAL = 0.1, 8, 24, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Followers:
    """What was seen after each context of one order."""

    keys: Ids
    """m: context and follower in one number, ascending."""
    counts: Ids
    """m: how often."""
    contexts: Ids
    """c: the contexts in one number, ascending."""
    starts: Ids
    """c + 1: where the keys of each context begin, and the end."""
    totals: Ids
    """c + 1: where the occurrences of each context begin, were each key repeated as often as it was seen."""

    @classmethod
    def of(cls, contexts: Ids, followers: Ids, vocabulary_size: int) -> Followers:
        """Count."""
        keys, counts = np.unique(contexts * vocabulary_size + followers, return_counts=True)
        seen, starts = np.unique(keys // vocabulary_size, return_index=True)
        starts = np.append(starts, len(keys))
        totals = np.concatenate([[0], np.cumsum(counts)])[starts]
        return cls(keys=keys, counts=counts, contexts=seen, starts=starts, totals=totals)

    def places(self, contexts: Ids) -> Ids:
        """Place of each context; -1 where it was never seen."""
        return _places(self.contexts, contexts)

    def total(self, places: Ids) -> Ids:
        """How often the context at each place was seen; 0 at -1."""
        return np.where(places >= 0, self.totals[places + 1] - self.totals[places], 0)

    def count(self, keys: Ids) -> Ids:
        """How often each key was seen."""
        places = _places(self.keys, keys)
        return np.where(places >= 0, self.counts[places], 0)

    @cached_property
    def occurrences(self) -> Ids:
        """Every key as often as it was seen."""
        return np.repeat(self.keys, self.counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramModel:
    r"""An interpolated trigram model.

    .. math:: p(w|u,v) = \lambda_{uv} \frac{c(uvw)}{c(uv)} + (1-\lambda_{uv}) \left[\lambda_v \frac{c(vw)}{c(v)} +
              (1-\lambda_v) \left(\lambda \frac{c(w)}{N} + \frac{1-\lambda}{V-2}\right)\right]

    Every token but the two special ones can be written after any context.
    """

    vocabulary_size: int
    """V."""
    trigrams: Followers
    """What was seen after two tokens."""
    bigrams: Followers
    """What was seen after one token."""
    words: Floats
    """V: probability of each token without a context, smoothed."""
    weights: Floats
    """2 B: weight of bigram and of trigram by the number of times that the context was seen, in powers of two."""

    @classmethod
    def fit(
        cls, documents: Passages, *, vocabulary_size: int, rng: np.random.Generator, names: Ids | None = None
    ) -> NgramModel:
        """Count n-grams in nine tenths of the documents, and fit the weights on the rest. O(n log n) in tokens.

        Copies have the same of the `names` and are not parted: a copy of what was counted looks too probable.
        """
        order = rng.permutation(len(documents))
        n_held_out = max(1, round(HELD_OUT * len(documents)))
        named = order if names is None else names[order]
        is_held_out = np.isin(named, named[:n_held_out])
        counted, held_out = documents[order[~is_held_out]], documents[order[is_held_out]]
        u, v = counted.contexts()
        trigrams = Followers.of(u * vocabulary_size + v, counted.tokens, vocabulary_size)
        bigrams = Followers.of(v, counted.tokens, vocabulary_size)
        frequencies = np.bincount(counted.tokens, minlength=vocabulary_size) / len(counted.tokens)
        words, weights = _interpolation(trigrams, bigrams, frequencies, held_out)
        return cls(vocabulary_size=vocabulary_size, trigrams=trigrams, bigrams=bigrams, words=words, weights=weights)

    def probabilities(self, u: Ids, v: Ids, w: Ids) -> Floats:
        """p(w | u, v) of each triple of tokens."""
        of_bigram, of_trigram, weight_2, weight_3 = self._parts(u, v, w)
        shorter = weight_2 * of_bigram + (1 - weight_2) * self.words[w]
        mixed: Floats = weight_3 * of_trigram + (1 - weight_3) * shorter
        return mixed

    def nll(self, documents: Passages) -> Floats:
        """n: nats of each document, summed over its tokens."""
        u, v = documents.contexts()
        return documents.sums(-np.log(self.probabilities(u, v, documents.tokens)))

    def weight_2(self, v: Ids) -> Floats:
        """Weight of the bigram after v."""
        return np.asarray(self.weights[0, _bucket(self.bigrams.total(self.bigrams.places(v)))])

    def weight_3(self, places: Ids) -> Floats:
        """Weight of the trigram in the contexts at some places of `trigrams`; 0 at -1."""
        return np.asarray(self.weights[1, _bucket(self.trigrams.total(places))])

    def context(self, u: Ids, v: Ids) -> Ids:
        """Place of the two tokens in `trigrams`, or -1."""
        return self.trigrams.places(u * self.vocabulary_size + v)

    def _parts(self, u: Ids, v: Ids, w: Ids) -> tuple[Floats, Floats, Floats, Floats]:
        size = self.vocabulary_size
        of_bigram, n_2 = _relative(self.bigrams, v, w, size)
        of_trigram, n_3 = _relative(self.trigrams, u * size + v, w, size)
        return of_bigram, of_trigram, self.weights[0, _bucket(n_2)], self.weights[1, _bucket(n_3)]


def _interpolation(
    trigrams: Followers, bigrams: Followers, frequencies: Floats, held_out: Passages
) -> tuple[Floats, Floats]:
    """Word probabilities and weights that make the held-out documents most probable: expectation maximisation."""
    size = len(frequencies)
    (u, v), w = held_out.contexts(), held_out.tokens
    of_bigram, n_2 = _relative(bigrams, v, w, size)
    of_trigram, n_3 = _relative(trigrams, u * size + v, w, size)
    uniform = 1.0 / (size - N_SPECIAL)
    bucket_2, bucket_3, of_words, smooth = _bucket(n_2), _bucket(n_3), frequencies[w], 0.5
    weights = np.full((2, BUCKETS), 0.5)
    weights[:, 0] = 0.0
    for _ in range(ITERATIONS):
        l_3, l_2 = weights[1, bucket_3], weights[0, bucket_2]
        r_3, r_2 = l_3 * of_trigram, (1 - l_3) * l_2 * of_bigram
        rest = (1 - l_3) * (1 - l_2)
        r_1, r_0 = rest * smooth * of_words, rest * (1 - smooth) * uniform
        total = r_3 + r_2 + r_1 + r_0
        r_3, r_2, r_1, r_0 = r_3 / total, r_2 / total, r_1 / total, r_0 / total
        weights[1] = _shares(r_3, 1 - r_3, bucket_3)
        weights[0] = _shares(r_2, r_1 + r_0, bucket_2)
        smooth = float((r_1.sum() + 1) / (r_1.sum() + r_0.sum() + 2))
    words = smooth * frequencies + (1 - smooth) * uniform
    words[:N_SPECIAL] = 0.0
    return words / words.sum(), weights


def _shares(this: Floats, others: Floats, buckets: Ids) -> Floats:
    """Share of `this` in each bucket, drawn to a half where little was seen; 0 for contexts never seen."""
    mine, rest = (np.bincount(buckets, part, minlength=BUCKETS) for part in (this, others))
    shares = (mine + 0.5) / (mine + rest + 1.0)
    shares[0] = 0.0
    return np.asarray(shares)


def _relative(followers: Followers, contexts: Ids, w: Ids, vocabulary_size: int) -> tuple[Floats, Ids]:
    """Relative frequency of w after its context, and how often the context was seen."""
    totals = followers.total(followers.places(contexts))
    counts = followers.count(contexts * vocabulary_size + w)
    return counts / np.maximum(totals, 1), totals


def _bucket(totals: Ids) -> Ids:
    """0 for nothing, else 1 and the power of two."""
    return np.minimum(np.frexp(totals.astype(np.float64))[1], BUCKETS - 1).astype(np.int64)


def _places(ascending: Ids, wanted: Ids) -> Ids:
    found = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[found] == wanted, found, -1)
