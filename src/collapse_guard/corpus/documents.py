"""Documents: identified by a hash of their content, and held in Arrow memory."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

import numpy as np
import pyarrow as pa

from collapse_guard.errors import CorpusError

_BATCH = 1024


def content_hash(text: str) -> str:
    """Identify a document by its content: 32 hex digits of BLAKE2b over its NFC form with white space collapsed.

    Two texts that differ only in white space or in Unicode composition have the same hash.

    Example:
        >>> content_hash("Fellow  citizens\\n") == content_hash("Fellow citizens")
        True
    """
    canonical = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Documents(Sequence[str]):
    """An immutable sequence of documents with their content hashes, held in Arrow memory.

    Two of them are equal when their hashes are, in order. A slice shares memory; `select` copies the chosen texts.

    Example:
        >>> documents = Documents.from_texts(["We the people", "of the United States"])
        >>> documents[1], len(documents.select([0]))
        ('of the United States', 1)
    """

    __slots__ = ("_hashes", "_texts")

    def __init__(self, texts: pa.Array, hashes: pa.Array) -> None:
        """Hold arrays of `large_string` and `string` of equal length; use `from_texts` or `unique` instead."""
        self._texts = texts
        self._hashes = hashes

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Documents:
        """Hold texts as they are; raises CorpusError if one is not a str or has no UTF-8 form (a lone surrogate)."""
        chunks: list[pa.Array] = []
        hashes: list[str] = []
        iterator = _check_texts(texts)
        while batch := list(islice(iterator, _BATCH)):
            chunks.append(pa.array(batch, pa.large_string()))
            hashes.extend(map(content_hash, batch))
        return cls(_concatenate(chunks), pa.array(hashes, pa.string()))

    @classmethod
    def unique(cls, texts: Iterable[str]) -> Documents:
        """Hold one text per content hash, without blank ones, in the order of the hashes.

        The result does not depend on the order of `texts`: of texts with equal hashes, the first in the order of code
        points is kept. Raises CorpusError as `from_texts` does.

        Example:
            >>> sorted(Documents.unique(["war", " war", "", "peace"]))
            [' war', 'peace']
        """
        by_hash: dict[str, str] = {}
        for text in _check_texts(texts):
            if text and not text.isspace():
                key = content_hash(text)
                by_hash[key] = min(text, by_hash.get(key, text))
        ordered = sorted(by_hash)
        chunks = [
            pa.array(map(by_hash.pop, ordered[i : i + _BATCH]), pa.large_string())
            for i in range(0, len(ordered), _BATCH)
        ]
        return cls(_concatenate(chunks), pa.array(ordered, pa.string()))

    @property
    def hashes(self) -> tuple[str, ...]:
        """Content hash of each document."""
        return tuple(self._hashes.to_pylist())

    @property
    def texts(self) -> list[str]:
        """All documents as a list: a copy in Python memory."""
        return list(self._texts.to_pylist())

    def to_arrow(self) -> pa.Array:
        """The texts as an Arrow array of `large_string`, without a copy."""
        return self._texts

    def select(self, indices: Sequence[int] | np.ndarray[Any, Any]) -> Documents:
        """The documents at `indices`, in that order; raises IndexError for an index out of range."""
        places = pa.array(np.asarray(indices, dtype=np.int64))
        return Documents(self._texts.take(places), self._hashes.take(places))

    def __len__(self) -> int:
        """Number of documents."""
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Documents: ...
    def __getitem__(self, index: int | slice) -> str | Documents:
        """One document, or a slice of them."""
        if not isinstance(index, slice):
            return str(self._texts[index].as_py())
        start, stop, step = index.indices(len(self))
        if step != 1:
            return self.select(range(start, stop, step))
        return Documents(*(part.slice(start, max(0, stop - start)) for part in (self._texts, self._hashes)))

    def __iter__(self) -> Iterator[str]:
        """The documents in order; only a batch of them is in Python memory at a time."""
        for start in range(0, len(self), _BATCH):
            yield from self._texts.slice(start, _BATCH).to_pylist()

    def __eq__(self, other: object) -> bool:
        """Whether the documents are the same, in the same order, by content hash."""
        return bool(self._hashes.equals(other._hashes)) if isinstance(other, Documents) else NotImplemented

    def __hash__(self) -> int:
        """Hash of the content hashes."""
        return hash(self.hashes)

    def __repr__(self) -> str:
        """The count and the size."""
        return f"Documents({len(self)} documents, {self._texts.nbytes:,} bytes)"


def _concatenate(chunks: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())


def _check_texts(texts: Iterable[str]) -> Iterator[str]:
    required = "`documents` must be an iterable of str"
    if isinstance(texts, str):
        raise CorpusError(f"{required}, but got one str: wrap it in a list, or read a file with `read_documents`")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise CorpusError(f"{required}, but document {number} is a {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            surrogate = f"{text[error.start]!r} at character {error.start}"
            raise CorpusError(
                f"{required} with a UTF-8 form, but document {number} has a lone surrogate ({surrogate}): "
                'decode its bytes again, or replace what cannot be decoded with errors="replace"'
            ) from error
        yield text
