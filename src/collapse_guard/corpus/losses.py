"""Losses from a file: a row per wild-type document or per sample, with `document`, `nll` and `n_tokens`.

| column     | meaning                                                                                       |
|------------|-----------------------------------------------------------------------------------------------|
| `document` | id or number of the document, the same in every generation; of a sample its number, from 0    |
| `nll`      | negative log-likelihood in nats, summed over the document; NaN is kept as NaN                 |
| `n_tokens` | scored tokens of the document, at least 1                                                     |
| `n_bytes`  | UTF-8 bytes of the scored text, for bits per byte; may be left out                            |
| `entropy`  | entropies in nats of the next-token distributions, summed over the document; may be left out  |
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError, near
from collapse_guard.evidence import Losses

Columns = dict[str, list[Any]]

_REQUIRED = ("document", "nll", "n_tokens")
_NOT_A_VALUE = ["", "null", "NULL", "None"]
_LARGEST = 2**63 - 1


def read_losses(path: str | Path) -> Losses:
    """Read losses from a parquet, arrow, feather, jsonl or csv file.

    Raises:
        InputError: the file cannot be read, lacks a column, or holds a null, something that is no number, a negative
            loss, no tokens or the same document twice; the message names the file and the row, of which the first is 1.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(
            f"the losses file must end in {', '.join(sorted(_READERS))}, but got {str(file)!r}: convert it"
        )
    try:
        return _losses(reader(file), file)
    except OSError as error:
        raise InputError(f"the losses file {str(file)!r} cannot be read: {error.strerror}") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"the losses file {str(file)!r} is not valid {file.suffix[1:]}: {error}") from error


def _losses(columns: Columns, file: Path) -> Losses:
    for name in _REQUIRED:
        if name not in columns:
            raise _fault(
                file, f"must have the columns {', '.join(_REQUIRED)}, but has no `{name}`: {near(name, columns)}"
            )
    if not columns["document"]:
        raise _fault(file, "must have a row per document, but has none")
    documents = [str(value) for _, value in _rows(columns, "document", file)]
    _check_unique(documents, file)
    return Losses(
        documents=tuple(documents),
        nll=_sums(columns, "nll", file),
        n_tokens=_counts(columns, "n_tokens", file),
        n_bytes=_counts(columns, "n_bytes", file) if "n_bytes" in columns else None,
        entropy=_sums(columns, "entropy", file) if "entropy" in columns else None,
    )


def _check_unique(documents: list[str], file: Path) -> None:
    first: dict[str, int] = {}
    for row, document in enumerate(documents, 1):
        if document in first:
            raise _fault(
                file, f"must have one row per document, but {document!r} stands in row {first[document]} and row {row}"
            )
        first[document] = row


def _rows(columns: Columns, name: str, file: Path) -> Iterator[tuple[int, Any]]:
    for row, value in enumerate(columns[name], 1):
        if value is None:
            raise _fault(
                file,
                f"must have a value in every row, but `{name}` is null in row {row}: "
                "a loss that is not a number is written NaN, which pandas turns into null",
            )
        yield row, value


def _sums(columns: Columns, name: str, file: Path) -> FloatArray:
    return np.array([_nats(value, name, row, file) for row, value in _rows(columns, name, file)])


def _nats(value: Any, name: str, row: int, file: Path) -> float:
    number = _number(value, name, row, file)
    if number < 0:
        advice = "negate log-likelihoods" if name == "nll" else "entropy is the mean of -ln p"
        raise _fault(file, f"must have sums of nats, 0 or more, but `{name}` is {number:g} in row {row}: {advice}")
    return number


def _counts(columns: Columns, name: str, file: Path) -> IntArray:
    return np.array([_count(value, name, row, file) for row, value in _rows(columns, name, file)], dtype=np.int64)


def _count(value: Any, name: str, row: int, file: Path) -> int:
    number = _number(value, name, row, file)
    if not (1 <= number <= _LARGEST and number == int(number)):
        raise _fault(file, f"must have whole numbers of at least 1 as `{name}`, but has {number:g} in row {row}")
    return int(number)


def _number(value: Any, name: str, row: int, file: Path) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _fault(file, f"must have numbers as `{name}`, but has {value!r:.80} in row {row}")


def _fault(file: Path, what: str) -> InputError:
    return InputError(f"the losses file {str(file)!r} {what}")


def _read_parquet(file: Path) -> Columns:
    return _columns_of(pa_parquet.read_table(io.BytesIO(file.read_bytes())))


def _read_arrow(file: Path) -> Columns:
    return _columns_of(pa_feather.read_table(io.BytesIO(file.read_bytes())))


def _read_csv(file: Path) -> Columns:
    options = pa_csv.ConvertOptions(
        column_types={"document": pa.string()}, null_values=_NOT_A_VALUE, strings_can_be_null=True
    )
    return _columns_of(pa_csv.read_csv(io.BytesIO(_utf8(file).encode()), convert_options=options))


def _columns_of(table: pa.Table) -> Columns:
    return {name: table.column(place).to_pylist() for place, name in enumerate(table.column_names)}


def _read_jsonl(file: Path) -> Columns:
    """Row by row, because Python's JSON writes NaN, which Arrow's reader refuses."""
    rows = [_row(line, number, file) for number, line in enumerate(_utf8(file).split("\n"), 1) if line.strip()]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _row(line: str, number: int, file: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _fault(file, f"must have one JSON object a line, but line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise _fault(file, f"must have one JSON object a line, but line {number} is a {type(row).__name__}")
    return row


def _utf8(file: Path) -> str:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _fault(
            file, f"must be UTF-8, but has the byte 0x{raw[error.start]:02x} at offset {error.start}: save it as UTF-8"
        ) from error
    if not text.strip():
        raise _fault(file, "must have a row per document, but is empty")
    return text


_READERS: dict[str, Callable[[Path], Columns]] = {
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
