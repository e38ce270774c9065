"""Near-unique samples: how many of the samples are not almost the same as another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, takewhile
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arguments import several, utf8
from collapse_guard.arrays import IntArray
from collapse_guard.corpus.duplicates import duplicate_labels
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.ngrams import FlatStates
from collapse_guard.indicators.whole import Clusters, WholeSamples
from collapse_guard.records.census import census_of

LEAST_ALIKE = 0.5
"""Jaccard similarity of word 5-grams from which on two samples are near copies: two changed words in forty."""
SMALLEST_PART = 64
"""Samples in the smallest part that is counted too."""


def near_unique_samples(texts: Sequence[str], *, threshold: float = LEAST_ALIKE) -> float:
    r"""Share of samples that are no near copy of another: `clusters of near copies / samples`.

    Two samples are near copies where the Jaccard similarity of their sets of word 5-grams is at least the threshold; a
    cluster is what such pairs connect (`corpus.duplicates.duplicate_labels`). It counts what `unique_samples` misses:
    copies with a changed number, name or comma.

    Unit: share of samples. Range: (0, 1]. Collapse: down. Undefined (NaN) without samples. It falls with the number of
    samples for any source that can repeat itself, so compare it at equal numbers only. A text without words is a copy
    of nothing. O(N) for N words, n log n for n samples.

    Args:
        texts: n samples.
        threshold: Smallest similarity of near copies, in [0.1, 1].

    Raises:
        InputError: The threshold is out of range, or a single text is given where several are meant.

    Source: Broder (1997), On the resemblance and containment of documents; Lee et al. (2022), Deduplicating training
    data makes language models better, ACL.

    Example:
        >>> duty = "it is the duty of the congress to provide for the common defense in the year {}"
        >>> near_unique_samples([duty.format(1801), duty.format(1802), "war and peace", "war and taxes"])
        0.75
    """
    order = _content_order(several("texts", texts))
    labels = duplicate_labels([texts[place] for place in order], threshold=threshold)
    return ratio(len(set(labels.tolist())), len(texts))


class NearUniqueSamples(DiversityIndicator, FlatStates):
    """Share of samples that are no near copy of another, over batches of samples; see `near_unique_samples`.

    As input to `update`: `texts`, a list of str. Near copies are known at the end only, so all bytes are kept. Value:
    float64.

    Raises:
        InputError: There would be more bytes than are kept, or a text has no UTF-8 form.

    Example:
        >>> metric = NearUniqueSamples()
        >>> metric.update(["we the people of the united states", "war"])
        >>> metric.update(["We, the People of the United States", "peace"])
        >>> metric.compute()
        tensor(0.7500, dtype=torch.float64)
    """

    name, place = "near_unique_samples", 170
    unit = "share of samples"
    undefined = "there are no samples"
    evidence = "whole"
    minimum_n = 32
    cost = "O(N) for N words"
    misses = "paraphrases, and samples that share a part only"
    definitions = (6,)
    most_bytes: ClassVar[int] = 2**30
    """Bytes that are kept at most."""

    sample_bytes: Tensor
    sample_lengths: Tensor

    @classmethod
    def read(cls, whole: WholeSamples) -> Clusters:
        """How many clusters of near copies there are of each size, among all samples and among parts of them."""
        order = _content_order(whole.texts)
        texts = [whole.texts[place] for place in order]
        sizes = takewhile(len(texts).__gt__, (SMALLEST_PART << doublings for doublings in count()))
        labels = _labels(texts)
        kinds = np.empty_like(labels)
        kinds[order] = labels
        smaller = tuple(census_of(_labels(texts[:size]).tolist()) for size in sizes)
        return Clusters(census_of(labels.tolist()), smaller, kinds.tolist())

    def __init__(self, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(**kwargs)
        self._add_flat("sample_bytes", torch.uint8)
        self._add_flat("sample_lengths")

    def update(self, texts: Sequence[str]) -> None:
        """Add samples."""
        contents = [utf8("`texts`", text) for text in several("texts", texts)]
        self._check_room("texts", len(self.sample_bytes) + sum(map(len, contents)), self.most_bytes, "bytes")
        self._append("sample_bytes", np.frombuffer(bytearray(b"".join(contents)), dtype=np.uint8))
        self._append("sample_lengths", np.fromiter(map(len, contents), dtype=np.int64, count=len(contents)))

    def compute(self) -> Tensor:
        """The share of everything since the last reset; NaN without samples."""
        ends = np.cumsum(self.sample_lengths.cpu().numpy()).tolist()
        whole = self.sample_bytes.cpu().numpy().tobytes()
        texts = [whole[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
        return self._scalar(near_unique_samples(texts))


def _labels(texts: Sequence[str]) -> IntArray:
    labels: IntArray = duplicate_labels(texts, threshold=LEAST_ALIKE)
    return labels


def _content_order(texts: Sequence[str]) -> IntArray:
    """An order that depends on the samples alone: which pairs are checked for likeness depends on it."""
    return content_order([utf8("`texts`", text) for text in texts])
