"""Arrow and parquet files: whole columns, and rows in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from collapse_guard.errors import CorpusError, InputError, near

Wanted: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""Takes the names of all columns, and returns those to read; raises InputError where one is lacking."""

_BATCH = 1024
_ALL = 2**30
"""Rows at once: in smaller batches a column that is a dictionary would have a copy of it in each."""


def stream_arrow(path: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Stream the rows of a parquet or Arrow file, with the wanted columns alone."""
    with _open_arrow(path) as (schema, stream):
        batches = stream(list(wanted(schema.names)))
        for batch in chain.from_iterable(map(_slices, batches)):
            yield from batch.to_pylist()


def stream_places(paths: Sequence[Path], indices: Sequence[Path], wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Stream rows of Arrow files in the order of their numbers in other files, whose column is `indices`."""
    rows = _mapped(paths, wanted)
    for path in indices:
        for number in stream_arrow(path, _the_indices):
            place = number["indices"]
            if not isinstance(place, int) or not 0 <= place < len(rows):
                raise CorpusError(f"{path} must have numbers of the {len(rows)} rows, from 0, but got {place!r:.40}")
            yield {name: rows.column(name)[place].as_py() for name in rows.column_names}


def _the_indices(known: Sequence[str]) -> list[str]:
    if "indices" not in known:
        raise InputError(
            f"must have a column `indices` beside its rows, but has none of that name: {near('indices', known)}"
        )
    return ["indices"]


def _mapped(paths: Sequence[Path], wanted: Wanted) -> pa.Table:
    """Columns of Arrow files one after the other, which are read where they are asked for."""
    tables = []
    for path in paths:
        with arrow_errors(path):
            schema, batches = _open_ipc(pa.memory_map(str(path)))
            tables.append(pa.Table.from_batches(batches, schema).select(list(wanted(schema.names))))
    with arrow_errors(paths[-1]):
        return pa.concat_tables(tables)


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


def _check_columns(path: Path, required: Iterable[str], known: Iterable[str]) -> None:
    for name in required:
        if name not in known:
            raise CorpusError(f"{path} must have a column `{name}`, but has none of that name: {near(name, known)}")


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
