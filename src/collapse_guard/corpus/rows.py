"""Rows of a file of any format, streamed, each with its place: its line in a `.jsonl` file, its row in any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from collapse_guard.corpus.arrow import Wanted, stream_arrow, stream_places
from collapse_guard.corpus.csv_rows import stream_csv
from collapse_guard.corpus.formats import ARROW, LINES, format_of
from collapse_guard.corpus.json_rows import ONE_A_LINE, stream_json, stream_json_lines
from collapse_guard.corpus.streams import Text, name_of, open_text
from collapse_guard.errors import CorpusError, InputError

Row: TypeAlias = Mapping[str, Any] | str | None
"""Values of a row by the names of their columns; a row that is a text alone is the text, or None."""
Placed: TypeAlias = tuple[str, Row]
"""A row behind its place, such as "line 3"; the first line and the first row are 1, and a header is not a row."""


def stream_rows(path: Path, wanted: Wanted) -> Iterator[Placed]:
    """Stream the rows of a file, in memory that does not grow with it.

    Args:
        path: A file of a known format, or a stream: JSON if it begins as JSON does, otherwise a text a line.
        wanted: Chooses the columns of a format that has a header or a schema; an object of JSON has all of its keys.

    Raises:
        CorpusError: The file cannot be read, or `wanted` refuses its columns; the message names it.
    """
    with _named(path):
        if format_of(path) in ARROW:
            path.open("rb").close()  # pyarrow says less clearly that it cannot
            yield from _in_rows(stream_arrow(path, wanted))
        else:
            with open_text(path) as text:
                yield from _READERS[format_of(path) or _format_of_stream(text.head)](text, wanted)


def stream_chosen_rows(name: Path, paths: Sequence[Path], indices: Sequence[Path], wanted: Wanted) -> Iterator[Placed]:
    """Stream rows of Arrow files in the order of their numbers, which stand in other files.

    Raises:
        CorpusError: As `stream_rows`, with the name that is given.
    """
    with _named(name):
        yield from _in_rows(stream_places(paths, indices, wanted))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except CorpusError:
        raise
    except InputError as error:
        raise CorpusError(f"{name_of(path)} {error}") from error
    except OSError as error:
        raise CorpusError(f"{name_of(path)} cannot be read: {error.strerror or error}") from error


def _format_of_stream(head: str) -> str:
    beginning = "".join(head.split())[:2]
    if beginning.startswith("{"):
        return ".jsonl"
    return ".json" if beginning in ("[{", '["', "[]") else ".txt"


def _in_rows(rows: Iterator[Any]) -> Iterator[Placed]:
    return ((f"row {number}", row) for number, row in enumerate(rows, 1))


def _lines_of_text(text: Text, _: Wanted) -> Iterator[Placed]:
    return ((f"line {number}", line.rstrip("\r\n")) for number, line in enumerate(text, 1))


def _lines_of_json(text: Text, _: Wanted) -> Iterator[Placed]:
    for number, value in stream_json_lines(text):
        yield f"line {number}", _row(value, f"{ONE_A_LINE}, but line {number} is")


def _values_of_json(text: Text, _: Wanted) -> Iterator[Placed]:
    for place, value in _in_rows(stream_json(text)):
        yield place, _row(value, f"must hold JSON objects, but {place} is")


def _row(value: Any, fault: str) -> Row:
    if value is None or isinstance(value, dict | str):
        return value
    raise InputError(f"{fault} a {type(value).__name__}")


def _cells(text: Text, wanted: Wanted) -> Iterator[Placed]:
    return _in_rows(stream_csv(text, wanted, delimiter=","))


def _tabbed_cells(text: Text, wanted: Wanted) -> Iterator[Placed]:
    return _in_rows(stream_csv(text, wanted, delimiter="\t"))


_READERS: dict[str, Callable[[Text, Wanted], Iterator[Placed]]] = {
    ".csv": _cells,
    ".json": _values_of_json,
    ".tsv": _tabbed_cells,
    ".txt": _lines_of_text,
    **dict.fromkeys(LINES, _lines_of_json),
}
