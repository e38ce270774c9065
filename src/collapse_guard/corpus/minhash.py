"""MinHash: documents that may be near duplicates, found without comparing each with each.

Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.3-3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray, HashArray, IntArray
from collapse_guard.corpus.shingles import hashed, jaccard, mix, sets_of, shingle_sets

_HASHES = 120
_DETECTION = 0.999
_NEIGHBOURS = 8
_CHUNK_SHINGLES = 1 << 16
_MOST_HELD = 1 << 23
"""Shingles that are held; those of more text are made again where they are needed."""
_KEYS_IN_MEMORY = 1 << 26
"""Bytes of keys that stay in memory; more go to a temporary file."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def bands(threshold: float) -> tuple[int, int]:
    """Choose b bands of r rows: the largest r that still finds a pair at the threshold with probability 0.999.

    More rows mean fewer false candidates; at most 120 hashes are used.

    Example:
        >>> bands(0.8)
        (24, 5)
    """
    rows = max(r for r in range(1, _HASHES + 1) if 1 - (1 - threshold**r) ** (_HASHES // r) >= _DETECTION)
    return _HASHES // rows, rows


class _Run(NamedTuple):
    """Keys of some documents in the file: band after band."""

    offset: int
    n: int


class Signatures:
    """The MinHash keys of documents, and their shingles for as long as there are few.

    For n documents in b bands: 8 n b bytes, of which at most 64 MB are in memory; and up to 8 million words, some 60
    bytes for each.
    """

    def __init__(self, texts: Sequence[str], threshold: float, seed: int, reading: Iterable[str] | None = None) -> None:
        """Read all texts once, from `reading` where they are watched."""
        self._texts = texts
        self.n_bands, rows = bands(threshold)
        multipliers = _multipliers(self.n_bands, rows, seed)
        self._file: Any = SpooledTemporaryFile(max_size=_KEYS_IN_MEMORY)  # noqa: SIM115 - closed by `__exit__`
        self._runs: list[_Run] = []
        self._held: list[tuple[HashArray, IntArray]] | None = []
        filled, n_texts, n_shingles = [np.zeros(0, np.int64)], 0, 0
        for hashes, counts in hashed(texts if reading is None else reading):
            occurring = np.flatnonzero(counts)
            filled.append(n_texts + occurring)
            n_texts += len(counts)
            n_shingles += len(hashes)
            self._write(_band_keys(hashes, counts[occurring], multipliers))
            if self._held is not None:
                self._held.append((hashes, counts))
                self._held = self._held if n_shingles <= _MOST_HELD else None
        self.n_texts = n_texts
        """n."""
        self.filled: IntArray = np.concatenate(filled)
        """f: the documents that have a shingle."""
        if self._held is not None:
            self._all = sets_of(self._held)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the file."""
        self._file.close()

    def keys(self, band: int) -> HashArray:
        """f: one key per document; equal keys mean equal MinHashes in all rows of the band."""
        parts = [np.zeros(0, np.uint64)]
        for run in self._runs:
            self._file.seek(run.offset + 8 * band * run.n)
            parts.append(np.frombuffer(self._file.read(8 * run.n), np.uint64))
        return np.concatenate(parts)

    def similarities(self, pairs: IntArray) -> FloatArray:
        """p: Jaccard similarity of p 2 pairs, given as places among the documents that have a shingle."""
        if self._held is not None:
            return jaccard(self._all, self.filled[pairs])
        documents, places = np.unique(self.filled[pairs], return_inverse=True)
        return jaccard(shingle_sets(self._texts[int(i)] for i in documents), places.reshape(pairs.shape))

    def _write(self, keys: HashArray) -> None:
        self._file.seek(0, 2)
        self._runs.append(_Run(self._file.tell(), keys.shape[1]))
        self._file.write(keys.tobytes())


def candidates(texts: Sequence[str], threshold: float, seed: int) -> IntArray:
    """Pairs that share a bucket in one of the bands for the threshold.

    Returns:
        p 2: distinct pairs i < j of numbers of documents.
    """
    with Signatures(texts, threshold, seed) as signatures:
        coded = [np.zeros(0, np.int64)]
        coded += [codes for band in range(signatures.n_bands) for codes in bucket_pairs(signatures.keys(band))]
    filled = signatures.filled
    first, second = np.divmod(np.unique(np.concatenate(coded)), max(1, len(filled)))
    return np.stack([filled[first], filled[second]], axis=1)


def bucket_pairs(keys: HashArray) -> Iterator[IntArray]:
    """Pairs within the buckets of one band, coded as `i * n + j` with i < j.

    First each document with the first of its bucket, then each with the eight before it.
    """
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    n = len(keys)
    same = ranked[1:] == ranked[:-1]
    if not same.any():
        return
    yield np.unique(_encode_pairs(order[np.searchsorted(ranked, ranked, side="left")], order, n))
    pairs = [_encode_pairs(order[:-1][same], order[1:][same], n)]
    for lag in range(2, min(_NEIGHBOURS, n - 1) + 1):
        same = ranked[lag:] == ranked[:-lag]
        if not same.any():
            break
        pairs.append(_encode_pairs(order[:-lag][same], order[lag:][same], n))
    yield np.unique(np.concatenate(pairs))


def _encode_pairs(left: npt.NDArray[Any], right: npt.NDArray[Any], n: int) -> IntArray:
    different = left != right
    return np.asarray(left[different] * n + right[different], dtype=np.int64)


def _multipliers(n_bands: int, rows: int, seed: int) -> HashArray:
    drawn = np.random.default_rng(seed).integers(0, 2**63, (n_bands, rows), dtype=np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)


def _band_keys(hashes: HashArray, counts: IntArray, multipliers: HashArray) -> HashArray:
    """Keys of each band (rows) of documents (columns), given their shingles, one document after the other."""
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    keys = np.zeros((len(multipliers), len(counts)), np.uint64)
    for low, high in _chunks(starts):
        values, edges = hashes[starts[low] : starts[high]], starts[low:high] - starts[low]
        for band, of_band in enumerate(multipliers):
            for multiplier in of_band:
                smallest = np.minimum.reduceat(values * multiplier >> _HALF, edges)
                keys[band, low:high] = mix(keys[band, low:high] * _ODD + smallest)
    return keys


def _chunks(edges: IntArray) -> Iterator[tuple[int, int]]:
    """Cut documents into runs of some 65,000 shingles, at least one document each."""
    low, last = 0, len(edges) - 1
    while low < last:
        high = int(np.searchsorted(edges, edges[low] + _CHUNK_SHINGLES, side="right")) - 1
        high = min(last, max(low + 1, high))
        yield low, high
        low = high
