"""The one form in which evidence is kept and digested, whatever types it was given in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from collapse_guard.errors import InputError
from collapse_guard.table import Table

SampleKind = Literal["none", "texts", "ids", "array", "table"]


def normal_samples(samples: Any) -> tuple[SampleKind, Any]:
    """The kind of samples, and the samples in its form: a list of texts or of int64 ids, an array or a table.

    Rows of whole numbers that are no array are token ids, which may be of different lengths.

    Raises:
        InputError: They are neither texts, nor token ids, nor rows of as many numbers.

    Example:
        >>> normal_samples(("We", "the people"))
        ('texts', ['We', 'the people'])
        >>> normal_samples([[0.5, 1.5], [2.0, 3.0]])[1].shape
        (2, 2)
    """
    if samples is None:
        return "none", None
    if isinstance(samples, Table):
        return "table", samples
    if isinstance(samples, np.ndarray) and samples.dtype.kind in "fiub":
        return "array", samples
    values = list(samples)
    if all(isinstance(value, str) for value in values):
        return "texts", [str(value) for value in values]
    rows = [np.asarray(value) for value in values]
    if all(row.ndim == 1 and (row.dtype.kind in "iu" or row.size == 0) for row in rows):
        return "ids", [row.astype(np.int64) for row in rows]
    if len({row.shape for row in rows}) == 1 and all(row.dtype.kind in "fiub" for row in rows):
        return "array", np.stack(rows)
    raise InputError(
        "`samples` must be texts, lists of token ids, or rows of as many numbers, "
        f"but got a sequence of {type(values[0]).__name__}: turn vectors into one array"
    )


def text_bytes(text: str) -> bytes:
    """The bytes of a text, which may have lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def array_bytes(values: Any) -> Iterator[bytes]:
    """Type and shape of an array, and its bits, whatever its order in memory."""
    array = np.ascontiguousarray(values)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    yield f"{array.dtype.str} {array.shape}".encode()
    yield array.tobytes()


def rows_bytes(rows: Sequence[Any]) -> Iterator[bytes]:
    """The lengths of rows, and the bits of all their numbers, one row after the other."""
    yield from array_bytes(np.array([len(row) for row in rows], dtype=np.int64))
    yield from array_bytes(np.concatenate(rows) if rows else np.zeros(0))


def table_bytes(table: Table) -> Iterator[bytes]:
    """The names of the columns of a table, each with all its values."""
    for name, column in table.columns.items():
        yield text_bytes(name)
        yield from map(text_bytes, column) if isinstance(column, tuple) else array_bytes(column)
