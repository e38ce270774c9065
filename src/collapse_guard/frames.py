"""Tables and columns in memory, as pandas, pyarrow and `datasets` have them, read as texts or as rows of values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from collapse_guard.errors import InputError, near
from collapse_guard.table import Column, Table

COLUMN = "text"
"""The column of a table that is read."""
_NUMBER = Real | Decimal | np.bool_
_INDEX = re.compile(r"__index_level_\d+__")
"""Columns that pyarrow makes of the index of a pandas table."""
_MISSING = ("NAType", "NaTType", "NoneType")
"""Types of values that stand for no text; NaN is one too."""


def texts_of(name: str, given: Any) -> Any:
    """The texts of a list, of a column or of the column `text` of a table: "" for one that is missing.

    What holds no texts, such as an array of numbers, is returned as it is.

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
    column = given if names is None else given[checked_column(name, names)]
    values = _listed(column)
    return values if not isinstance(values, list | tuple) else _filled(values)


def samples_of(name: str, given: Any) -> Any:
    """Samples as they may come: the texts of a list or of a column `text`; rows of values of a table without one.

    Raises:
        InputError: As `texts_of` and `rows_of`.

    Example:
        >>> import pandas
        >>> samples_of("samples", pandas.DataFrame({"id": [1, 2], "text": ["We the people", None]}))
        ['We the people', '']
        >>> dict(samples_of("samples", pandas.DataFrame({"age": [41, 29], "city": ["Oslo", None]})).columns)
        {'age': array([41., 29.]), 'city': ('Oslo', '')}
    """
    given = without_gradient(given)
    if isinstance(given, list | tuple) and given and isinstance(given[0], Mapping):
        raise InputError(
            f"`{name}` must be texts, rows of numbers or a table, but got a {type(given[0]).__name__} for each row: "
            f"give a table, such as `pandas.DataFrame({name})`"
        )
    names = _column_names(given)
    is_text = names is None or COLUMN in names or isinstance(given, Mapping)
    return texts_of(name, given) if is_text else rows_of(name, given)


def without_gradient(given: Any) -> Any:
    """A tensor, or a list of tensors, as arrays, whatever its device and its type are; anything else as it is.

    Example:
        >>> import torch
        >>> without_gradient(torch.ones(2, dtype=torch.bfloat16, requires_grad=True))
        array([1., 1.], dtype=float32)
    """
    if isinstance(given, list | tuple) and given and hasattr(given[0], "detach"):
        return [without_gradient(one) for one in given]
    if not hasattr(given, "detach"):
        return given
    tensor = given.detach().cpu()
    # numpy has no bfloat16, nor the types of 8 bits.
    is_known = not tensor.is_floating_point() or tensor.element_size() > 2 or str(tensor.dtype).endswith("float16")
    return (tensor if is_known and not str(tensor.dtype).endswith("bfloat16") else tensor.float()).numpy()


def rows_of(name: str, given: Any) -> Any:
    """A table of pandas, pyarrow, `datasets` or polars as named columns of numbers and of texts.

    A pandas table whose columns have numbers as names is an array in a frame, and is returned as such; what is no table
    is returned as it is.

    Args:
        name: Name of the argument, for messages.
        given: What a user gave.

    Raises:
        InputError: Two columns have one name, or one holds neither numbers nor texts.
    """
    keys = None if isinstance(given, Table) else _keys(given)
    if keys is None:
        return given
    if keys and all(isinstance(key, int | np.integer) for key in keys) and hasattr(given, "to_numpy"):
        return given.to_numpy()
    columns = [(str(key), key) for key in keys if not _INDEX.fullmatch(str(key))]
    if not columns:
        raise InputError(f"`{name}` must have columns, but got a table without any: give one with its values")
    column, n = Counter(column for column, _ in columns).most_common(1)[0]
    if n > 1:
        raise InputError(f"`{name}` must have columns of different names, but {n} are {column!r:.80}: rename them")
    return Table({column: _values(name, column, given[key]) for column, key in columns})


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
    keys = _keys(given)
    return None if keys is None else list(map(str, keys))


def _keys(given: Any) -> list[Any] | None:
    """What the columns of a table go by; None for anything else."""
    keys = getattr(given, "column_names", None)
    if keys is None:
        keys = getattr(given, "columns", None)
    return None if keys is None else list(keys)


def checked_column(name: str, names: Sequence[str]) -> str:
    """The column of texts among these names; raises InputError where there is none, or two."""
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


def _values(name: str, column: str, given: Any) -> Column:
    """The values of a column: as numbers where each is one, else as texts; raises InputError where they are neither."""
    numbers = np.asarray(given)
    if numbers.ndim == 1 and numbers.dtype.kind in "biuf" and not _is_category(given):
        return numbers.astype(np.float64)
    values = [None if _is_missing(value) else value for value in _listed(given)]
    there = [value for value in values if value is not None]
    wrong = next((value for value in there if not isinstance(value, str | _NUMBER)), None)
    if wrong is not None:
        raise InputError(
            f"`{name}` must have columns of numbers or of texts, but `{column:.80}` holds a {type(wrong).__name__}, "
            f"{wrong!r:.80}: turn it into numbers, such as days since a date, or leave it out"
        )
    if all(isinstance(value, _NUMBER) for value in there) and not _is_category(given):
        return np.array([np.nan if value is None else float(value) for value in values])
    return tuple("" if value is None else str(value) for value in values)


def _is_category(column: Any) -> bool:
    kind = f"{getattr(column, 'dtype', '')} {getattr(column, 'type', '')}".casefold()
    return any(word in kind for word in ("categor", "enum", "dictionary"))


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    """The values, "" for those that are no text; the same object where each is one."""
    return ["" if _is_missing(value) else value for value in values] if any(map(_is_missing, values)) else values


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in _MISSING or (isinstance(value, float) and value != value)
