"""Tables: read columns of files by name, and name the place of every fault.

The extension gives the format; a file may have other columns too. A fault is named with its line in a `.jsonl` file,
and with its row in any other file. The first row is 1; a header is not a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from collapse_guard.arguments import utf8
from collapse_guard.corpus.csv_rows import NULLS
from collapse_guard.corpus.formats import check_extension, format_of
from collapse_guard.corpus.rows import stream_rows
from collapse_guard.corpus.streams import name_of
from collapse_guard.corpus.text_column import only
from collapse_guard.errors import CorpusError, InputError, near

Parser: TypeAlias = Callable[[str, Any], Any]
"""Takes the name of a column and one of its values, and returns what the value means; raises InputError with both."""

_ABSENT = object()
"""Stands for a value where the file, or the object of JSON, lacks the column."""


def read_columns(
    path: Path, required: Mapping[str, Parser], optional: Mapping[str, Parser] = MappingProxyType({}), *, unique: str
) -> dict[str, list[Any]]:
    """Read columns as lists of what their parsers return, without the optional columns that the file lacks.

    Args:
        path: A file of a known format other than `.txt`, or a stream of JSON.
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
    check_extension(path)
    parsers = {**required, **optional}
    places, values = _read_values(path, required, parsers)
    if not places:
        raise CorpusError(f"{name_of(path)} must have at least one row, but it has none")
    parsed = {
        name: [_value(path, place, value, name, parse) for place, value in zip(places, values[name], strict=True)]
        for name, parse in parsers.items()
        if name in required or any(value is not _ABSENT for value in values[name])
    }
    _check_unique(path, unique, parsed[unique], places)
    return parsed


def text(name: str, value: Any) -> str:
    """Parse a name; a number becomes its digits. Raises InputError where it cannot be written."""
    return utf8(f"`{name}`", str(value)).decode()


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


def _read_values(path: Path, required: Iterable[str], names: Iterable[str]) -> tuple[list[str], dict[str, list[Any]]]:
    """The place of each row, and the values of each column; raises CorpusError if no row has a required one."""
    places: list[str] = []
    values: dict[str, list[Any]] = {name: [] for name in names}
    known: set[str] = set()
    for place, row in stream_rows(path, lambda there: _present(values, required, there)):
        if not isinstance(row, Mapping):
            raise CorpusError(f"{name_of(path)} must hold rows with columns, but {place} is a {type(row).__name__}")
        places.append(place)
        known.update(row)
        for name, column in values.items():
            column.append(row.get(name, _ABSENT))
    if places:
        try:
            _present(values, required, sorted(known))
        except InputError as error:
            raise CorpusError(f"{name_of(path)} {error}") from error
    return places, values


def _present(names: Iterable[str], required: Iterable[str], known: Sequence[str]) -> list[str]:
    """The names that a table has; raises InputError if a required one is lacking."""
    for name in required:
        if name not in known:
            raise InputError(f"must have a column `{name}`, but has none of that name: {near(name, known)}")
    return [only(name, known) for name in names if name in known]


def _value(path: Path, place: str, value: Any, name: str, parse: Parser) -> Any:
    if value is None or value is _ABSENT or (value in NULLS and format_of(path) in (".csv", ".tsv")):
        raise CorpusError(
            f"{name_of(path)} must have a value in every row, but `{name}` is null in {place}: "
            "write NaN for what is not a number (pandas turns it into null)"
        )
    try:
        return parse(name, value)
    except InputError as error:
        raise CorpusError(f"{name_of(path)}, {place}: {error}") from error


def _check_unique(path: Path, name: str, values: list[Any], places: list[str]) -> None:
    first: dict[Any, str] = {}
    for place, value in zip(places, values, strict=True):
        if (before := first.setdefault(value, place)) != place:
            raise CorpusError(
                f"{name_of(path)} must have one row per `{name}`, but {value!r} stands in {before} and {place}"
            )
