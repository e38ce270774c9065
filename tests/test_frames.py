"""Tables in memory give the texts that the same table in a file gives, wherever texts are taken."""

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collapse_guard import Evidence, WildType, read_samples
from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.measurement.measure import measure
from collapse_guard.reinjection import curate

TEXTS = ["We the people", None, " \t", "of the United States", ""]
FILLED = ["We the people", "", "", "of the United States", ""]
NUMBERS = range(len(TEXTS))

TABLES = {
    "pandas": pd.DataFrame({"id": NUMBERS, "text": TEXTS}),
    "pandas of objects": pd.DataFrame({"id": NUMBERS, "text": pd.Series(TEXTS, dtype=object)}),
    "pandas with NA": pd.DataFrame({"text": pd.array(TEXTS, dtype="string")}),
    "pandas of Arrow": pd.DataFrame({"text": pd.array(TEXTS, dtype=pd.ArrowDtype(pa.string()))}),
    "pyarrow": pa.table({"id": NUMBERS, "text": TEXTS}),
    "pyarrow batch": pa.record_batch({"id": pa.array(NUMBERS), "text": pa.array(TEXTS)}),
    "datasets": datasets.Dataset.from_dict({"id": NUMBERS, "text": TEXTS}),
    "datasets in another order": datasets.Dataset.from_dict({"text": TEXTS[::-1]}).select(range(len(TEXTS))[::-1]),
    "datasets streamed": datasets.Dataset.from_dict({"text": TEXTS}).to_iterable_dataset(),
}
COLUMNS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "list with NaN": [float("nan") if text is None else text for text in TEXTS],
    "list with NA": [pd.NA if text is None else text for text in TEXTS],
    "array of objects": np.array(TEXTS, dtype=object),
    "pandas": TABLES["pandas"]["text"],
    "pandas with another index": TABLES["pandas"].set_index("id")["text"].iloc[::-1].iloc[::-1],
    "pyarrow": TABLES["pyarrow"]["text"],
    "pyarrow array": pa.array(TEXTS),
    "datasets": TABLES["datasets"]["text"],
}
every_table = pytest.mark.parametrize("given", [*TABLES.values(), *COLUMNS.values()], ids=[*TABLES, *COLUMNS])


@every_table
def test_samples_are_the_rows_of_a_table_and_empty_where_it_has_no_text(given):
    assert Evidence(samples=given).samples == ["" if text is None else text for text in TEXTS]


def test_the_same_table_in_a_file_gives_the_same_samples(tmp_path):
    pq.write_table(TABLES["pyarrow"], tmp_path / "samples.parquet")
    assert Evidence(samples=read_samples(tmp_path / "samples.parquet")).samples == FILLED


@pytest.mark.parametrize("kind", ["pandas", "pyarrow", "datasets", "list", "series"])
def test_a_wild_type_is_of_the_texts_of_a_table(kind):
    texts = [f"In {year} the Congress met for the {year - 1788}th time." for year in range(1790, 1830)]
    rows = {"id": range(42), "text": [*texts, None, " "]}
    given = {
        "pandas": lambda: pd.DataFrame(rows),
        "series": lambda: pd.Series(rows["text"]),
        "pyarrow": lambda: pa.table(rows),
        "datasets": lambda: datasets.Dataset.from_dict(rows),
        "list": lambda: rows["text"],
    }
    options = {"seed": 0, "near_duplicate_threshold": 1.0}
    assert WildType.fit(given[kind](), **options).fingerprint == WildType.fit(iter(texts), **options).fingerprint


def test_a_leak_in_a_table_is_found_and_its_samples_are_curated():
    texts = [f"In {year} the Congress met for the {year - 1788}th time." for year in range(1790, 1830)]
    wild_type = WildType.fit(texts, seed=0, near_duplicate_threshold=1.0)
    table = pd.DataFrame({"id": range(2), "text": [wild_type.pool[0], wild_type.evaluation[0]]})
    with pytest.raises(WildTypeError, match="but 1 have the same content"):
        wild_type.check_training(table, near=None)
    wild_type.check_training(table[:1], near=None)
    assert curate(pd.DataFrame({"text": ["one", wild_type.evaluation[0]]}), wild_type, rules=[]).places.tolist() == [0]


TABLE_FAULTS = {
    "pandas": pd.DataFrame({"id": [1], "body": ["a"]}),
    "pyarrow": pa.table({"id": [1], "body": ["a"]}),
    "datasets": datasets.Dataset.from_dict({"id": [1], "body": ["a"]}),
}


@pytest.mark.parametrize("given", TABLE_FAULTS.values(), ids=TABLE_FAULTS)
def test_a_table_without_texts_is_refused_with_its_columns(given):
    said = r"must have a column `text`, but the table has none of that name: .*Known: body, id\. Give the column that"
    with pytest.raises(InputError, match=f"`documents` {said}"):
        WildType.fit(given)
    wild_type = WildType.fit([f"document {i} of the wild type" for i in range(60)])
    with pytest.raises(InputError, match=f"`samples` {said}"):
        measure(wild_type, Evidence(samples=given))
    with pytest.raises(InputError, match=f"`samples` {said}"):
        what_was_lost(wild_type, given)


def test_two_columns_of_texts_are_refused_with_their_places():
    for given in (
        pd.DataFrame([["a", 1, "b"]], columns=["text", "id", "text"]),
        pa.table([pa.array(["a"]), pa.array([1]), pa.array(["b"])], names=["text", "id", "text"]),
    ):
        with pytest.raises(InputError, match="`samples` must have one column `text`, but columns 1 and 3 of the table"):
            Evidence(samples=given)


def test_a_mapping_is_not_read_as_its_keys():
    splits = datasets.DatasetDict({"train": TABLES["datasets"]})
    with pytest.raises(InputError, match=r"got a DatasetDict, whose items are its keys: .* `samples\['train'\]`"):
        Evidence(samples=splits)
    with pytest.raises(InputError, match=r"`documents` .* got a dict, whose items are .* `documents\['text'\]`"):
        WildType.fit({"text": TEXTS})


def test_what_is_no_text_stays_what_it_is():
    vectors = np.ones((3, 2))
    ids = [[3, 4], np.array([5])]
    assert Evidence(samples=vectors).samples is vectors
    assert Evidence(samples=ids).samples is ids
    np.testing.assert_array_equal(Evidence(samples=pd.DataFrame(vectors)).samples, vectors)
    assert Evidence(samples=pd.Series([[3, 4], [5]])).samples == [[3, 4], [5]]
