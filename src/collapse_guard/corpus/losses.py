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

from pathlib import Path
from typing import Any

from collapse_guard.corpus.tables import number, read_columns, text
from collapse_guard.errors import InputError
from collapse_guard.evidence import Losses

_LARGEST = 2**63 - 1


def read_losses(path: str | Path) -> Losses:
    """Read losses from a parquet, arrow, feather, jsonl or csv file.

    Raises:
        InputError: The file cannot be read or lacks a column, or a value is null, not a number, a negative loss, less
            than one token or the same document again; the message names the file and the row (the line in `.jsonl`).
    """
    columns: dict[str, Any] = read_columns(
        Path(path),
        {"document": text, "nll": _nats, "n_tokens": _count},
        {"n_bytes": _count, "entropy": _nats},
        unique="document",
    )
    return Losses(documents=tuple(columns.pop("document")), **columns)


def _nats(name: str, value: Any) -> float:
    nats = number(name, value)
    if nats < 0:
        advice = "negate log-likelihoods" if name == "nll" else "entropy is the mean of -ln p"
        raise InputError(f"`{name}` must be a sum of nats, 0 or more, but got {nats:g}: {advice}")
    return nats


def _count(name: str, value: Any) -> int:
    count = number(name, value)
    if not (1 <= count <= _LARGEST and count == int(count)):
        raise InputError(f"`{name}` must be a whole number of at least 1, but got {count:g}")
    return int(count)
