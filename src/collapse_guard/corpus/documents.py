"""Documents: identified by a hash of their content, and held in Arrow memory."""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collapse_guard.errors import CorpusError

Buffer: TypeAlias = "bytearray | array[int] | np.ndarray[Any, Any]"
"""Memory that Arrow can share."""
HASH_BYTES = 16
"""Bytes of a content hash."""
_BATCH = 1024


def content_hash(text: str) -> str:
    """Identify a document by its content: 32 hex digits of BLAKE2b over its NFC form with white space collapsed.

    Two texts that differ only in white space or in Unicode composition have the same hash.

    Example:
        >>> content_hash("Fellow  citizens\\n") == content_hash("Fellow citizens")
        True
    """
    return content_digest(text).hex()


def content_digest(text: str) -> bytes:
    """The bytes of a content hash."""
    canonical = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


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
        """Hold arrays of `large_string` and of 16 bytes, of equal length; use `from_texts` instead."""
        self._texts = texts
        self._hashes = hashes

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Documents:
        """Hold texts as they are; raises CorpusError if one is not a str or has no UTF-8 form (a lone surrogate)."""
        # Arrays that are put together at the end would take twice the memory.
        joined, digests, ends = bytearray(), bytearray(), array("q", [0])
        for text in check_texts(texts):
            joined += text.encode()
            digests += content_digest(text)
            ends.append(len(joined))
        return cls.from_buffers(joined, ends, digests)

    @classmethod
    def from_buffers(cls, joined: Buffer, ends: Buffer, digests: Buffer) -> Documents:
        """Hold what is laid out as Arrow has it, without a copy.

        Args:
            joined: UTF-8 of all texts, one after the other.
            ends: n + 1 of int64: 0, and where each text ends.
            digests: Content digest of each text, one after the other.
        """
        n, kind = len(ends) - 1, pa.binary(HASH_BYTES)
        texts = pa.LargeStringArray.from_buffers(n, pa.py_buffer(ends), pa.py_buffer(joined))
        return cls(texts, pa.FixedSizeBinaryArray.from_buffers(kind, n, [None, pa.py_buffer(digests)]))

    @property
    def hashes(self) -> tuple[str, ...]:
        """Content hash of each document."""
        return tuple(self.stream_hashes())

    def stream_hashes(self) -> Iterator[str]:
        """Content hash of each document, one after the other."""
        for start in range(0, len(self), _BATCH):
            yield from (digest.hex() for digest in self._hashes.slice(start, _BATCH).to_pylist())

    @property
    def texts(self) -> list[str]:
        """All documents as a list: a copy in Python memory."""
        return list(self._texts.to_pylist())

    def to_arrow(self) -> pa.Array:
        """The texts as an Arrow array of `large_string`, without a copy."""
        return self._texts

    def reach(self, size: int) -> int:
        """How many of the first documents have at most so many bytes together, at least one.

        Example:
            >>> Documents.from_texts(["war", "and", "peace"]).reach(7)
            2
        """
        ends = np.cumsum(pc.binary_length(self._texts).to_numpy())
        return max(1, int(np.searchsorted(ends, size, side="right")))

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


def check_texts(texts: Iterable[str], name: str = "documents") -> Iterator[str]:
    """The texts, one after the other; raises CorpusError at one that is no str or has no UTF-8 form.

    Args:
        texts: Any number of texts.
        name: Name of the argument, for messages.
    """
    required = f"`{name}` must be an iterable of str"
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
