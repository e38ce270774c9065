"""Shingles: the word n-grams of documents as 64-bit hashes, n = 5 unless said, and how many two documents share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from collapse_guard.arrays import FloatArray, HashArray, IntArray
from collapse_guard.corpus.lexicon import words

TEXTS_AT_ONCE = 1024
"""How many texts are worked on at once, …"""
CHARACTERS_AT_ONCE = 1 << 22
"""… and how many characters: bounds of memory, which change no result."""
_SHINGLE = 5
_CHUNK_PAIRS = 1 << 14
_MOST_WORDS = 1 << 20
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


class ShingleSets(NamedTuple):
    """The set of shingles of each document."""

    members: sparse.csr_array
    """n v: 1 where document i has shingle j."""
    hashes: HashArray
    """v: 64-bit hash of each shingle."""


def shingle_sets(texts: Iterable[str]) -> ShingleSets:
    """Collect the distinct word 5-grams of each document, hashed to 64 bits.

    Example:
        >>> shingle_sets(["a b c d e f", "b c d e f", "a b", ""]).members.toarray().sum(axis=1).tolist()
        [2, 1, 1, 0]
    """
    return sets_of(list(hashed(texts)))


def hashed(texts: Iterable[str], length: int = _SHINGLE) -> Iterator[tuple[HashArray, IntArray]]:
    """Hashes of all n-grams of some documents, one document after the other, and how many each of these has.

    A document of fewer words is one n-gram by itself, and one without words has none.
    """
    return (shingle_hashes(batch, length) for batch in word_hashes(texts))


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists that are bounded in texts and in characters, but for a text that is longer by itself."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if len(batch) >= TEXTS_AT_ONCE or size >= CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def sets_of(chunks: Sequence[tuple[HashArray, IntArray]]) -> ShingleSets:
    """The sets of documents, of the hashes of their shingles (`hashed`)."""
    flat = np.concatenate([np.zeros(0, np.uint64), *(hashes for hashes, _ in chunks)])
    counts = np.concatenate([np.zeros(1, np.int64), *(counts for _, counts in chunks)])
    distinct, columns = np.unique(flat, return_inverse=True)
    shape = (len(counts) - 1, max(1, len(distinct)))
    members = sparse.csr_array(
        (np.ones(len(columns), np.int32), columns.astype(np.int32), np.cumsum(counts)), shape=shape
    )
    members.sum_duplicates()
    members.data[:] = 1
    return ShingleSets(members, distinct)


def jaccard(shingles: ShingleSets, pairs: IntArray) -> FloatArray:
    """Jaccard similarity `|A ∩ B| / |A ∪ B|` of pairs of documents.

    Args:
        shingles: sets of n documents.
        pairs: p 2, numbers of documents.

    Returns:
        p: similarities in [0, 1]; NaN where both sets are empty.

    Example:
        >>> jaccard(shingle_sets(["a b c d e f", "b c d e f"]), np.array([[0, 1]])).tolist()
        [0.5]
    """
    sizes = np.diff(shingles.members.indptr)
    shared = overlaps(shingles.members, shingles.members, pairs)
    union = sizes[pairs[:, 0]] + sizes[pairs[:, 1]] - shared
    similarity: FloatArray = np.divide(shared, union, out=np.full(len(pairs), np.nan), where=union > 0)
    return similarity


def overlaps(left: sparse.csr_array, right: sparse.csr_array, pairs: IntArray) -> FloatArray:
    """Count the shingles that a document on the left shares with one on the right, for each pair.

    Args:
        left: n v: 1 where document i has shingle j.
        right: m v: the same shingles of other documents.
        pairs: p 2: numbers of documents on the left and on the right.

    Returns:
        p: sizes of the intersections.
    """
    shared = np.zeros(len(pairs))
    for start in range(0, len(pairs), _CHUNK_PAIRS):
        one, other = pairs[start : start + _CHUNK_PAIRS].T
        shared[start : start + _CHUNK_PAIRS] = left[one].multiply(right[other]).sum(axis=1)
    return shared


class _WordHashes(dict[str, int]):
    """word -> 64-bit hash that does not depend on earlier words."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        value = self[word] = int.from_bytes(digest, "little")
        return value


def word_hashes(texts: Iterable[str]) -> Iterator[list[list[int]]]:
    """The hashes of the words of each document, for some documents at a time."""
    known = _WordHashes()
    for batch in batches(texts):
        yield [[known[word] for word in words(text)] for text in batch]
        if len(known) > _MOST_WORDS:
            known.clear()


def _padded(hashes: list[int], length: int) -> list[int]:
    return hashes + [0] * (length - len(hashes)) if 0 < len(hashes) < length else hashes


def shingle_hashes(documents: Sequence[list[int]], length: int) -> tuple[HashArray, IntArray]:
    """Hashes of all n-grams of documents of which the words are hashed, and how many each document has."""
    batch = [_padded(document, length) for document in documents]
    lengths = np.array([len(document) for document in batch], dtype=np.int64)
    flat = np.fromiter((value for document in batch for value in document), np.uint64, int(lengths.sum()))
    counts = np.maximum(lengths - length + 1, 0)
    if not counts.any():
        return np.zeros(0, np.uint64), counts
    hashes = np.zeros(len(flat) - length + 1, np.uint64)
    for offset in range(length):
        hashes = mix(hashes * _ODD + flat[offset : offset + len(hashes)])
    inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < np.repeat(counts, lengths)
    return hashes[inside[: len(hashes)]], counts


def common(hashes: HashArray, known: HashArray) -> tuple[IntArray, IntArray]:
    """Which of some hashes are known, and where these stand among the known ones, which rise and are distinct.

    Example:
        >>> [places.tolist() for places in common(np.array([7, 5, 9], np.uint64), np.array([5, 7], np.uint64))]
        [[0, 1], [1, 0]]
    """
    if not len(known):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    here = np.flatnonzero(known[places] == hashes)
    return here, places[here]


def mix(values: HashArray) -> HashArray:
    """Spread the bits of 64-bit numbers."""
    values = (values ^ (values >> _HALF)) * _MIX
    return values ^ (values >> _HALF)
