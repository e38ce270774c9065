"""Columns: the names of a real table's columns, and the numbers that stand for the texts in them, frozen."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import CollapseGuardWarning, InputError, near
from collapse_guard.records import Record
from collapse_guard.table import Column, Table

_TRUTHS = {"true": "1", "false": "0"}
FEW_VALUES = 20
"""So many different texts are kinds in any case; of more …"""
FEWEST_ROWS = 5
"""… each must stand in so many rows on average: else they name rows, as an id or free text does."""


class NamedColumn(Record):
    """A column of the real table."""

    name: str
    """As the table has it."""
    values: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Its different texts, by the alphabet; None: it holds numbers."""


class Columns(Record):
    """How rows of a table become numbers: a number as it is, and a text as 1 in the column of this text, else 0.

    Example:
        >>> table = Table({"age": np.array([41.0, 29.0]), "city": ("Oslo", "Bern")})
        >>> columns = Columns.of(table)
        >>> columns.labels
        ('age', 'city=Bern', 'city=Oslo')
        >>> rows = columns.encode(table)
        >>> rows.tolist()
        [[41.0, 0.0, 1.0], [29.0, 1.0, 0.0]]
        >>> columns.decode(rows)
        {'age': [41.0, 29.0], 'city': ['Oslo', 'Bern']}
    """

    columns: Annotated[tuple[NamedColumn, ...], Field(min_length=1)]
    """In the order of the real table."""

    @classmethod
    def of(cls, table: Table) -> Self:
        """The columns of a real table.

        Raises:
            InputError: A column lacks numbers, or its texts are of hardly fewer kinds than there are rows.
        """
        return cls(columns=tuple(_named(name, column) for name, column in table.columns.items()))

    @property
    def have_texts(self) -> bool:
        """Whether some column holds texts."""
        return any(column.values is not None for column in self.columns)

    @property
    def labels(self) -> tuple[str, ...]:
        """d: what stands in each column of numbers."""
        return tuple(chain.from_iterable(_labels(column) for column in self.columns))

    @property
    def owners(self) -> IntArray:
        """d: the column of the table, by its place, that each column of numbers stands for."""
        widths = [1 if column.values is None else len(column.values) for column in self.columns]
        return np.repeat(np.arange(len(widths)), widths)

    def encode(self, table: Table) -> FloatArray:
        """Rows of a table as numbers: n d. Columns go by their names; those that the real table lacks are left out.

        A missing number is NaN. A text that real data lack is told, and is as far from each kind as two kinds are from
        each other.

        Raises:
            InputError: The table lacks a column.
        """
        _require_columns("samples", [column.name for column in self.columns], table)
        parts = [_encoded(column, table.columns[column.name]) for column in self.columns]
        return np.concatenate(parts, axis=1)

    def decode(self, rows: FloatArray) -> dict[str, list[Any]]:
        """Real rows as columns of a table, each a list: the inverse of `encode`."""
        parts = np.split(rows, np.flatnonzero(np.diff(self.owners)) + 1, axis=1)
        return {column.name: _decoded(column, part) for column, part in zip(self.columns, parts, strict=True)}


def owners_of(columns: Columns | None) -> IntArray | None:
    """As `Columns.owners`, where some stand for one column of the table together; else None."""
    return None if columns is None or not columns.have_texts else columns.owners


def joined(x: Table, evaluation: Table) -> Table:
    """Two real tables as one, the rows of `x` first. Columns are those of `x`, and so is what is in them.

    Raises:
        InputError: `evaluation` lacks a column, or a number.
    """
    _require_columns("evaluation", list(x.columns), evaluation)
    columns: dict[str, Column] = {}
    for name, here in x.columns.items():
        there = evaluation.columns[name]
        if isinstance(here, tuple):
            columns[name] = (*here, *_texts(there))
        else:
            numbers = _numbers(there)
            _require_numbers("x", name, here)
            _require_numbers("evaluation", name, numbers)
            columns[name] = np.concatenate([here, numbers])
    return Table(columns)


def _require_columns(argument: str, names: Sequence[str], table: Table) -> None:
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        raise InputError(
            f"`{argument}` must have the columns of the real table, but `{lacking[0]:.80}` is none of theirs: "
            f"{near(lacking[0], table.columns)}"
        )


def _require_numbers(argument: str, name: str, column: FloatArray) -> None:
    missing = np.flatnonzero(np.isnan(column))
    if len(missing):
        raise InputError(
            f"`{argument}` must have a number in each row, but `{name:.80}` lacks {len(missing):,} of {len(column):,}, "
            f"the first in row {missing[0]}: fill them in, or drop these rows"
        )


def _named(name: str, column: Column) -> NamedColumn:
    if isinstance(column, tuple):
        values = tuple(sorted(set(column)))
        if len(values) > max(FEW_VALUES, len(column) / FEWEST_ROWS):
            raise InputError(
                f"`x` must have columns of numbers or of kinds, but `{name:.80}` has {len(values):,} different texts "
                f"in {len(column):,} rows, such as {values[0]!r:.80}: leave it out, or give numbers in its place"
            )
        return NamedColumn(name=name, values=values)
    _require_numbers("x", name, column)
    return NamedColumn(name=name)


def _labels(column: NamedColumn) -> list[str]:
    return [column.name] if column.values is None else [f"{column.name}={value}" for value in column.values]


def _encoded(column: NamedColumn, given: Column) -> FloatArray:
    """n by the number of the column's different texts, or by 1."""
    if column.values is None:
        numbers = _numbers(given)
        _warn_of_no_numbers(column.name, given, numbers)
        return numbers[:, None]
    texts = _texts(given)
    places = {value: place for place, value in enumerate(column.values)}
    found = np.array([places.get(text, -1) for text in texts], dtype=np.int64)
    unknown = [text for text, place in zip(texts, found.tolist(), strict=True) if place < 0]
    if unknown:
        warnings.warn(
            f"`{column.name:.80}` has a text that real data lack in {len(unknown):,} of {len(texts):,} samples, such "
            f"as {unknown[0]!r:.80}: it counts as one more kind",
            CollapseGuardWarning,
            stacklevel=2,
        )
    k = len(column.values)
    encoded: FloatArray = (found[:, None] == np.arange(k)).astype(np.float64)
    encoded[found < 0] = (1.0 - math.sqrt(1.0 + k)) / k  # the point at the same distance from k unit vectors
    return encoded


def _decoded(column: NamedColumn, part: FloatArray) -> list[Any]:
    values = column.values
    return part[:, 0].tolist() if values is None else [values[place] for place in part.argmax(axis=1).tolist()]


def _warn_of_no_numbers(name: str, given: Column, numbers: FloatArray) -> None:
    missing = np.flatnonzero(np.isnan(numbers))
    if not len(missing):
        return
    shown = f", such as {given[missing[0]]!r:.80}" if isinstance(given, tuple) and given[missing[0]] else ""
    warnings.warn(
        f"`{name:.80}` has no number in {len(missing):,} of {len(numbers):,} samples{shown}, the first in row "
        f"{missing[0]}: nothing can be judged with these rows",
        CollapseGuardWarning,
        stacklevel=2,
    )


def _numbers(given: Column) -> FloatArray:
    return np.array([_number(text) for text in given]) if isinstance(given, tuple) else given


def _texts(given: Column) -> tuple[str, ...]:
    return given if isinstance(given, tuple) else tuple(map(_text, given.tolist()))


def _number(text: str) -> float:
    """A number or a truth that is written as a text, as a language model writes it; NaN for any other text."""
    try:
        return float(_TRUTHS.get(text.strip().casefold(), text))
    except ValueError:
        return float("nan")


def _text(number: float) -> str:
    """A number as a kind, as where codes were read as numbers."""
    if number != number:
        return ""
    return str(int(number)) if number.is_integer() else str(number)
