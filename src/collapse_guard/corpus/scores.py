"""Scores of a task from a file: a row per item, with `item` (its id) and `score` (from 0 to 1; NaN is kept)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from collapse_guard.corpus.tables import number, read_columns, text
from collapse_guard.errors import CorpusError, InputError
from collapse_guard.evidence import Scores


def read_scores(path: str | Path) -> Scores:
    """Read the scores of one task from a parquet, arrow, feather, jsonl or csv file.

    Raises:
        InputError: The file cannot be read or lacks a column, or a value is null, not a number from 0 to 1 or the same
            item again; the message names the file.
    """
    columns = read_columns(Path(path), {"item": text, "score": number}, unique="item")
    try:
        return Scores(values=np.array(columns["score"]), items=tuple(columns["item"]))
    except InputError as error:
        raise CorpusError(f"{path}: {error}") from error
