"""Groups of samples: what an indicator of samples reads, one group at a time (`Indicator.read`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.instruments import Instruments, Shared


@dataclass(frozen=True, eq=False)
class TokenGroup(Shared):
    """Samples of `group_tokens` tokens together, the last one cut.

    Example:
        >>> group = TokenGroup([np.array([5, 6, 5]), np.array([7])], instruments=None)
        >>> group.counts.tolist()
        [0, 0, 0, 0, 0, 2, 1, 1]
    """

    drawn: ClassVar[str] = "tokens"
    tokens: Sequence[IntArray]
    """Token ids of each sample."""
    instruments: Instruments
    """Instruments of the wild type."""

    @cached_property
    def counts(self) -> IntArray:
        """How often each token occurs, by its id."""
        return _counts(self.tokens)

    @cached_property
    def texts(self) -> list[str]:
        """The samples as texts."""
        return self.instruments.wild_type.decode(self.tokens)


@dataclass(frozen=True, eq=False)
class WordGroup(Shared):
    """Samples of as many words together, the last one cut."""

    words: Sequence[IntArray]
    """Ids of the words of each sample (`Instruments.word_ids`); unknown words have ids above those."""
    instruments: Instruments
    """Instruments of the wild type."""

    @cached_property
    def counts(self) -> IntArray:
        """How often each word occurs, by its id; known words come first."""
        return _counts(self.words, len(self.instruments.word_ids))


@dataclass(frozen=True, eq=False)
class TextGroup(Shared):
    """`group_samples` whole samples."""

    texts: Sequence[str]
    """The samples."""
    instruments: Instruments
    """Instruments of the wild type."""


@dataclass(frozen=True, eq=False)
class PromptedSamples(Shared):
    """All samples of text that are not empty, and the prompts that they answer."""

    tokens: Sequence[IntArray]
    """n: token ids of each sample."""
    prompts: IntArray
    """n: number of the prompt of each sample."""
    keys: Sequence[str]
    """A hash of each prompt, by its number."""
    instruments: Instruments
    """Instruments of the wild type."""


@dataclass(frozen=True, eq=False)
class VectorGroup(Shared):
    """`group_samples` vectors: embeddings of samples, or samples that are rows."""

    drawn: ClassVar[str] = "clusters"
    vectors: FloatArray
    """n d, finite."""
    instruments: Instruments
    """Instruments of the wild type."""

    @cached_property
    def varying(self) -> FloatArray:
        """n c: the columns that vary in real data; a model's noise in the others is no variety."""
        varies = self.instruments.varies
        return self.vectors if varies.all() else self.vectors[:, varies]

    @cached_property
    def counts(self) -> IntArray:
        """How many vectors are in each cluster of the frozen codebook."""
        return self.instruments.clusters(self.vectors)


def _counts(sequences: Sequence[IntArray], minimum: int = 0) -> IntArray:
    return np.bincount(np.concatenate(sequences), minlength=minimum).astype(np.int64, copy=False)
