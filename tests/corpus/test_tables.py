"""One table, written to every format by other libraries, is read as the same columns; faults are named with place."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus.arrow import read_arrow
from collapse_guard.corpus.formats import TABLES
from collapse_guard.corpus.tables import number, read_columns, text
from collapse_guard.errors import CorpusError


def write_jsonl(frame, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")), encoding="utf-8")


WRITERS = {
    ".arrow": lambda frame, path: pyarrow.feather.write_feather(pa.Table.from_pandas(frame), str(path)),
    ".csv": lambda frame, path: frame.to_csv(path, index=False, na_rep="NaN"),
    ".feather": lambda frame, path: frame.to_feather(path),
    ".json": lambda frame, path: path.write_text(json.dumps(frame.to_dict("records")), encoding="utf-8"),
    ".jsonl": write_jsonl,
    ".ndjson": write_jsonl,
    ".parquet": lambda frame, path: frame.to_parquet(path, row_group_size=3),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, na_rep="NaN", sep="\t"),
}
every_extension = pytest.mark.parametrize("extension", WRITERS)
names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


def read_scores(path):
    return read_columns(path, {"item": text, "score": number}, {"weight": number}, unique="item")


def test_every_extension_is_tried():
    assert tuple(WRITERS) == TABLES


@pytest.mark.slow
@every_extension
@given(
    items=st.lists(names.map(lambda name: f"q{name}"), min_size=1, max_size=9, unique=True),
    scores=st.lists(st.floats(width=64, allow_nan=False), min_size=9, max_size=9),
)
def test_columns_are_what_was_written_also_beside_others(tmp_path_factory, extension, items, scores):
    path = tmp_path_factory.mktemp("tables") / f"scores{extension}"
    frame = pd.DataFrame({"note": "x", "score": scores[: len(items)], "item": items})
    WRITERS[extension](frame, path)
    assert read_scores(path) == {"item": items, "score": scores[: len(items)]}


@every_extension
def test_more_rows_than_a_batch_keep_their_order_and_what_is_not_finite(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    scores = [float(i) for i in range(3000)] + [math.inf, -math.inf]
    frame = pd.DataFrame({"item": range(3002), "score": scores, "weight": 0.5})
    WRITERS[extension](frame, path)
    columns = read_scores(path)
    assert columns["item"] == [str(i) for i in range(3002)]
    np.testing.assert_array_equal(columns["score"], scores)
    assert columns["weight"] == [0.5] * 3002


@every_extension
def test_places_are_counted_on_from_batch_to_batch(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    items = [f"q{i}" for i in range(2501)]
    items[2500] = items[40]
    WRITERS[extension](pd.DataFrame({"item": items, "score": 1.0}), path)
    place = "line" if extension in (".jsonl", ".ndjson") else "row"
    with pytest.raises(CorpusError, match=f"but 'q40' stands in {place} 41 and {place} 2501$"):
        read_scores(path)


@every_extension
def test_a_name_that_stands_twice_is_refused_with_both_places(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    WRITERS[extension](pd.DataFrame({"item": ["a", "b", "a"], "score": 1.0}), path)
    place = "line" if extension in (".jsonl", ".ndjson") else "row"
    with pytest.raises(CorpusError, match=f"one row per `item`, but 'a' stands in {place} 1 and {place} 3"):
        read_scores(path)


@every_extension
def test_a_missing_column_is_answered_with_the_nearest(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    WRITERS[extension](pd.DataFrame({"item": ["a"], "scores": [1.0]}), path)
    with pytest.raises(
        CorpusError, match="must have a column `score`, but has none of that name: did you mean `scores`"
    ):
        read_scores(path)


@every_extension
def test_a_value_that_its_parser_refuses_is_named_with_its_place(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    WRITERS[extension](pd.DataFrame({"item": ["a", "b"], "score": ["1.5", "passed"]}), path)
    place = "line" if extension in (".jsonl", ".ndjson") else "row"
    with pytest.raises(
        CorpusError, match=rf"scores\{extension}, {place} 2: `score` must be a number, but got 'passed'"
    ):
        read_scores(path)


@pytest.mark.parametrize("extension", [".arrow", ".feather", ".jsonl", ".parquet"])
def test_words_that_mean_null_in_csv_are_words_elsewhere(tmp_path, extension):
    path = tmp_path / f"scores{extension}"
    WRITERS[extension](pd.DataFrame({"item": ["null", "None", ""], "score": 1.0}), path)
    assert read_scores(path)["item"] == ["null", "None", ""]


@pytest.mark.parametrize("word", ["null", "NULL", "None", '""'])
def test_words_that_mean_null_in_csv_are_refused(tmp_path, word):
    path = tmp_path / "scores.csv"
    path.write_text(f"item,score\na,1\n{word},1\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="`item` is null in row 2"):
        read_scores(path)


def test_blank_lines_are_passed_over_and_lines_of_json_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "a.csv").write_text("item,score\n\na,1\n\nb,x\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="row 2: `score`"):
        read_scores(tmp_path / "a.csv")
    (tmp_path / "a.jsonl").write_text('{"item": "a", "score": 1}\n\n{"item": "b"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match="`score` is null in line 3"):
        read_scores(tmp_path / "a.jsonl")


def test_a_directory_and_a_cut_parquet_file_are_refused(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(CorpusError, match=r"a\.csv cannot be read: Is a directory"):
        read_scores(tmp_path / "a.csv")
    path = tmp_path / "cut.parquet"
    pd.DataFrame({"item": [f"{i:09d}" for i in range(5000)], "score": 1.0}).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(20_000) + whole[20_004:])
    with pytest.raises(CorpusError, match=r"cut\.parquet (cannot be read|must be a Parquet file)"):
        read_scores(path)


def test_a_dictionary_of_a_parquet_file_is_held_once(tmp_path):
    path = tmp_path / "topics.parquet"
    topics = [f"{i:04d}" * 250 for i in range(2000)]
    pq.write_table(pa.table({"topic": pa.array(topics * 10).dictionary_encode()}), path)
    before = pa.total_allocated_bytes()
    table = read_arrow(path, ["topic"])
    assert pa.total_allocated_bytes() - before < 2 * sum(map(len, topics))
    assert table["topic"].to_pylist() == topics * 10
