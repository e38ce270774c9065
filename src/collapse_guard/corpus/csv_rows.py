"""Rows of CSV and of tab-separated files, with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from collapse_guard.corpus.arrow import Wanted
from collapse_guard.corpus.limits import LARGEST_TEXT
from collapse_guard.errors import InputError

NULLS = ("", "null", "NULL", "None")
"""What stands in such a file for a missing number."""


def stream_csv(lines: Iterable[str], wanted: Wanted, *, delimiter: str) -> Iterator[dict[str, str]]:
    """Stream the rows with the wanted columns alone.

    A blank line is no row; where there is one column, it is a row without text.

    Raises:
        InputError: A line is not valid, or has too few cells; the message has its number.
    """
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    rows = _rows(reader, "TSV" if delimiter == "\t" else "CSV")
    header = next(filter(None, rows), None)
    if header is None:
        return
    places = {name: header.index(name) for name in wanted(header)}
    last = max(places.values())
    for row in rows:
        if not row and len(header) > 1:
            continue
        if len(row) <= last and row:
            raise InputError(
                f"must have {last + 1} cells or more in every row to hold the column `{header[last]}`, "
                f"but line {reader.line_num} has {len(row)}: quote cells that contain commas or newlines"
            )
        yield {name: row[place] if row else "" for name, place in places.items()}


def _rows(reader: Any, name: str) -> Iterator[list[str]]:
    while True:
        # The limit is global to the process: raised for one row at a time, so that nobody else sees it.
        limit = csv.field_size_limit(LARGEST_TEXT)
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"must be valid {name}, but line {reader.line_num} is not: {error}; put a cell that holds quotes in "
                "quotes, and double those within"
            ) from error
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        yield row
