"""Near duplicates: documents that share most of their word 5-grams.

Within one set, MinHash proposes pairs and their exact similarity decides. Between two sets, an inverted index of one
finds every pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from collapse_guard.arguments import between
from collapse_guard.arrays import IntArray
from collapse_guard.corpus.minhash import Signatures, bucket_pairs
from collapse_guard.corpus.shingles import TEXTS_AT_ONCE, ShingleSets, common, shingle_sets

CELLS_AT_ONCE = 1 << 21
"""Bound of memory: how many pairs of texts are worked on at once. It changes no result."""
_PAIRS_AT_ONCE = 1 << 18
_PAIRS_WAITING = 1 << 24
_ROUNDING = 1e-12


class Match(NamedTuple):
    """A text that is a near duplicate of a known document."""

    text: str
    """The text."""
    document: int
    """Number of the most similar known document; the first one of equally similar ones."""
    similarity: float
    """Jaccard similarity of the two."""


def duplicate_labels(
    texts: Iterable[str], *, threshold: float = 0.8, seed: int = 0, reading: Iterable[str] | None = None
) -> IntArray:
    """Label each document with its cluster of near duplicates.

    Two documents are near duplicates where the Jaccard similarity `|A ∩ B| / |A ∪ B|` of their sets of word 5-grams
    (shingles) is at least `threshold`; a cluster is what such pairs connect. A document of fewer than five words is
    one shingle; a document without words has no near duplicate.

    A pair at similarity s becomes a candidate with probability `1 - (1 - s^r)^b` (b bands of r MinHashes, see
    `minhash.bands`), at least 0.999 at the threshold and more above it. Candidates are then checked exactly (up to
    collisions
    of 64-bit hashes), so no pair below the threshold is joined. In a bucket of candidates each document is checked
    against the first one and the eight before it, not against all. So the cost stays linear if thousands of documents
    share a template; a pair that is further apart in a large bucket is joined through the documents between them or in
    another band, or missed.

    Args:
        texts: n documents; a sequence is read once, and those of its texts that may be alike once more.
        threshold: Smallest similarity that counts, in [0.1, 1].
        seed: Seed of the hash functions.
        reading: The same texts, watched while all are read; None: nobody waits.

    Returns:
        n: labels 0, 1, … in the order of first appearance.

    Raises:
        InputError: The threshold is outside of its range.

    Cost: time linear in words, n log n in documents. Memory: some 60 bytes for a word up to 8 million words, and
    from there on a few hundred bytes for a document, of which most are in a temporary file (`minhash.Signatures`).

    Source: Broder (1997), On the resemblance and containment of documents; Leskovec, Rajaraman and Ullman, Mining of
    Massive Datasets, 3.3-3.4.

    Example:
        >>> duty = "it is the duty of the congress to provide for the common defense of the states"
        >>> duplicate_labels([duty, "something else", duty + " today"], threshold=0.8).tolist()
        [0, 1, 0]
    """
    usable_threshold("threshold", threshold)
    documents = texts if isinstance(texts, Sequence) else list(texts)
    with Signatures(documents, threshold, seed, reading) as signatures:
        labels = _joined(signatures, threshold)
    filled = signatures.filled
    first = filled[np.unique(labels, return_index=True)[1]]
    return _clusters(signatures.n_texts, filled, first[labels])


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


def _matches(texts: Iterable[str], known: ShingleSets, threshold: float) -> Iterator[Match]:
    known_sizes, postings = np.diff(known.members.indptr), known.members.T.tocsr()
    iterator = iter(texts)
    while batch := list(islice(iterator, TEXTS_AT_ONCE)):
        own = shingle_sets(batch)
        columns, in_known = common(own.hashes, known.hashes)
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


def _joined(signatures: Signatures, threshold: float) -> IntArray:
    """f: the cluster of each document that has a shingle.

    A pair whose documents are in one cluster already is not compared: that changes no cluster, and where all texts
    follow one template it saves nearly all comparisons.
    """
    n = len(signatures.filled)
    labels: IntArray = np.arange(n)
    last = 0
    while last < signatures.n_bands:
        first, last = last, min(signatures.n_bands, 4 * last + 1)
        waiting = [np.zeros(0, np.int64)]
        for band in range(first, last):
            pairs = bucket_pairs(signatures.keys(band))
            waiting.extend(coded[labels[coded // n] != labels[coded % n]] for coded in pairs)
            if sum(map(len, waiting)) > _PAIRS_WAITING:
                labels, waiting = _more_joined(signatures, labels, waiting, threshold), waiting[:1]
        labels = _more_joined(signatures, labels, waiting, threshold)
    return labels


def _more_joined(signatures: Signatures, labels: IntArray, waiting: Sequence[IntArray], threshold: float) -> IntArray:
    """The labels, after clusters are joined by those of the pairs that reach the threshold."""
    first, second = np.divmod(np.unique(np.concatenate(waiting)), max(1, len(labels)))
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        one, other = first[start : start + _PAIRS_AT_ONCE], second[start : start + _PAIRS_AT_ONCE]
        apart = labels[one] != labels[other]
        one, other = one[apart], other[apart]
        alike = signatures.similarities(np.stack([one, other], axis=1)) >= threshold - _ROUNDING
        if alike.any():
            labels = _clusters(len(labels), labels[one[alike]], labels[other[alike]])[labels]
    return labels


def _clusters(n: int, first: IntArray, second: IntArray) -> IntArray:
    graph = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
