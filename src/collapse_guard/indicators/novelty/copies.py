"""Novelty: how much of what a model writes it has only memorised; a model that copies its training set is not healthy.

Real text copies too: quotations, formulas, names of offices. What counts is the difference to the rate of held-out
real text of the same length, never the distance to zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS, Indicator
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.exact_keys import Sequences, joined, within
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.ngrams import ngram_keys, unique
from collapse_guard.indicators.novelty.excerpts import NgramIndex, TrainingIndex
from collapse_guard.indicators.samples import TextGroup, TokenGroup
from collapse_guard.records import Direction, EffectScale


def copied_ngrams(*, generated: Sequences, training: Sequences, n: int = 8) -> float:
    """Copied n-grams: the share of the n-grams of the samples that occur anywhere in the training set.

    `copied = |{i: g_i in T}| / |{i}|` over all n-grams g_i of the samples, repeated ones counted each time; T is the
    set of n-grams of the training set. No n-gram crosses from one sequence into the next.

    Unit: share of n-grams. Range: [0, 1]. Collapse: up. Undefined (NaN) where no sample has n tokens. It does not
    depend on the number of samples in expectation, but it grows with the training set and falls with n. Real text
    that was held out has a rate above 0 as well (2% of the word 8-grams of presidential speeches): only the
    difference to it counts. Exact, never hashed. O(N log N) for N tokens of both.

    Args:
        generated: Samples as 1-D ids, each from 0 to 2**31.
        training: Documents as 1-D ids of the same tokenizer.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: McCoy et al. (2023), How much do language models copy from their training data?, TACL 11:652, section 4
    (there as its complement, the share of novel n-grams).

    Example:
        >>> round(copied_ngrams(generated=[[1, 2, 3, 9]], training=[[0, 1, 2, 3]], n=2), 4)
        0.6667
    """
    generated, training = list(generated), list(training)
    n_generated = int(within(joined(generated)[1], n).sum())
    keys = ngram_keys([*generated, *training], n)
    copied = np.isin(keys[:n_generated], unique(keys[n_generated:]), kind="sort")
    return ratio(int(copied.sum()), n_generated)


def near_duplicates(*, generated: Iterable[str], training: Iterable[str], threshold: float = 0.8) -> float:
    """Near duplicates: the share of samples that are, almost word for word, an excerpt of one training document.

    A sample with shingles A (its set of word 5-grams) is one where a document with shingles B contains it to at least
    the threshold: Broder's containment `|A and B| / |A|`. Samples are often shorter than documents, and there the
    Jaccard similarity `|A and B| / |A or B|` fails: an exact excerpt of a third of a document has 1/3. That, found by
    MinHash, is what `duplicates.duplicate_labels` uses to keep the sides of a split apart, where "the same document
    twice" is the question. Here no MinHash is needed: an inverted index finds every candidate.

    Unit: share of samples. Range: [0, 1]. Collapse: up. Undefined (NaN) without samples. It does not depend on the
    number of samples in expectation, but it grows with the training set, and short samples are copies more easily. A
    sample of fewer than five words is one shingle, and one without words is a copy of nothing. Held-out real text has
    a rate above 0 where texts repeat themselves: only the difference to it counts. O(N log N) for N words of both,
    about 40 bytes of memory for each word; exact up to collisions of 64-bit hashes and a cap for texts that more than
    256 documents share (`excerpts.TrainingIndex`).

    Args:
        generated: Samples.
        training: Documents.
        threshold: Smallest containment that counts, in (0, 1].

    Raises:
        InputError: The threshold is out of range, or a single text is given where a collection is meant.

    Source: Broder (1997), On the resemblance and containment of documents, section 2; Lee et al. (2022),
    Deduplicating training data makes language models better, ACL, for near duplicates in what models emit.

    Example:
        >>> duty = "it is the duty of the congress to provide for the common defense"
        >>> near_duplicates(generated=["the duty of the congress to provide", "war and peace"], training=[duty])
        0.5
    """
    contained = TrainingIndex.of(training).contained(generated, threshold=threshold)
    return ratio(int(contained.sum()), len(contained))


class _TrainingSetIndicator(Indicator):
    family = "novelty"
    direction = Direction.UP
    value_range = (0.0, 1.0)
    minimum_n = MINIMUM_GROUPS
    scale: ClassVar[EffectScale] = EffectScale.SHARE
    counts_faults = True
    definitions = (6,)

    def _add_counts(self, settings: str) -> None:
        """Declare both counts; they belong to one training set, so their names say which."""
        self._add_count(f"n_copied_{settings}")
        self._add_count(f"n_{settings}")

    def compute(self) -> Tensor:
        """The share of everything since the last reset; NaN without any."""
        return self._scalar(ratio(*map(int, self._totals)))


class CopiedNgrams(_TrainingSetIndicator):
    """Copied n-grams over batches of samples; see `copied_ngrams`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    two int64, and the index is shared by all clones. A new n-gram is taken for copied with probability K / 2**64, K
    the number of different n-grams of the training set. Value: float64.

    Args:
        index: The n-grams of the training set; its n is that of the metric.

    Example:
        >>> import torch
        >>> metric = CopiedNgrams(NgramIndex.of([[0, 1, 2, 3]], n=2))
        >>> metric.update([torch.tensor([1, 2, 3, 9])])
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """

    name, place = "copied_ngrams", 10
    unit = "share of n-grams"
    evidence = "tokens"
    undefined = "no sample is as long as n"
    cost = "O(N log N) for N tokens"
    shortest = 8
    misses = "copies with a word changed in every n tokens, and copies of another model's text"

    @classmethod
    def read(cls, group: TokenGroup) -> float:
        """Value of a group, against the pool."""
        copied = group.instruments.of(_runs).contained(group.tokens)
        return ratio(int(copied.sum()), len(copied))

    def __init__(self, index: NgramIndex, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(**kwargs)
        if not isinstance(index, NgramIndex):
            raise InputError(f"`index` must be an NgramIndex, but got a {type(index).__name__}: use `NgramIndex.of`")
        self.index = index
        self._add_counts(f"{index.n}_grams_of_{index.fingerprint}")

    def update(self, sequences: Sequences) -> None:
        """Add samples."""
        copied = self.index.contained(list(sequences))
        self._add_up(int(copied.sum()), len(copied))


class NearDuplicates(_TrainingSetIndicator):
    """Near duplicates over batches of samples; see `near_duplicates`.

    As input to `update`: `texts`, a list of str. The state is two int64, and the index is shared by all clones.
    Value: float64.

    Args:
        index: The documents of the training set.
        threshold: Smallest containment that counts, in (0, 1].

    Example:
        >>> metric = NearDuplicates(TrainingIndex.of(["we the people of the united states"]))
        >>> metric.update(["The people of the United States", "the people of these colonies"])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "near_duplicates", 20
    unit = "share of samples"
    evidence = "texts"
    undefined = "there are no samples"
    cost = "O(N log N) for N words"
    misses = "paraphrases, and samples that are put together from excerpts of several documents"

    @classmethod
    def read(cls, group: TextGroup) -> float:
        """Value of a group, against the pool."""
        copied = group.instruments.of(_documents).contained(group.texts)
        return ratio(int(copied.sum()), len(copied))

    def __init__(self, index: TrainingIndex, threshold: float = 0.8, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(**kwargs)
        if not isinstance(index, TrainingIndex):
            raise InputError(
                f"`index` must be a TrainingIndex, but got a {type(index).__name__}: use `TrainingIndex.of`"
            )
        index.contained([], threshold=threshold)
        self.index, self.threshold = index, threshold
        self._add_counts(f"samples_at_{float(threshold).hex().replace('.', '_')}_of_{index.fingerprint}")

    def update(self, texts: Iterable[str]) -> None:
        """Add samples."""
        copied = self.index.contained(texts, threshold=self.threshold)
        self._add_up(int(copied.sum()), len(copied))


def _runs(instruments: Instruments) -> NgramIndex:
    """The runs of tokens of the pool."""
    n = CopiedNgrams.shortest
    hashes = instruments.wild_type.kept("runs", lambda: {"hashes": NgramIndex.of(instruments.pool_tokens, n).hashes})
    return NgramIndex(n=n, hashes=hashes["hashes"])


def _documents(instruments: Instruments) -> TrainingIndex:
    """The documents of the pool."""
    arrays = instruments.wild_type.kept("excerpts", lambda: TrainingIndex.of(instruments.pool).arrays())
    return TrainingIndex.from_arrays(arrays)
