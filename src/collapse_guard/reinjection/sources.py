"""Sources that do not fit in memory: documents in Arrow files, token ids in one file, and streams, as numbered items.

Each is a map-style dataset that can be sent to worker processes: it carries paths, and every process opens the files.
"""

from __future__ import annotations

import operator
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Protocol, SupportsIndex, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch.utils.data import Dataset

from collapse_guard.arguments import whole
from collapse_guard.corpus.arrow import arrow_errors, count_texts, map_arrow
from collapse_guard.corpus.files import near_file
from collapse_guard.corpus.formats import ARROW, either
from collapse_guard.errors import CorpusError, InputError

_NUMPY = ".npy"
_END = object()


@runtime_checkable
class OrderedItems(Protocol):
    """A source that says whether its items should be read in the order of their numbers."""

    in_order: ClassVar[bool]
    """Whether another order is slow."""


class ArrowItems(Dataset[str]):
    """The documents of Arrow and parquet files, numbered in the order of the files and of their rows.

    Uncompressed Arrow IPC files and streams (`.arrow`, `.feather`) are memory-mapped: any document is available at
    once, and only the page that holds it is read. Of a compressed file (`.feather` is compressed by default) and of a
    parquet file (`.parquet`), the first document that is asked for reads the whole column into Arrow memory, once in
    every process that asks (forked workers share what was read before). One document needs a whole batch or row group
    decoded, thousands of documents, and items are asked for in any order. If that does not fit in memory, write the
    documents to an uncompressed `.arrow` file.

    Args:
        paths: A file, or several.
        column: The column of strings that holds the documents; no row may be null.

    Raises:
        InputError: A path is not such a file. CorpusError: a file cannot be read, has no such column of strings, has
            a row without text, or there are no documents.

    Cost: O(log batches) per document, and once for each batch what it takes to read it through, to see that it is not
    damaged. The constructor reads the number of rows; it decodes compressed Arrow files. A file that is cut while it is
    mapped ends the process: write new data to a new file.

    Example:
        >>> import tempfile, pyarrow.parquet
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "speeches.parquet")
        ...     pyarrow.parquet.write_table(pa.table({"text": ["We the people", "of the United States"]}), path)
        ...     items = ArrowItems(path)
        ...     len(items), items[1]
        (2, 'of the United States')
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], column: str = "text") -> None:
        self.paths, self.column = _files(paths), column
        self._bytes = [path.stat().st_size for path in self.paths]
        self._ends = list(accumulate(count_texts(path, column) for path in self.paths))
        self._opened: dict[int, _Texts] = {}
        if not self._ends[-1]:
            raise CorpusError("`paths` must hold at least one document, but the files have no rows: name others")

    def __len__(self) -> int:
        """Number of documents."""
        return self._ends[-1]

    def __getitem__(self, index: SupportsIndex) -> str:
        """One document; raises IndexError where there is none."""
        place = _place(index, len(self))
        number = bisect_right(self._ends, place)
        before = self._ends[number - 1] if number else 0
        column = self._column(number)
        with arrow_errors(self.paths[number]):
            return column.text(place - before)

    def __getstate__(self) -> dict[str, Any]:
        """State without the files that this process has opened."""
        return {**self.__dict__, "_opened": {}}

    def _column(self, number: int) -> _Texts:
        if number not in self._opened:
            _check_unchanged(self.paths[number], self._bytes[number])
            self._opened[number] = _Texts(_read_column(self.paths[number], self.column))
        return self._opened[number]


class TokenWindows(Dataset[torch.Tensor]):
    """Windows of equal length over a memory-mapped file of token ids; item i begins at token `i * window`.

    A tail that is too short for an item is dropped. Only the pages that hold an item are read.

    Args:
        path: A one-dimensional `.npy` file, which names its own type; or any other file of bare ids.
        window: Tokens from the beginning of an item to the beginning of the next.
        dtype: Integer type of the ids in a file of bare ids.
        offset: Bytes before the first id in a file of bare ids, such as a header.
        overlap: Tokens of the next item that an item has at its end; with 1, `item[:-1]` and `item[1:]` are inputs and
            targets.

    Raises:
        InputError: The path is not such a file, an argument is out of its range, or there is no whole item.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "tokens.bin")
        ...     np.arange(10, dtype=np.uint16).tofile(path)
        ...     items = TokenWindows(path, 4, overlap=1)
        ...     len(items), items[1].tolist()
        (2, [4, 5, 6, 7, 8])
    """

    def __init__(
        self, path: str | Path, window: int, *, dtype: npt.DTypeLike = "uint16", offset: int = 0, overlap: int = 0
    ) -> None:
        self.path = _file("path", path)
        self.window, self.overlap = whole("window", window, least=1), whole("overlap", overlap, least=0)
        self._bytes = self.path.stat().st_size
        whole("offset", offset, least=0)
        is_bare = self.path.suffix.lower() != _NUMPY
        layout = _bare_layout(self.path, dtype, offset) if is_bare else _numpy_layout(self.path, offset)
        self.dtype, self.offset, self.tokens = layout
        if self.tokens < self.window + self.overlap:
            raise InputError(
                f"`window` and `overlap` must sum to at most the {self.tokens} tokens of {self.path}, "
                f"but got {self.window} and {self.overlap}: give smaller ones"
            )
        self._opened: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        """Number of whole items."""
        return (self.tokens - self.overlap) // self.window

    def __getitem__(self, index: SupportsIndex) -> torch.Tensor:
        """The ids of one item, [window + overlap] int64, as a copy; raises IndexError where there is none."""
        start = _place(index, len(self)) * self.window
        if self._opened is None:
            _check_unchanged(self.path, self._bytes)
            self._opened = np.memmap(self.path, self.dtype, "r", self.offset, (self.tokens,))
        return torch.from_numpy(self._opened[start : start + self.window + self.overlap].astype(np.int64))

    def __getstate__(self) -> dict[str, Any]:
        """State without the mapping of this process."""
        return {**self.__dict__, "_opened": None}


class StreamedItems(Dataset[Any]):
    """The items of a source that can only be read from its beginning; item i is the i-th item that it gives.

    Ask for items in ascending order. To go back, or to give the same item again, the stream starts again and is read up
    to that item. So a shuffling sampler costs half a stream per item, resuming reads the stream from its beginning, and
    each worker reads all of it, including the items of the other workers. For any other order, write the items to a
    file once (`ArrowItems`, `TokenWindows`).

    Args:
        make: Returns a new iterator (or iterable) over the items, the same ones in the same order each time. It must
            be picklable where workers are spawned: a function of a module, or a `functools.partial` of one.
        length: Number of items; a longer stream is not read to its end.

    Attributes:
        in_order: True: ask for items in ascending order.
        passes: How often the stream was started in this process.

    Raises:
        InputError: `make` cannot be called or `length` is below 1. When items are read: `make` returns no iterator or
            the one that it returned before, or the stream ends before `length`.

    Example:
        >>> squares = StreamedItems(lambda: (number**2 for number in range(10)), length=5)
        >>> squares[1], squares[4], squares[0], squares.passes
        (1, 16, 0, 2)
    """

    in_order: ClassVar[bool] = True
    passes: int
    _iterator: Iterator[Any] | None
    _next: int
    _process: int

    def __init__(self, make: Callable[[], Iterable[Any]], length: int) -> None:
        if not callable(make):
            raise InputError(
                f"`make` must be a function that returns a new iterator, but got a {type(make).__name__}: "
                "give `lambda: iter(source)`"
            )
        self.make, self.length = make, whole("length", length, least=1)
        self._forget()

    def __len__(self) -> int:
        """Number of items."""
        return self.length

    def __getitem__(self, index: SupportsIndex) -> Any:
        """One item; raises IndexError where there is none."""
        place = _place(index, self.length)
        # A forked worker has the iterator of its parent, whose open files are shared with the other workers.
        if self._process != os.getpid():
            self._forget()
        if self._iterator is None or place < self._next:
            self._iterator, self._next = self._begin(), 0
            self.passes += 1
        return self._advance(self._iterator, place)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as a stream at its beginning."""
        return type(self), (self.make, self.length)

    def _forget(self) -> None:
        self._iterator = None
        self._next, self._process, self.passes = 0, os.getpid(), 0

    def _begin(self) -> Iterator[Any]:
        made = self.make()
        if not isinstance(made, Iterable):
            raise InputError(
                f"`make` must return an iterator, but it returned a {type(made).__name__}: give `lambda: iter(source)`"
            )
        iterator = iter(made)
        if iterator is self._iterator:
            raise InputError(
                "`make` must return a new iterator each time, but it returned the one that was read before: "
                "open the source within `make`"
            )
        return iterator

    def _advance(self, iterator: Iterator[Any], place: int) -> Any:
        item = None
        while self._next <= place:
            item = next(iterator, _END)
            if item is _END:
                raise InputError(
                    f"`length` must be at most the number of items of the stream, but it ended after {self._next} of "
                    f"{self.length}: give `length={self._next}`, or a longer stream"
                )
            self._next += 1
        return item


class EncodedItems(Dataset[Any]):
    """Items that are encoded when they are read; here, so that a worker that is spawned for them imports no trainer."""

    def __init__(self, items: Sequence[Any] | Dataset[Any], encode: Callable[[Any], Any] | None) -> None:
        self.items, self.encode = items, encode

    def __len__(self) -> int:
        """As many as there are items."""
        return len(self.items)  # type: ignore[arg-type]

    def __getitem__(self, place: int) -> Any:
        """The item of a number, encoded."""
        item = self.items[place]
        return item if self.encode is None else self.encode(item)


def _place(index: SupportsIndex, length: int) -> int:
    place = operator.index(index)
    if not -length <= place < length:
        raise IndexError(f"there is no item {place} among {length}")
    return place % length


def _file(name: str, path: Any) -> Path:
    """The absolute path, so that a worker with another working directory finds the file too."""
    if not isinstance(path, str | Path):
        raise InputError(f"`{name}` must be a path, but got a {type(path).__name__}: give a str or a Path")
    file = Path(path).absolute()
    if not file.is_file():
        fault = "is a directory" if file.is_dir() else "does not exist"
        raise InputError(f"`{name}` must be a file, but {file} {fault}: {near_file(file)}")
    return file


def _files(paths: Any) -> list[Path]:
    chosen = list(paths) if isinstance(paths, Sequence) and not isinstance(paths, str) else [paths]
    if not chosen:
        raise InputError("`paths` must name at least one file, but got none: name the files of the documents")
    files = [_file("paths", path) for path in chosen]
    for path in files:
        if path.suffix.lower() not in ARROW:
            raise InputError(
                f"`paths` must be {either(ARROW)} files, but got {path}: convert it, "
                "or read it into memory with `read_documents`"
            )
    return files


def _check_unchanged(path: Path, size: int) -> None:
    if (now := path.stat().st_size) != size:
        raise InputError(
            f"{path} must not change while it is in use, but its size went from {size} to {now} bytes: "
            "write new data to a new file"
        )


class _Texts:
    """A column whose batches are validated when the first text of each is asked for: a damaged one ends the process."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = column.chunks
        self._ends = list(accumulate(map(len, self._chunks)))
        self._valid: set[int] = set()

    def text(self, place: int) -> str:
        """The text at a place; raises what pyarrow does where its batch is damaged."""
        number = bisect_right(self._ends, place)
        chunk = self._chunks[number]
        if number not in self._valid:
            chunk.validate(full=True)
            self._valid.add(number)
        return str(chunk[place - self._ends[number] + len(chunk)].as_py())


def _read_column(path: Path, column: str) -> pa.ChunkedArray:
    texts = map_arrow(path, column)
    if texts.null_count:
        raise CorpusError(
            f"column `{column}` of {path} must hold a text in every row, but {texts.null_count} of {len(texts)} rows "
            "are null: leave these rows out"
        )
    return texts


def _numpy_layout(path: Path, offset: int) -> tuple[np.dtype[Any], int, int]:
    """Type, bytes before the first id, and number of ids."""
    if offset:
        raise InputError(f"`offset` must be 0 for a .npy file, whose header is known, but got {offset}: leave it out")
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError) as error:
        raise InputError(f"`path` must be a .npy file of token ids, but {path} is not: {error}") from error
    if mapped.ndim != 1:
        raise InputError(
            f"`path` must be a .npy file of one dimension, but {path} has the shape {mapped.shape}: flatten it"
        )
    return _whole_numbers(mapped.dtype), int(mapped.offset), len(mapped)


def _bare_layout(path: Path, dtype: npt.DTypeLike, offset: int) -> tuple[np.dtype[Any], int, int]:
    """Type, bytes before the first id, and number of ids."""
    try:
        layout = _whole_numbers(np.dtype(dtype))
    except TypeError as error:
        raise InputError(f"`dtype` must be a type of whole numbers, but got {dtype!r}: give uint16") from error
    size = path.stat().st_size
    if offset > size or (size - offset) % layout.itemsize:
        raise InputError(
            f"`path` must have a multiple of {layout.itemsize} bytes ({layout}) after `offset`, but {path} has {size} "
            f"and `offset` is {offset}: give the `dtype` and `offset` that it was written with"
        )
    return layout, offset, (size - offset) // layout.itemsize


def _whole_numbers(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in "iu":
        raise InputError(f"`dtype` must be a type of whole numbers, but got {dtype}: write token ids as uint16")
    return dtype
