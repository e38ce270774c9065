"""File formats of documents: each reader streams the texts of one file and knows what can be wrong with it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from collapse_guard.errors import CorpusError, near

Reader: TypeAlias = Callable[[Path, str], Iterator[str | None]]
"""File and column to texts; None where a row has no text."""

_BATCH = 1024
_BOM = b"\xef\xbb\xbf"


def _read_txt(path: Path, _: str) -> Iterator[str | None]:
    for line in _decoded_lines(path):
        yield line.rstrip("\r\n")


def _read_jsonl(path: Path, column: str) -> Iterator[str | None]:
    columns: set[str] = set()
    for number, line in enumerate(_decoded_lines(path), 1):
        if line.strip():
            row = _json_object(path, number, line)
            columns.update(row)
            yield _json_text(path, number, row.get(column))
    if columns and column not in columns:
        raise _no_such_column(path, column, columns)


def _read_csv(path: Path, column: str) -> Iterator[str | None]:
    reader = csv.reader(_decoded_lines(path), strict=True)
    rows = _csv_rows(path, reader)
    header = next(rows, [column])
    if column not in header:
        raise _no_such_column(path, column, header)
    place = header.index(column)
    for row in rows:
        if row and len(row) <= place:
            raise CorpusError(
                f"{path} must have {place + 1} cells or more in every row to hold the column `{column}`, "
                f"but line {reader.line_num} has {len(row)}: quote cells that contain commas or newlines"
            )
        yield row[place] if row else None


def _read_parquet(path: Path, column: str) -> Iterator[str | None]:
    # Buffering ahead would hold the whole compressed file.
    with arrow_errors(path, "Parquet"), pq.ParquetFile(path, pre_buffer=False) as file:
        check_column(path, column, file.schema_arrow)
        batches = file.iter_batches(batch_size=_BATCH, columns=[column])
        yield from _texts(batch.column(0) for batch in batches)


def _read_arrow(path: Path, column: str) -> Iterator[str | None]:
    with arrow_errors(path, "Arrow IPC"), pa.memory_map(str(path)) as source:
        schema, batches = open_arrow(source)
        check_column(path, column, schema)
        yield from _texts(batch.column(schema.get_field_index(column)) for batch in batches)


READERS: Mapping[str, Reader] = {
    ".arrow": _read_arrow,
    ".csv": _read_csv,
    ".feather": _read_arrow,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".txt": _read_txt,
}
"""Known extensions, in lower case."""


def _decoded_lines(path: Path) -> Iterator[str]:
    """Lines with their ends, decoded strictly, without a byte order mark."""
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


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path} must have one JSON object a line, but line {number} is not valid: {error}"
        ) from error
    if not isinstance(row, dict):
        raise CorpusError(f"{path} must have one JSON object a line, but line {number} is a {type(row).__name__}")
    return row


def _json_text(path: Path, number: int, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise CorpusError(
        f"{path} must have a string as the text of a document, but line {number} has a {type(value).__name__}"
    )


def _csv_rows(path: Path, reader: Any) -> Iterator[list[str]]:
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


@contextmanager
def arrow_errors(path: Path, name: str) -> Iterator[None]:
    """Raise CorpusError where the file at `path` is not one of the format `name`."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} must hold UTF-8 texts, but one is not: {error}") from error
    except pa.ArrowException as error:
        raise CorpusError(f"{path} must be a {name} file, but it cannot be read as one: {error}") from error


def open_arrow(source: Any) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    """A file or a stream: both go by the extensions `.arrow` and `.feather`."""
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, stream
    return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))


def check_column(path: Path, column: str, schema: pa.Schema) -> None:
    """Raise CorpusError where there is no such column of strings."""
    if column not in schema.names:
        raise _no_such_column(path, column, schema.names)
    found = schema.field(column).type
    value = found.value_type if pa.types.is_dictionary(found) else found
    if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)):
        raise CorpusError(f"column `{column}` of {path} must hold strings, but it holds {found}: name another column")


def _texts(columns: Iterable[pa.Array]) -> Iterator[str | None]:
    for array in columns:
        for start in range(0, len(array), _BATCH):
            yield from array.slice(start, _BATCH).to_pylist()


def _no_such_column(path: Path, column: str, known: Iterable[str]) -> CorpusError:
    return CorpusError(f"{path} must have a column `{column}`, but it has none: {near(column, known)}")
