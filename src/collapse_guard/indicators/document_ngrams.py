"""n-grams by document: what measures between documents are computed from, and the metrics' state for them."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.indicators.exact_keys import (
    Sequences,
    check_order,
    growing_keys,
    is_first,
    joined,
    key_base,
    within,
)
from collapse_guard.indicators.ngrams import FlatStates, key_counts
from collapse_guard.indicators.samples import TokenGroup

ORDER = 4
"""Length of n-grams unless another is given."""


class DocumentNgrams(NamedTuple):
    """The different n-grams of each document. A row is an n-gram in a document; rows of equal n-grams stand together.

    Rows go by n-gram, then by document.
    """

    starts: IntArray
    """Where the rows of each different n-gram begin."""
    documents: IntArray
    """Row -> index of the document."""
    counts: IntArray
    """Row -> how often the n-gram is in the document."""

    @property
    def spread(self) -> IntArray:
        """n-gram -> in how many documents it is."""
        return np.diff(self.starts, append=len(self.documents))


def ngrams_by_document(ids: IntArray, lengths: IntArray, n: int) -> DocumentNgrams:
    """Count the n-grams of each document exactly, from what `joined` gives. O(N log N).

    Example:
        >>> table = ngrams_by_document(*joined([[1, 2], [2, 2]]), n=1)
        >>> [part.tolist() for part in table]
        [[0, 1], [0, 0, 1], [1, 1, 2]]
    """
    bits = max(1, len(lengths) - 1).bit_length()
    *_, (keys, _) = growing_keys(ids, key_base(ids, None), n, room=bits)
    inside = within(lengths, n)
    owners = np.repeat(np.arange(len(lengths)), lengths)[: len(keys)]
    rows, counts = key_counts((keys << bits | owners)[inside])
    return DocumentNgrams(np.flatnonzero(is_first(rows >> bits)), rows & (1 << bits) - 1, counts)


class KeptSequences(FlatStates):
    """Base of metrics that need all sequences at once: the state is their ids, 8 bytes a token, and their lengths.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads).

    Args:
        n: Length of the n-grams, 1 to 8.
    """

    most_tokens: ClassVar[int] = 2**27
    """Tokens that are kept at most: 1 GiB."""

    token_ids: Tensor
    token_lengths: Tensor

    @classmethod
    def read(cls, group: TokenGroup) -> float:
        """Value of a group."""
        return cls.formula(group.tokens, ORDER)

    def __init__(self, n: int = ORDER, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(**kwargs)
        check_order(n)
        self.n = n
        self._add_flat("token_ids")
        self._add_flat("token_lengths")

    def update(self, sequences: Sequences) -> None:
        """Add sequences.

        Raises:
            InputError: There would be more tokens than are kept, an id is out of range, or a sequence is not 1-D
                integers.
        """
        ids, lengths = joined(sequences)
        key_base(ids, None)
        self._check_room("sequences", len(self.token_ids) + len(ids), self.most_tokens, "tokens")
        self._append("token_ids", ids)
        self._append("token_lengths", lengths)

    def compute(self) -> Tensor:
        """Value of everything since the last reset."""
        ends = np.cumsum(self.token_lengths.cpu().numpy())
        return self._scalar(self.formula(np.split(self.token_ids.cpu().numpy(), ends[:-1]), self.n))
