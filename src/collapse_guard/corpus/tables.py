"""Tables: read columns of parquet, Arrow, JSON-lines and CSV files by name, and name the place of every fault.

The extension gives the format; a file may have other columns too. A fault is named with its line in a `.jsonl` file,
and with its row in any other file. The first row is 1; a header is not a row.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count, islice, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from collapse_guard.errors import CorpusError, InputError, near

Parser: TypeAlias = Callable[[str, Any], Any]
"""Takes the name of a column and one of its values, and returns what the value means; raises InputError with both."""
Batch: TypeAlias = tuple[Iterable[int], list[Iterable[Any]]]
"""Numbers of some rows, and their values in each column; `_ABSENT` where the file, or the line of JSON, lacks it."""

ARROW = (".arrow", ".feather", ".parquet")
EXTENSIONS = (".arrow", ".csv", ".feather", ".jsonl", ".parquet")
"""Known extensions, in lower case."""

_ABSENT = object()
_BATCH = 1024
_LINES = 32
"""Rows at once of a format that is read line by line: few, because one may be as long as a book."""
_ALL = 2**30
"""Rows at once: in smaller batches a column that is a dictionary would have a copy of it in each."""
_BOM = b"\xef\xbb\xbf"
_NULLS = ("", "null", "NULL", "None")
"""What stands in a CSV file for a missing value."""


def read_columns(
    path: Path, required: Mapping[str, Parser], optional: Mapping[str, Parser] = MappingProxyType({}), *, unique: str
) -> dict[str, list[Any]]:
    """Read columns as lists of what their parsers return, without the optional columns that the file lacks.

    Args:
        path: A parquet, arrow, feather, jsonl or csv file.
        required: Columns that the file must have, each with its parser, such as `text` or `number`.
        optional: Columns that it may have.
        unique: The required column that identifies the row; its values must be unique.

    Raises:
        CorpusError: The file cannot be read, lacks a column or has no rows, or a value is null, is refused by its
            parser or is not unique; the message names the file and the place.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "scores.csv")
        ...     _ = path.write_text("item,score\\ncapital of France,1\\n", encoding="utf-8")
        ...     read_columns(path, {"item": text, "score": number}, unique="item")
        {'item': ['capital of France'], 'score': [1.0]}
    """
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in (*required, *optional)}
    for some, batch in _stream_batches(path, required, optional):
        numbers.extend(some)
        for column, values in zip(columns.values(), batch, strict=True):
            column.extend(values)
    if not numbers:
        raise CorpusError(f"{path} must have at least one row, but it has none")
    parsed = {
        name: [_value(path, *value, name, parse) for value in zip(numbers, columns[name], strict=True)]
        for name, parse in {**required, **optional}.items()
        if name in required or any(value is not _ABSENT for value in columns[name])
    }
    _check_unique(path, unique, parsed[unique], numbers)
    return parsed


def stream_texts(path: Path, column: str) -> Iterator[str | None]:
    """Stream a column of strings in memory that does not grow with the file; None if a row has no text."""
    for numbers, (values,) in _stream_batches(path, (column,)):
        for number, value in zip(numbers, values, strict=True):
            if isinstance(value, str):
                yield value
            elif value is None or value is _ABSENT:
                yield None
            else:
                raise CorpusError(
                    f"column `{column}` of {path} must hold strings, but {_place(path, number)} has a "
                    f"{type(value).__name__}: name another column"
                )


def stream_lines(path: Path) -> Iterator[str]:
    """Stream lines with their line ends, decoded as UTF-8; a byte order mark is skipped, an invalid byte refused."""
    offset = 0
    with path.open("rb") as file:
        for raw in file:
            line = raw.removeprefix(_BOM) if offset == 0 else raw
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                at = offset + len(raw) - len(line) + error.start
                raise CorpusError(
                    f"{path} must be UTF-8, but byte {at} (0x{line[error.start]:02x}) is not: "
                    "convert it, for example with `iconv -f latin1 -t utf-8`"
                ) from error
            offset += len(raw)


def read_arrow(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Read columns of a parquet or Arrow file, all by default; an uncompressed Arrow file is mapped, not copied."""
    with _open_arrow(path, _ALL) as (schema, stream):
        chosen = schema.names if names is None else list(names)
        _check_columns(path, chosen, schema.names)
        return pa.Table.from_batches(stream(chosen), pa.schema([schema.field(name) for name in chosen]))


def count_texts(path: Path, column: str) -> int:
    """Count the rows of a parquet or Arrow file without reading them; raises CorpusError if `column` has no strings."""
    with _open_arrow(path) as (schema, stream):
        _check_columns(path, (column,), schema.names)
        kind = schema.field(column).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)):
            raise CorpusError(
                f"column `{column}` of {path} must hold strings, but it holds {kind}: name another column"
            )
        return sum(batch.num_rows for batch in stream([]))


def near_file(path: Path) -> str:
    """The files nearest to one that is not there, for the end of an error message."""
    return near(path.name, [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else [])


def check_extension(path: Path, known: Sequence[str] = EXTENSIONS) -> None:
    """Raise CorpusError if a file has none of the `known` extensions."""
    if path.suffix.lower() not in known:
        raise CorpusError(f"{path} must be a {either(known)} file, but its extension is {path.suffix!r}: convert it")


def either(names: Sequence[str]) -> str:
    """Phrase a choice: "a, b or c"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Raise CorpusError if the contents do not fit the extension of a parquet or Arrow file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} must hold UTF-8 texts, but one is not: {error}") from error
    except pa.ArrowException as error:
        name = "Parquet" if _is_parquet(path) else "Arrow IPC"
        raise CorpusError(f"{path} must be a {name} file, but it cannot be read as one: {error}") from error


def text(_: str, value: Any) -> str:
    """Parse a name; a number becomes its digits."""
    return str(value)


def number(name: str, value: Any) -> float:
    """Parse a number, which may be NaN or infinite; raises InputError.

    Example:
        >>> number("score", "0.5")
        0.5
    """
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"`{name}` must be a number, but got {value!r:.80}")


def _value(path: Path, number: int, value: Any, name: str, parse: Parser) -> Any:
    if value is None or value is _ABSENT or (value in _NULLS and path.suffix.lower() == ".csv"):
        raise CorpusError(
            f"{path} must have a value in every row, but `{name}` is null in {_place(path, number)}: "
            "write NaN for what is not a number (pandas turns it into null)"
        )
    try:
        return parse(name, value)
    except InputError as error:
        raise CorpusError(f"{path}, {_place(path, number)}: {error}") from error


def _check_unique(path: Path, name: str, values: list[Any], numbers: list[int]) -> None:
    first: dict[Any, int] = {}
    for number, value in zip(numbers, values, strict=True):
        if first.setdefault(value, number) != number:
            places = f"{_place(path, first[value])} and {_place(path, number)}"
            raise CorpusError(f"{path} must have one row per `{name}`, but {value!r} stands in {places}")


def _place(path: Path, number: int) -> str:
    return f"{'line' if path.suffix.lower() == '.jsonl' else 'row'} {number}"


def _check_columns(path: Path, required: Iterable[str], known: Iterable[str]) -> None:
    for name in required:
        if name not in known:
            raise CorpusError(f"{path} must have a column `{name}`, but has none of that name: {near(name, known)}")


def _stream_batches(path: Path, required: Iterable[str], optional: Iterable[str] = ()) -> Iterator[Batch]:
    """Stream columns some rows at a time; raises CorpusError if no row has a required column."""
    check_extension(path)
    read = {".csv": _csv_batches, ".jsonl": _json_batches}.get(path.suffix.lower(), _arrow_batches)
    try:
        path.open("rb").close()
        yield from read(path, required, optional)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from error


def _json_batches(path: Path, required: Iterable[str], optional: Iterable[str]) -> Iterator[Batch]:
    """Python's parser reads NaN, which Arrow's refuses."""
    known: set[str] = set()
    rows = (
        (number, _json_row(path, number, line)) for number, line in enumerate(stream_lines(path), 1) if line.strip()
    )
    while batch := list(islice(rows, _LINES)):
        known.update(*(row for _, row in batch))
        yield (
            [number for number, _ in batch],
            [[row.get(name, _ABSENT) for _, row in batch] for name in (*required, *optional)],
        )
    if known:
        _check_columns(path, required, known)


def _json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path} must have one JSON object a line, but line {number} is not valid: {error}"
        ) from error
    if not isinstance(row, dict):
        raise CorpusError(f"{path} must have one JSON object a line, but line {number} is a {type(row).__name__}")
    return row


def _csv_batches(path: Path, required: Iterable[str], optional: Iterable[str]) -> Iterator[Batch]:
    reader = csv.reader(stream_lines(path), strict=True)
    lists = filter(None, _csv_lists(path, reader))
    if (header := next(lists, None)) is None:
        return
    _check_columns(path, required, header)
    places = [header.index(name) if name in header else None for name in (*required, *optional)]
    last = max(place for place in places if place is not None)
    numbers = count(1)
    while batch := [(row, reader.line_num) for row in islice(lists, _LINES)]:
        for row, line in batch:
            if len(row) <= last:
                raise CorpusError(
                    f"{path} must have {last + 1} cells or more in every row to hold the column `{header[last]}`, "
                    f"but line {line} has {len(row)}: quote cells that contain commas or newlines"
                )
        yield (
            list(islice(numbers, len(batch))),
            [repeat(_ABSENT, len(batch)) if place is None else [row[place] for row, _ in batch] for place in places],
        )


def _csv_lists(path: Path, reader: Any) -> Iterator[list[str]]:
    while True:
        # The limit is global to the process: raised for one row at a time, so that nobody else sees it.
        limit = csv.field_size_limit(sys.maxsize)
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CorpusError(f"{path} must be valid CSV, but line {reader.line_num} is not: {error}") from error
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        yield row


def _arrow_batches(path: Path, required: Iterable[str], optional: Iterable[str]) -> Iterator[Batch]:
    numbers = count(1)
    with _open_arrow(path) as (schema, stream):
        _check_columns(path, required, schema.names)
        names = (*required, *optional)
        for batch in chain.from_iterable(map(_slices, stream([name for name in names if name in schema.names]))):
            yield (
                list(islice(numbers, len(batch))),
                [batch[name].to_pylist() if name in schema.names else repeat(_ABSENT, len(batch)) for name in names],
            )


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(start, _BATCH) for start in range(0, batch.num_rows, _BATCH))


@contextmanager
def _open_arrow(
    path: Path, parquet_rows: int = _BATCH
) -> Iterator[tuple[pa.Schema, Callable[[list[str]], Iterable[pa.RecordBatch]]]]:
    """The schema of a parquet or Arrow file, and a function that streams some of its columns in batches."""
    with arrow_errors(path):
        if _is_parquet(path):
            # Buffering ahead would hold the whole compressed file.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                yield file.schema_arrow, lambda names: file.iter_batches(batch_size=parquet_rows, columns=names)
        else:
            with pa.memory_map(str(path)) as source:
                schema, batches = _open_ipc(source)
                yield schema, lambda names: (batch.select(names) for batch in batches)


def _open_ipc(source: Any) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    """A file or a stream; both have the extensions `.arrow` and `.feather`."""
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, stream
    return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"
