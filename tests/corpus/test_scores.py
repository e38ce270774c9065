"""Scores of a task from a file."""

import json
import math

import pyarrow as pa
import pyarrow.parquet
import pytest

from collapse_guard.corpus.scores import read_scores
from collapse_guard.errors import InputError

ROWS = {"item": ["capital of France", "7", "last"], "score": [1.0, 0.25, math.nan]}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_items_and_scores_are_read_from_any_table(tmp_path, form):
    path = tmp_path / f"facts.{form}"
    if form == "parquet":
        pyarrow.parquet.write_table(pa.table(ROWS), path)
    elif form == "csv":
        path.write_text("item,score\ncapital of France,1\n7,0.25\nlast,NaN\n")
    else:
        rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)))
    scores = read_scores(path)
    assert scores.items == tuple(ROWS["item"])
    assert scores.values[:2].tolist() == [1.0, 0.25]
    assert math.isnan(scores.values[2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,score\na,83\n", "from 0 to 1, but got 83: divide by"),
        ("item,score\na,yes\n", "row 1: `score` must be a number, but got 'yes'"),
        ("item,score\na,1\na,0\n", "'a' stands in row 1 and row 2"),
        ("item,scores\na,1\n", "must have a column `score`.*did you mean `scores`"),
        ("item,score\na,\n", "`score` is null in row 1"),
        ("item,score\n", "at least one row"),
    ],
)
def test_an_invalid_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "facts.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"facts\.csv.*{message}"):
        read_scores(path)
