"""Frozen indices of a training set: which n-grams, and which whole texts, a model could have copied from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from collapse_guard.arguments import several
from collapse_guard.arrays import BoolArray, HashArray, IntArray, freeze
from collapse_guard.corpus.shingles import ShingleSets, overlaps, shingle_sets
from collapse_guard.errors import InputError
from collapse_guard.indicators.exact_keys import Sequences
from collapse_guard.indicators.ngrams import ngram_hashes, unique

_BATCH = 512
MOST_POSTINGS = 256
"""Documents that are looked at for each rare shingle of a sample."""
_ROUNDING = 1e-9


class _Frozen:
    """Never changes, so a clone of the metric that holds it shares it."""

    def __deepcopy__(self, memo: Any) -> Self:
        return self


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NgramIndex(_Frozen):
    """The n-grams of token ids of a training set, as sorted 64-bit hashes: 8 bytes for each different one.

    Among K training n-grams, a generated one that is new is taken for copied with probability K / 2**64: 1.6e-13 for
    three million.

    Example:
        >>> index = NgramIndex.of([[1, 2, 3, 4], [7, 8]], n=2)
        >>> index.contained([[2, 3, 7, 8]]).tolist()
        [True, False, True]
    """

    n: int
    """Length of the n-grams."""
    hashes: IntArray
    """Different hashes, sorted."""

    @classmethod
    def of(cls, training: Sequences, n: int = 8) -> Self:
        """Index a training set; O(N log N) for N tokens.

        Args:
            training: Documents as 1-D ids, each from 0 to 2**31.
            n: Length of the n-grams, 1 to 8.

        Raises:
            InputError: `n` or an id is out of range, or a document is not 1-D integers.
        """
        return cls(n=n, hashes=freeze(unique(ngram_hashes(training, n))))

    def contained(self, sequences: Sequences) -> BoolArray:
        """Whether each n-gram of the sequences occurs in the training set, sequence by sequence.

        O(M log M + M log K) for M n-grams against K.

        Args:
            sequences: Samples as 1-D ids, each from 0 to 2**31.

        Raises:
            InputError: An id is out of range, or a sample is not 1-D integers.
        """
        return _among(self.hashes, ngram_hashes(sequences, self.n))

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the index."""
        return _digest(self.hashes, self.n)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainingIndex(_Frozen):
    """The word 5-grams (shingles) of the documents of a training set, and which documents have them.

    About 40 bytes for each word of the training set. Finding is exact up to collisions of 64-bit hashes, but for one
    cap: a shingle leads to 256 documents at most. A sample is missed only where it comes from a text that stands, in
    its rarest parts, in more documents than that. The order of the documents does not matter.

    Example:
        >>> index = TrainingIndex.of(["it is the duty of the congress to provide for the common defense"])
        >>> index.contained(["the duty of the Congress to provide", "the duty of the president to provide"]).tolist()
        [True, False]
    """

    shingles: ShingleSets
    """The set of shingles of each document."""
    postings: sparse.csc_array
    """The same, by shingle: the documents that have it."""

    @classmethod
    def of(cls, documents: Iterable[str]) -> Self:
        """Index a training set; O(N log N) for N words."""
        shingles = _in_content_order(shingle_sets(several("documents", documents)))
        return cls(shingles=shingles, postings=shingles.members.tocsc())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Rebuild an index from `arrays`."""
        members, postings = (
            kind((np.ones(len(arrays[numbers]), np.int32), arrays[numbers], arrays[starts]), shape=arrays["shape"])
            for kind, numbers, starts in (
                (sparse.csr_array, "members", "starts"),
                (sparse.csc_array, "postings", "posting_starts"),
            )
        )
        return cls(shingles=ShingleSets(members, arrays["hashes"]), postings=postings)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All parts by name, for `from_arrays`."""
        members = self.shingles.members
        return {
            "hashes": self.shingles.hashes,
            "members": members.indices,
            "starts": members.indptr,
            "postings": self.postings.indices,
            "posting_starts": self.postings.indptr,
            "shape": np.array(members.shape, np.int64),
        }

    def contained(self, texts: Iterable[str], *, threshold: float = 0.8) -> BoolArray:
        """Whether each text is, to at least `threshold`, an excerpt of one training document.

        See `novelty.near_duplicates`. Most texts are settled by how many of their shingles occur in the training set
        at all. For the others, a document that has `m` of the `s` shingles of a text has one of its `s - m + 1` rarest
        (prefix filtering), so the documents that have one of those are all that can do; these are counted exactly.

        Args:
            texts: Samples.
            threshold: Smallest share of the shingles of a text that one document must have, in (0, 1].

        Raises:
            InputError: The threshold is out of range.

        Source: Chaudhuri, Ganti and Kaushik (2006), A primitive operator for similarity joins in data cleaning, ICDE.
        """
        if not 0.0 < threshold <= 1.0:
            raise InputError(f"`threshold` must be above 0 and at most 1, but got {threshold!r}")
        flags = [self._contained(batch, threshold) for batch in _batches(several("texts", texts))]
        return np.concatenate([np.zeros(0, np.bool_), *flags])

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the index."""
        return _digest(self.shingles.hashes, self.shingles.members.indices)

    def _contained(self, texts: Sequence[str], threshold: float) -> BoolArray:
        samples = shingle_sets(texts)
        sizes = np.diff(samples.members.indptr)
        needed = np.ceil(threshold * sizes - _ROUNDING).astype(np.int64)
        known = self._known(samples)
        spare = np.diff(known.indptr) - needed
        likely = np.flatnonzero(spare >= 0)
        pairs = self._candidates(known[likely], spare[likely] + 1)
        enough = overlaps(known[likely], self.shingles.members, pairs) >= needed[likely][pairs[:, 0]]
        flags = np.zeros(len(sizes), np.bool_)
        flags[likely[pairs[enough, 0]]] = True
        return flags

    def _known(self, samples: ShingleSets) -> sparse.csr_array:
        """The shingles of the samples that the training set has, under its own numbers."""
        numbers, are_known = _places(self.shingles.hashes, samples.hashes)
        is_known = are_known[samples.members.indices]
        columns = numbers[samples.members.indices[is_known]]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_known)])[samples.members.indptr]
        shape = (samples.members.shape[0], self.shingles.members.shape[1])
        return sparse.csr_array((np.ones(len(columns), np.int32), columns, starts), shape=shape)

    def _candidates(self, known: sparse.csr_array, quota: IntArray) -> IntArray:
        """Pairs (sample, document) that share one of the `quota` rarest shingles of the sample."""
        rows = np.repeat(np.arange(known.shape[0]), np.diff(known.indptr))
        frequency = np.diff(self.postings.indptr)[known.indices]
        order = np.lexsort((frequency, rows))
        is_rare = np.arange(len(order)) - known.indptr[rows] < quota[rows]
        rows, columns = rows[is_rare], known.indices[order[is_rare]]
        lengths = np.minimum(frequency[order[is_rare]], MOST_POSTINGS)
        documents = self.postings.indices[_runs(self.postings.indptr[columns], lengths)]
        n_documents = max(1, self.shingles.members.shape[0])
        coded = unique(np.repeat(rows, lengths) * n_documents + documents)
        return np.stack(np.divmod(coded, n_documents), axis=1)


def _in_content_order(shingles: ShingleSets) -> ShingleSets:
    """Documents in an order that depends on their shingles alone, so that a cap keeps the same ones in any order."""
    members = shingles.members
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(shingles.hashes[members.indices], dtype=np.uint64)])
    return ShingleSets(members[np.argsort(np.diff(sums[members.indptr]), kind="stable")], shingles.hashes)


def _among(ordered: npt.NDArray[Any], keys: npt.NDArray[Any]) -> BoolArray:
    """Which keys occur among ordered ones; looked up in order, which the cache of the processor likes."""
    flags = np.zeros(len(keys), np.bool_)
    order = np.argsort(keys)
    flags[order] = _places(ordered, keys[order])[1]
    return flags


def _places(ordered: npt.NDArray[Any], keys: npt.NDArray[Any]) -> tuple[IntArray, BoolArray]:
    """Where each of some ordered keys stands among others, and whether it occurs there."""
    places = np.searchsorted(ordered, keys)
    inside = places < len(ordered)
    flags = inside.copy()
    flags[inside] = ordered[places[inside]] == keys[inside]
    return places, flags


def _runs(starts: IntArray, lengths: IntArray) -> IntArray:
    """The numbers from each start on, as many as its length says, one run after the other."""
    ends = np.cumsum(lengths, dtype=np.int64)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _digest(*parts: HashArray | IntArray | int) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
