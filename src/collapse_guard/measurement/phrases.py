"""Phrases: counts of words and runs of words of real text, and of the same ones in samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import IntArray
from collapse_guard.corpus.lexicon import phrase, words

LONGEST = 3
"""Words in the longest phrases."""
FEWEST = 3
"""Documents that a phrase must occur in to be kept: a phrase of a single author is not a property of the source."""
NOT_KEPT = -1
"""Number of a phrase that was not kept."""
_PARTS = ("keys", "counts", "documents", "total")


@dataclass(frozen=True, kw_only=True, eq=False)
class PhraseTable:
    """The kept phrases of one length, numbered by the order of their keys."""

    keys: IntArray
    """k: number of the first n - 1 words as a phrase, times the number of those, plus that of the last n - 1 words."""
    counts: IntArray
    """k: occurrences."""
    documents: IntArray
    """k: documents that have it."""
    parts: IntArray
    """k 2: both phrases of n - 1 words; for words themselves without meaning."""
    total: int
    """Runs of n words in all documents, kept or not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Phrases:
    """Words, 2-grams and 3-grams of real text that occur in at least three documents; none crosses a document.

    A phrase cannot be in more documents than its parts, so longer phrases are counted only if both parts were kept
    (Agrawal and Srikant 1994). A key of two kept numbers fits into int64, so all counts are exact.
    """

    vocabulary: tuple[str, ...]
    """Kept words, by their numbers."""
    tables: tuple[PhraseTable, ...]
    """Phrases of one word, of two, of three."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> Phrases:
        """Count the phrases of texts; O(N log N) for N words.

        Example:
            >>> phrases = Phrases.of(["To be, or not to be.", "Not to be late", "To be is to do", "to do"])
            >>> [phrases.text(2, i) for i in range(len(phrases.tables[1].keys))]
            ['to be']
            >>> [table.counts.tolist() for table in phrases.tables], sorted(phrases.vocabulary)
            ([[6, 4], [4], []], ['be', 'to'])
        """
        numbers: dict[str, int] = {}
        positions = _positions(texts, numbers, grow=True)
        tables = [_table(positions, 0, 1)]
        for n in range(2, LONGEST + 1):
            base = len(tables[-1].keys)
            positions = _pairs(_renumbered(positions, tables[-1]), base)
            tables.append(_table(positions, base, n))
        names = list(numbers)
        return cls(vocabulary=tuple(names[key] for key in tables[0].keys.tolist()), tables=tuple(tables))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Phrases:
        """Rebuild phrases from `arrays`."""
        vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")[:-1]
        tables: list[PhraseTable] = []
        for n in range(1, LONGEST + 1):
            keys, counts, documents, total = (arrays[f"{part}-{n}"] for part in _PARTS)
            parts = _halves(keys, len(tables[-1].keys) if tables else 0)
            tables.append(PhraseTable(keys=keys, counts=counts, documents=documents, parts=parts, total=int(total[0])))
        return cls(vocabulary=tuple(vocabulary), tables=tuple(tables))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All parts by name, for `from_arrays`."""
        vocabulary = "".join(f"{word}\n" for word in self.vocabulary).encode()
        parts = {
            f"{part}-{n}": np.atleast_1d(np.asarray(getattr(table, part), np.int64))
            for n, table in enumerate(self.tables, 1)
            for part in _PARTS
        }
        return {"vocabulary": np.frombuffer(vocabulary, np.uint8), **parts}

    def count(self, texts: Iterable[str]) -> list[tuple[IntArray, int]]:
        """How often the kept phrases of each length occur in other texts, and how many runs of that length there are.

        Example:
            >>> phrases = Phrases.of(["to be", "to be", "to be"])
            >>> [(counts.tolist(), total) for counts, total in phrases.count(["let it be", "to be"])]
            [([1, 2], 5), ([1], 3), ([], 1)]
        """
        positions = _positions(texts, {word: i for i, word in enumerate(self.vocabulary)}, grow=False)
        counts_by_length, base = [], 0
        for n, table in enumerate(self.tables, 1):
            positions = positions if n == 1 else _renumbered(_pairs(positions, base), table)
            base = len(table.keys)
            numbers = positions.numbers[positions.numbers != NOT_KEPT]
            counts_by_length.append((np.bincount(numbers, minlength=base), positions.runs(n)))
        return counts_by_length

    def text(self, n: int, number: int) -> str:
        """The words of a phrase, as they stand in a text."""
        return phrase(self._words(n, number))

    def _words(self, n: int, number: int) -> list[str]:
        if n == 1:
            return [self.vocabulary[number]]
        first, last = self.tables[n - 1].parts[number].tolist()
        return [*self._words(n - 1, first), self._words(n - 1, last)[-1]]


class _Positions(NamedTuple):
    """What stands at each position of the joined documents."""

    numbers: IntArray
    """Number of the phrase that begins there, or NOT_KEPT."""
    owners: IntArray
    """Number of the document."""
    lengths: IntArray
    """Words of each document."""

    def runs(self, n: int) -> int:
        return int(np.maximum(self.lengths - n + 1, 0).sum())


def _positions(texts: Iterable[str], numbers: dict[str, int], *, grow: bool) -> _Positions:
    documents = []
    for text in texts:
        tokens = words(text)
        documents.append([numbers.setdefault(w, len(numbers)) if grow else numbers.get(w, NOT_KEPT) for w in tokens])
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    flat = np.fromiter((i for document in documents for i in document), np.int64, int(lengths.sum()))
    return _Positions(flat, np.repeat(np.arange(len(lengths)), lengths), lengths)


def _table(positions: _Positions, base: int, n: int) -> PhraseTable:
    """The phrases of n words, given their keys, which were made of `base` numbers."""
    is_there = positions.numbers != NOT_KEPT
    keys, counts, documents = _summary(positions.numbers[is_there], positions.owners[is_there])
    is_kept = documents >= FEWEST
    keys = keys[is_kept]
    return PhraseTable(
        keys=keys,
        counts=counts[is_kept],
        documents=documents[is_kept],
        parts=_halves(keys, base),
        total=positions.runs(n),
    )


def _halves(keys: IntArray, base: int) -> IntArray:
    """k 2: both phrases that a key was made of."""
    return np.stack(np.divmod(keys, max(1, base)), axis=1)


def _pairs(positions: _Positions, base: int) -> _Positions:
    """Keys of two phrases that overlap but for one word at each end, where both were kept."""
    first, last = positions.numbers[:-1], positions.numbers[1:]
    is_one = (first != NOT_KEPT) & (last != NOT_KEPT) & (positions.owners[:-1] == positions.owners[1:])
    return _Positions(np.where(is_one, first * base + last, NOT_KEPT), positions.owners[:-1], positions.lengths)


def _renumbered(positions: _Positions, table: PhraseTable) -> _Positions:
    """Numbers in place of keys; keys that are not among those of the table were not kept."""
    if not len(table.keys):
        return positions._replace(numbers=np.full_like(positions.numbers, NOT_KEPT))
    places = np.minimum(np.searchsorted(table.keys, positions.numbers), len(table.keys) - 1)
    is_kept = table.keys[places] == positions.numbers
    return positions._replace(numbers=np.where(is_kept, places, NOT_KEPT))


def _summary(keys: IntArray, owners: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Different keys, sorted, how often each occurs, and in how many documents."""
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    different, starts, counts = np.unique(keys, return_index=True, return_counts=True)
    if not len(keys):
        return different, counts, counts
    is_new_pair = np.append(True, (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1]))
    return different, counts, np.add.reduceat(is_new_pair.astype(np.int64), starts)
