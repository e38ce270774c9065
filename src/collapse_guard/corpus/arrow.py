"""Arrow and parquet files: whole columns, and rows in memory that does not grow with the file.

What is read may be damaged or hostile. Arrow trusts the offsets of a file, and a mapped file may be
cut meanwhile: either ends the process. So files are read, not mapped, and each batch is validated before a value of it
is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from collapse_guard.corpus.limits import check_rows
from collapse_guard.errors import CollapseGuardError, CorpusError, InputError, near

Wanted: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""Takes the names of all columns, and returns those to read; raises InputError where one is lacking."""

_BATCH = 1024
_BATCH_BYTES = 1 << 28
"""What the strings of a batch may take where one text stands in many rows."""
_TRIED = 4
"""Rows of which the size of others is told."""
_ALL = 2**30
"""Rows at once: in smaller batches a column that is a dictionary would have a copy of it in each."""


def stream_arrow(path: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Stream the rows of a parquet or Arrow file, with the wanted columns alone."""
    n = 0
    with _open_arrow(path) as (schema, stream):
        for batch in stream(list(wanted(schema.names))):
            n += batch.num_rows
            check_rows(path, n)
            yield from chain.from_iterable(part.to_pylist() for part in _slices(batch))


def stream_places(paths: Sequence[Path], indices: Sequence[Path], wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Stream rows of Arrow files in the order of their numbers in other files, whose column is `indices`."""
    rows = pa.concat_tables([_wanted_columns(path, wanted) for path in paths])
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


def _wanted_columns(path: Path, wanted: Wanted) -> pa.Table:
    with _open_arrow(path, whole=True) as (schema, stream):
        names = list(wanted(schema.names))
        return pa.Table.from_batches(stream(names), pa.schema([schema.field(name) for name in names]))


def read_arrow(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Read columns of a parquet or Arrow file, all by default."""

    def wanted(known: Sequence[str]) -> Sequence[str]:
        _check_columns(path, names or (), known)
        return known if names is None else names

    return _wanted_columns(path, wanted)


def map_arrow(path: Path, name: str) -> pa.ChunkedArray:
    """A column of a parquet or Arrow file; an uncompressed Arrow file is mapped, not copied.

    The sizes of what is mapped are checked, but not what it says: validate each chunk with `full=True` before a value
    of it is touched. A file that is cut while it is mapped ends the process.
    """
    if _is_parquet(path):
        return read_arrow(path, [name]).column(0)
    with arrow_errors(path), pa.memory_map(str(path)) as source:
        schema, stream = _open_ipc(source)
        _check_columns(path, [name], schema.names)
        column = pa.Table.from_batches(stream([name]), pa.schema([schema.field(name)])).column(0)
        column.validate()
        return column


def count_texts(path: Path, column: str) -> int:
    """Count the rows of a parquet or Arrow file without reading them; raises CorpusError if `column` has no strings."""
    with arrow_errors(path):
        if _is_parquet(path):
            with pq.ParquetFile(path) as file:
                _check_strings(path, column, file.schema_arrow)
                check_rows(path, file.metadata.num_rows)
                return int(file.metadata.num_rows)
        with pa.memory_map(str(path)) as source:
            schema, stream = _open_ipc(source)
            _check_strings(path, column, schema)
            return sum(batch.num_rows for batch in stream([]))


def _check_strings(path: Path, column: str, schema: pa.Schema) -> None:
    _check_columns(path, (column,), schema.names)
    kind = schema.field(column).type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)):
        raise CorpusError(f"column `{column}` of {path} must hold strings, but it holds {kind}: name another column")


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Raise CorpusError if the contents do not fit the extension of a parquet or Arrow file."""
    try:
        yield
    except CollapseGuardError:
        raise
    except Exception as error:  # pyarrow, and what it makes values of, raise nearly anything over a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        fault = f"{str(error) or type(error).__name__:.300}"
        if isinstance(error, UnicodeDecodeError) or "UTF8" in fault:
            raise CorpusError(f"{path} must hold UTF-8 texts, but one is not: {fault}") from error
        name = "Parquet" if _is_parquet(path) else "Arrow IPC"
        raise CorpusError(f"{path} must be a {name} file, but it cannot be read as one: {fault}") from error


def _check_columns(path: Path, required: Iterable[str], known: Iterable[str]) -> None:
    for name in required:
        if name not in known:
            raise CorpusError(f"{path} must have a column `{name}`, but has none of that name: {near(name, known)}")


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(start, _BATCH) for start in range(0, batch.num_rows, _BATCH))


Stream: TypeAlias = Callable[[list[str]], Iterable[pa.RecordBatch]]
"""Takes names of columns, and streams batches of these."""


@contextmanager
def _open_arrow(path: Path, *, whole: bool = False) -> Iterator[tuple[pa.Schema, Stream]]:
    """The schema of a parquet or Arrow file, and a function that streams some of its columns in valid batches."""
    with arrow_errors(path):
        if _is_parquet(path):
            # Buffering ahead would hold the whole compressed file.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                check_rows(path, file.metadata.num_rows)
                yield file.schema_arrow, lambda names: _batches_of(file, names, _ALL if whole else _BATCH)
        else:
            with pa.OSFile(str(path)) as source:
                schema, stream = _open_ipc(source)
                yield schema, lambda names: map(_valid, stream(names))


def _batches_of(file: Any, names: list[str], most: int) -> Iterable[pa.RecordBatch]:
    """Batches that are small also where one long text stands in many rows, which takes hardly a byte of the file.

    Its metadata say how long, but pyarrow ends the process over those of a damaged file.
    """
    first = next(file.iter_batches(batch_size=_TRIED, columns=names), None) if most == _BATCH else None
    size = first.nbytes // max(1, first.num_rows) if first is not None else 0
    fitting = max(1, min(most, _BATCH_BYTES // size)) if size else most
    batches: Iterable[pa.RecordBatch] = file.iter_batches(batch_size=fitting, columns=names)
    return batches


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    batch.validate(full=True)
    return batch


def _open_ipc(source: Any) -> tuple[pa.Schema, Stream]:
    """A file or a stream; both have the extensions `.arrow` and `.feather`."""
    try:
        schema, kind = pa.ipc.open_file(source).schema, _file_batches
    except pa.ArrowInvalid:
        source.seek(0)
        schema, kind = pa.ipc.open_stream(source).schema, _stream_batches

    def stream(names: list[str]) -> Iterator[pa.RecordBatch]:
        source.seek(0)
        # Without a field there is nothing to choose, and all are meant.
        fields = [schema.get_field_index(name) for name in names]
        batches = kind(source, pa.ipc.IpcReadOptions(included_fields=fields))
        return (batch.select(names) for batch in batches)

    return schema, stream


def _file_batches(source: Any, options: Any) -> Iterator[pa.RecordBatch]:
    file = pa.ipc.open_file(source, options=options)
    return (file.get_batch(number) for number in range(file.num_record_batches))


def _stream_batches(source: Any, options: Any) -> Iterator[pa.RecordBatch]:
    return iter(pa.ipc.open_stream(source, options=options))


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"
