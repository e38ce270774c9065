"""Losses from a file: a row per wild-type document or per sample, with `document`, `nll` and `n_tokens`.

| column     | meaning                                                                                       |
|------------|-----------------------------------------------------------------------------------------------|
| `document` | id or number of the document, the same in every generation; of a sample its number, from 0    |
| `nll`      | negative log-likelihood in nats, summed over the document; NaN is kept as NaN                 |
| `n_tokens` | scored tokens of the document, at least 1                                                     |
| `n_bytes`  | UTF-8 bytes of the scored text, for bits per byte; may be left out                            |
| `entropy`  | entropies in nats of the next-token distributions, summed over the document; may be left out  |

Losses and entropies in another unit, and means per token, are converted if it is said what they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collapse_guard.corpus.tables import number, read_columns, text
from collapse_guard.errors import InputError
from collapse_guard.evidence import LARGEST_COUNT, Losses


def read_losses(path: str | Path, *, unit: str = "nats", per: str = "document") -> Losses:
    """Read losses from a parquet, arrow, feather, jsonl or csv file, as sums of nats over documents.

    Args:
        path: The file.
        unit: What its losses and entropies are in: "nats", "bits", or "log10" for logarithms to base 10.
        per: "document" where they are sums over documents, "token" where they are means per token.

    Raises:
        InputError: The file cannot be read or lacks a column, or a value is null, not a number, a negative loss, less
            than one token or the same document again; the message names the file and the row (the line in `.jsonl`).
    """
    columns: dict[str, Any] = read_columns(
        Path(path),
        {"document": text, "nll": _loss, "n_tokens": _count},
        {"n_bytes": _count, "entropy": _loss},
        unique="document",
    )
    return Losses(documents=tuple(columns.pop("document")), **columns).as_sums(unit=unit, per=per)


def _loss(name: str, value: Any) -> float:
    loss = number(name, value)
    if loss < 0:
        advice = "negate log-likelihoods" if name == "nll" else "entropy is the mean of -ln p"
        raise InputError(f"`{name}` must be 0 or more, but got {loss:g}: {advice}")
    return loss


def _count(name: str, value: Any) -> int:
    count = number(name, value)
    if not (1 <= count <= LARGEST_COUNT and count == int(count)):
        raise InputError(f"`{name}` must be a whole number from 1 to {LARGEST_COUNT:,}, but got {count:g}")
    return int(count)
