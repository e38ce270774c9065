"""Unique documents: one text per content, in an order that depends on the contents alone, without all in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat, zip_longest
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Self, overload

import numpy as np

from collapse_guard.arrays import IntArray
from collapse_guard.corpus.documents import HASH_BYTES, Documents, check_texts, content_digest
from collapse_guard.corpus.labels import Labels, Numbering
from collapse_guard.errors import InputError

_BYTES_IN_MEMORY = 1 << 26
"""Bytes of text that stay in memory; more go to a temporary file."""


class UniqueTexts(Sequence[str]):
    """One text per content hash, without blank ones, in the order of the hashes.

    They do not depend on the order of the texts that are given: of texts with equal hashes, the first in the order of
    code points is kept. In memory are 40 bytes for a document, and the texts for as long as they have less than 64 MB.

    Example:
        >>> with UniqueTexts(["war", " war", "", "peace"]) as unique:
        ...     sorted(unique)
        [' war', 'peace']
    """

    def __init__(self, texts: Iterable[str], labels: Iterable[str] | None = None) -> None:
        """Read all texts.

        Args:
            texts: Any number of texts.
            labels: The label of each text, "" for none; None: there are no labels. Of the labels of a text that is
                given several times, the first by the alphabet is kept.

        Raises:
            CorpusError: As `Documents.from_texts`. InputError: There are more texts than labels, or fewer.
        """
        self._file: Any = SpooledTemporaryFile(max_size=_BYTES_IN_MEMORY)  # noqa: SIM115 - closed by `__exit__`
        try:
            digests, lengths, self._labels = self._written(texts, labels)
            self._ends = np.cumsum(lengths, dtype=np.int64)
            self._lengths = lengths
            self._order = self._first_of_each(digests)
            self._digests = digests[self._order]
            self._labels = None if self._labels is None else self._labels.used(self._order)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the temporary file."""
        self._file.close()

    def __len__(self) -> int:
        """n."""
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One text, or several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._bytes(int(self._order[index])).decode()

    def __iter__(self) -> Iterator[str]:
        """The texts, one after the other."""
        return (self._bytes(place).decode() for place in self._order)

    @property
    def hashes(self) -> Sequence[str]:
        """Content hash of each text."""
        return _Hashes(self._digests)

    def select(self, indices: IntArray) -> Documents:
        """The texts at these places, in that order, in memory once."""
        places = self._order[indices]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._lengths[places], dtype=np.int64)])
        joined = np.empty(int(starts[-1]), np.uint8)
        room = joined.data
        for place, (start, end) in zip(places, pairwise(starts.tolist()), strict=True):
            room[start:end] = self._bytes(place)
        return Documents.from_buffers(joined, starts, np.ascontiguousarray(self._digests[indices]))

    def labels(self, indices: IntArray) -> Labels | None:
        """The labels of the texts at these places, in that order; None where none were given."""
        return None if self._labels is None else self._labels.select(indices)

    def _written(
        self, texts: Iterable[str], labels: Iterable[str] | None
    ) -> tuple[np.ndarray[Any, Any], IntArray, Labels | None]:
        digests, lengths, noted = bytearray(), array("q"), Numbering()
        for text, label in _paired(check_texts(texts), labels):
            if text and not text.isspace():
                written = text.encode()
                self._file.write(written)
                lengths.append(len(written))
                digests += content_digest(text)
                if label is not None:
                    noted.add(label)
        found = None if labels is None else noted.labels()
        return np.frombuffer(digests, np.uint8).reshape(-1, HASH_BYTES), np.array(lengths, np.int64), found

    def _first_of_each(self, digests: np.ndarray[Any, Any]) -> IntArray:
        """Where the text of each hash stands that is kept, in the order of the hashes."""
        high, low = digests.view(">u8").astype(np.uint64).reshape(-1, 2).T
        order = np.lexsort((low, high))
        is_new = np.ones(len(order), np.bool_)
        is_new[1:] = (high[order[1:]] != high[order[:-1]]) | (low[order[1:]] != low[order[:-1]])
        starts = np.flatnonzero(is_new)
        kept, sizes = order[starts], np.diff(np.append(starts, len(order)))
        for group in np.flatnonzero(sizes > 1).tolist():
            alike = order[starts[group] : starts[group] + sizes[group]]
            # The order of UTF-8 is that of code points.
            kept[group] = min(alike.tolist(), key=self._rank)
        return kept

    def _rank(self, place: int) -> tuple[bytes, bool, int]:
        """What decides which of several equal texts is kept: its bytes, and that it has a label, and which."""
        code = -1 if self._labels is None else int(self._labels.codes[place])
        return self._bytes(place), code < 0, code

    def _bytes(self, place: int) -> bytes:
        length = int(self._lengths[place])
        self._file.seek(int(self._ends[place]) - length)
        return bytes(self._file.read(length))


def _paired(texts: Iterable[str], labels: Iterable[str] | None) -> Iterator[tuple[str, str | None]]:
    """Each text with its label; raises InputError where there are more of one than of the other."""
    if labels is None:
        yield from zip(texts, repeat(None))
        return
    for n, (text, label) in enumerate(zip_longest(texts, labels)):
        if text is None or label is None:
            which = "more" if text is None else "fewer"
            raise InputError(
                f"`slices` must be one for each document, but there are {which} than documents (from number {n} on): "
                'give "" for a document of no kind'
            )
        yield text, label


class _Hashes(Sequence[str]):
    """Hexadecimal digits of digests, made when they are asked for."""

    def __init__(self, digests: np.ndarray[Any, Any]) -> None:
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests)

    def __getitem__(self, index: Any) -> Any:
        return self._digests[index].tobytes().hex()
