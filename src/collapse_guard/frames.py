"""Tables and columns in memory, as pandas, pyarrow and `datasets` have them, read as lists of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collapse_guard.errors import InputError, near

COLUMN = "text"
"""The column of a table that is read."""
_MISSING = ("NAType", "NaTType", "NoneType")
"""Types of values that stand for no text; NaN is one too."""


def texts_of(name: str, given: Any) -> Any:
    """The texts of a list, of a column or of the column `text` of a table: "" for one that is missing.

    What holds no texts, such as an array of numbers, is returned as it is; a table of numbers alone, as an array.

    Args:
        name: Name of the argument, for messages.
        given: What a user gave.

    Raises:
        InputError: It is a mapping, or a table that has no column `text`, or two.

    Example:
        >>> import pandas
        >>> frame = pandas.DataFrame({"id": [1, 2], "text": ["We the people", None]})
        >>> texts_of("samples", frame), texts_of("samples", ["We", None, " "])
        (['We the people', ''], ['We', '', ' '])
    """
    if isinstance(given, Mapping):
        raise InputError(
            f"`{name}` must be a sequence of texts, but got a {type(given).__name__}, whose items are its keys: "
            f"give one of its values, such as `{name}[{next(iter(given), COLUMN)!r}]`"
        )
    names = _column_names(given)
    if names is not None and COLUMN not in names and _are_numbers(given):
        return given.to_numpy()
    column = given if names is None else given[_checked(name, names)]
    values = _listed(column)
    return values if not isinstance(values, list | tuple) else _filled(values)


def column_of(name: str, given: Any, table: Any) -> Any:
    """The values of a list or of a column; or of a column of a table, where its name is given.

    Args:
        name: Name of the argument, for messages.
        given: The values, or the name of a column.
        table: What has the column of this name.

    Raises:
        InputError: It is a name, and there is no table, or none with such a column.

    Example:
        >>> import pandas
        >>> frame = pandas.DataFrame({"text": ["We the people"], "language": ["en"]})
        >>> column_of("slices", "language", frame), column_of("slices", frame["language"], frame)
        (['en'], ['en'])
    """
    if not isinstance(given, str):
        return _listed(given)
    names = _column_names(table)
    if names is None:
        raise InputError(
            f"`{name}` must be a value for each document, but got the name {given!r:.80}, and the documents are no "
            "table that has columns: give a list"
        )
    if given not in names:
        raise InputError(
            f"`{name}` must be a column of the table, but it has none of the name {given!r:.80}: {near(given, names)}"
        )
    return _listed(table[given])


def _column_names(given: Any) -> list[str] | None:
    """The names of the columns of a table; None for anything else."""
    names = getattr(given, "column_names", None)
    if names is None:
        names = getattr(given, "columns", None)
    return None if names is None else list(map(str, names))


def _are_numbers(table: Any) -> bool:
    return hasattr(table, "to_numpy") and table.to_numpy().dtype.kind in "biuf"


def _checked(name: str, names: Sequence[str]) -> str:
    places = [str(place) for place, one in enumerate(names, 1) if one == COLUMN]
    if not places:
        raise InputError(
            f"`{name}` must have a column `{COLUMN}`, but the table has none of that name: {near(COLUMN, names)}. "
            f'Give the column that has the texts, such as `table["{names[0] if names else COLUMN}"]`'
        )
    if len(places) > 1:
        raise InputError(
            f"`{name}` must have one column `{COLUMN}`, but columns {' and '.join(places)} of the table have this "
            "name: rename one of them"
        )
    return COLUMN


def _listed(column: Any) -> Any:
    """A column as a list; anything else as it is."""
    for convert in ("to_pylist", "to_list"):
        if hasattr(column, convert):
            return getattr(column, convert)()
    holds_objects = getattr(getattr(column, "dtype", None), "kind", "") in ("O", "U", "T")
    return list(column) if holds_objects or type(column).__module__.partition(".")[0] == "datasets" else column


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    """The values, "" for those that are no text; the same object where each is one."""
    return ["" if _is_missing(value) else value for value in values] if any(map(_is_missing, values)) else values


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in _MISSING or (isinstance(value, float) and value != value)
