"""Near duplicates: documents that share most of their word 5-grams.

Within one set, MinHash proposes pairs and their exact similarity decides. Between two sets, an inverted index of one
finds every pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from collapse_guard.arguments import between
from collapse_guard.arrays import FloatArray, HashArray, IntArray
from collapse_guard.corpus.lexicon import words

TEXTS_AT_ONCE = 1024
CELLS_AT_ONCE = 1 << 21
"""Bounds of memory: how many texts, and how many pairs of texts, are worked on at once. They change no result."""
_SHINGLE = 5
_HASHES = 120
_DETECTION = 0.999
_NEIGHBOURS = 8
_CHUNK_SHINGLES = 1 << 16
_CHUNK_PAIRS = 1 << 14
_ROUNDING = 1e-12
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


class ShingleSets(NamedTuple):
    """The set of shingles of each document."""

    members: sparse.csr_array
    """n v: 1 where document i has shingle j."""
    hashes: HashArray
    """v: 64-bit hash of each shingle."""


class Match(NamedTuple):
    """A text that is a near duplicate of a known document."""

    text: str
    """The text."""
    document: int
    """Number of the most similar known document; the first one of equally similar ones."""
    similarity: float
    """Jaccard similarity of the two."""


def duplicate_labels(texts: Iterable[str], *, threshold: float = 0.8, seed: int = 0) -> IntArray:
    """Label each document with its cluster of near duplicates.

    Two documents are near duplicates where the Jaccard similarity `|A ∩ B| / |A ∪ B|` of their sets of word 5-grams
    (shingles) is at least `threshold`; a cluster is what such pairs connect. A document of fewer than five words is
    one shingle; a document without words has no near duplicate.

    A pair at similarity s becomes a candidate with probability `1 - (1 - s^r)^b` (b bands of r MinHashes, see
    `bands`), at least 0.999 at the threshold and more above it. Candidates are then checked exactly (up to collisions
    of 64-bit hashes), so no pair below the threshold is joined. In a bucket of candidates each document is checked
    against the first one and the eight before it, not against all. So the cost stays linear if thousands of documents
    share a template; a pair that is further apart in a large bucket is joined through the documents between them or in
    another band, or missed.

    Args:
        texts: n documents.
        threshold: Smallest similarity that counts, in [0.1, 1].
        seed: Seed of the hash functions.

    Returns:
        n: labels 0, 1, … in the order of first appearance.

    Raises:
        InputError: The threshold is outside of its range.

    Cost: time and memory linear in words (about 50 bytes per word), n log n in documents.

    Source: Broder (1997), On the resemblance and containment of documents; Leskovec, Rajaraman and Ullman, Mining of
    Massive Datasets, 3.3-3.4.

    Example:
        >>> duty = "it is the duty of the congress to provide for the common defense of the states"
        >>> duplicate_labels([duty, "something else", duty + " today"], threshold=0.8).tolist()
        [0, 1, 0]
    """
    usable_threshold("threshold", threshold)
    shingles = shingle_sets(texts)
    pairs = candidates(shingles, threshold, seed)
    return _clusters(shingles.members.shape[0], pairs[jaccard(shingles, pairs) >= threshold - _ROUNDING])


def near_matches(texts: Iterable[str], known: Iterable[str], *, threshold: float = 0.8) -> Iterator[Match]:
    """Find the texts that are near duplicates of a known document; texts are not compared with each other.

    The definition is that of `duplicate_labels`, but this finds all pairs instead of 0.999 of those at the threshold,
    with an inverted index of the shingles of the known documents. A text can only reach the threshold if that share of
    its own shingles is known, and hardly any text but near duplicates passes this filter (prefix filtering with the
    whole text as its prefix). For these, the shingles shared with each known document are counted.

    Args:
        texts: n texts, read 1,024 at a time.
        known: m documents.
        threshold: Smallest similarity that counts, in [0.1, 1].

    Returns:
        An iterator over the near duplicates among the texts, in their order.

    Raises:
        InputError: The threshold is outside of its range (raised at once).

    Cost: linear in the words of the texts, about 1 µs per word: 100,000 texts of 100 words against 2,000 documents take
    9 s on one core. If all texts and documents follow one template, it grows with n m: the same case takes 70 s.
    Memory: the index (about 50 bytes per word of the known documents), and a chunk of texts.

    Source: Chaudhuri, Ganti and Kaushik (2006), A primitive operator for similarity joins in data cleaning, ICDE.

    Example:
        >>> duty = "it is the duty of the congress to provide for the common defense of the states"
        >>> [match] = near_matches(["something else", duty + " today"], ["we the people", duty])
        >>> match.document, round(match.similarity, 2)
        (1, 0.92)
    """
    return _matches(texts, shingle_sets(known), usable_threshold("threshold", threshold))


def usable_threshold(name: str, value: float) -> float:
    """A similarity from 0.1 to 1; raises InputError.

    Example:
        >>> usable_threshold("near", 0.8)
        0.8
    """
    return between(name, value, 0.1, 1.0, what="similarity", advice="0.8 is usual")


def bands(threshold: float) -> tuple[int, int]:
    """Choose b bands of r rows: the largest r that still finds a pair at the threshold with probability 0.999.

    More rows mean fewer false candidates; at most 120 hashes are used.

    Example:
        >>> bands(0.8)
        (24, 5)
    """
    rows = max(r for r in range(1, _HASHES + 1) if 1 - (1 - threshold**r) ** (_HASHES // r) >= _DETECTION)
    return _HASHES // rows, rows


def shingle_sets(texts: Iterable[str]) -> ShingleSets:
    """Collect the distinct word 5-grams of each document, hashed to 64 bits.

    Example:
        >>> shingle_sets(["a b c d e f", "b c d e f", "a b", ""]).members.toarray().sum(axis=1).tolist()
        [2, 1, 1, 0]
    """
    chunks = [_hash_shingles(batch) for batch in _word_hashes(texts)]
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


def candidates(shingles: ShingleSets, threshold: float, seed: int) -> IntArray:
    """Pairs that share a bucket in one of the bands for the threshold.

    Returns:
        p 2: distinct pairs i < j of numbers of documents.
    """
    filled: IntArray = np.flatnonzero(np.diff(shingles.members.indptr))
    n_bands, rows = bands(threshold)
    keys = _band_keys(shingles, filled, n_bands, rows, seed)
    coded = [np.zeros(0, np.int64), *(np.unique(_bucket_pairs(keys[:, band])) for band in range(n_bands))]
    first, second = np.divmod(np.unique(np.concatenate(coded)), max(1, len(filled)))
    return np.stack([filled[first], filled[second]], axis=1)


def _matches(texts: Iterable[str], known: ShingleSets, threshold: float) -> Iterator[Match]:
    known_sizes, postings = np.diff(known.members.indptr), known.members.T.tocsr()
    iterator = iter(texts)
    while batch := list(islice(iterator, TEXTS_AT_ONCE)):
        own = shingle_sets(batch)
        columns, in_known = _common(own.hashes, known.hashes)
        members, sizes = own.members[:, columns], np.diff(own.members.indptr)
        for match in _nearest(members, sizes, postings[in_known], known_sizes, threshold):
            yield Match(batch[match[0]], *match[1:])


def _nearest(
    members: sparse.csr_array, sizes: IntArray, postings: sparse.csr_array, known_sizes: IntArray, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Texts whose nearest known document reaches the threshold: place, document and similarity.

    Args:
        members: n v: 1 where text i has the known shingle j.
        sizes: n: all shingles of each text.
        postings: v m: 1 where known document k has shingle j.
        known_sizes: m: all shingles of each known document.
        threshold: Smallest similarity that counts.
    """
    # |A ∩ B| / |A ∪ B| is at most the known share of A, whatever B is.
    likely = np.flatnonzero((sizes > 0) & (np.diff(members.indptr) >= (threshold - _ROUNDING) * sizes))
    step = max(1, CELLS_AT_ONCE // max(1, len(known_sizes)))
    for start in range(0, len(likely), step):
        places = likely[start : start + step]
        overlap = sparse.coo_array(members[places] @ postings)
        union = sizes[places][overlap.row] + known_sizes[overlap.col] - overlap.data
        similarity = overlap.data / union
        alike = np.flatnonzero(similarity >= threshold - _ROUNDING)
        order = alike[np.lexsort((overlap.col[alike], -similarity[alike], overlap.row[alike]))]
        rows, first = np.unique(overlap.row[order], return_index=True)
        nearest = order[first]
        yield from zip(places[rows].tolist(), overlap.col[nearest].tolist(), similarity[nearest].tolist(), strict=True)


def _common(hashes: HashArray, known: HashArray) -> tuple[IntArray, IntArray]:
    """Places of the common hashes in two sorted arrays of distinct hashes."""
    if not len(known):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    here = np.flatnonzero(known[places] == hashes)
    return here, places[here]


class _WordHashes(dict[str, int]):
    """word -> 64-bit hash that does not depend on earlier words."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        value = self[word] = int.from_bytes(digest, "little")
        return value


def _word_hashes(texts: Iterable[str]) -> Iterator[list[list[int]]]:
    known = _WordHashes()
    iterator = iter(texts)
    while batch := list(islice(iterator, TEXTS_AT_ONCE)):
        yield [_pad([known[word] for word in words(text)]) for text in batch]


def _pad(hashes: list[int]) -> list[int]:
    return hashes + [0] * (_SHINGLE - len(hashes)) if 0 < len(hashes) < _SHINGLE else hashes


def _hash_shingles(batch: list[list[int]]) -> tuple[HashArray, IntArray]:
    """Hashes of all 5-grams of a batch, and how many each document has."""
    lengths = np.array([len(document) for document in batch], dtype=np.int64)
    flat = np.fromiter((value for document in batch for value in document), np.uint64, int(lengths.sum()))
    counts = np.maximum(lengths - _SHINGLE + 1, 0)
    if not counts.any():
        return np.zeros(0, np.uint64), counts
    hashes = np.zeros(len(flat) - _SHINGLE + 1, np.uint64)
    for offset in range(_SHINGLE):
        hashes = _mix(hashes * _ODD + flat[offset : offset + len(hashes)])
    inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < np.repeat(counts, lengths)
    return hashes[inside[: len(hashes)]], counts


def _mix(values: HashArray) -> HashArray:
    values = (values ^ (values >> _HALF)) * _MIX
    return values ^ (values >> _HALF)


def _band_keys(shingles: ShingleSets, filled: IntArray, n_bands: int, rows: int, seed: int) -> HashArray:
    """One 64-bit key per document with shingles and band; equal keys mean equal MinHashes in all rows of the band."""
    rng = np.random.default_rng(seed)
    multipliers = rng.integers(0, 2**63, (n_bands, rows), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    starts = np.append(shingles.members.indptr[filled], shingles.members.nnz).astype(np.int64)
    keys = np.zeros((len(filled), n_bands), np.uint64)
    for low, high in _chunks(starts):
        values = shingles.hashes[shingles.members.indices[starts[low] : starts[high]]]
        for band in range(n_bands):
            for multiplier in multipliers[band]:
                smallest = np.minimum.reduceat(values * multiplier >> _HALF, starts[low:high] - starts[low])
                keys[low:high, band] = _mix(keys[low:high, band] * _ODD + smallest)
    return keys


def _chunks(edges: IntArray) -> Iterator[tuple[int, int]]:
    """Cut documents into runs of some 65,000 shingles, at least one document each."""
    low, last = 0, len(edges) - 1
    while low < last:
        high = int(np.searchsorted(edges, edges[low] + _CHUNK_SHINGLES, side="right")) - 1
        high = min(last, max(low + 1, high))
        yield low, high
        low = high


def _bucket_pairs(keys: HashArray) -> IntArray:
    """Pairs within the buckets of one band, coded as `i * n + j` with i < j."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    n, first = len(keys), np.searchsorted(ranked, ranked, side="left")
    pairs = [_encode_pairs(order[first], order, n)]
    for lag in range(1, min(_NEIGHBOURS, n - 1) + 1):
        same = ranked[lag:] == ranked[:-lag]
        if not same.any():
            break
        pairs.append(_encode_pairs(order[:-lag][same], order[lag:][same], n))
    return np.concatenate(pairs)


def _encode_pairs(left: npt.NDArray[Any], right: npt.NDArray[Any], n: int) -> IntArray:
    different = left != right
    return np.asarray(left[different] * n + right[different], dtype=np.int64)


def _clusters(n: int, pairs: IntArray) -> IntArray:
    graph = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
