"""A wild type of a table: kinds count like one number, columns go by their names, and items of any shape are rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from collapse_guard import Evidence, WildType
from collapse_guard.errors import CollapseGuardWarning, InputError, WildTypeError
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.measurement.measure import measure
from collapse_guard.measurement.samples import row_samples

pytestmark = pytest.mark.filterwarnings("error")


def people(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    return pd.DataFrame(
        {
            "age": rng.normal(np.array([38.0, 52.0, 67.0, 25.0])[kind], 9.0),
            "city": np.array(["Oslo", "Bern", "Paris", "Rome"])[kind],
            "children": rng.poisson(1.5, n),
            "member": rng.random(n) < 0.3,
        }
    )


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "categories": lambda frame: frame.astype({"city": "category", "children": "Int64"}),
    "objects": lambda frame: frame.astype(object),
    "pyarrow": pa.Table.from_pandas,
    "datasets": datasets.Dataset.from_pandas,
}


@pytest.fixture(scope="module")
def wild_type() -> WildType:
    return WildType.fit_arrays(people())


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_the_same_in_each_library_and_in_any_order_of_its_rows(wild_type: WildType, form: str) -> None:
    given = FORMS[form](people().sample(frac=1.0, random_state=1))
    assert WildType.fit_arrays(given).fingerprint == wild_type.fingerprint
    assert measure(wild_type, Evidence(samples=FORMS[form](people(80, 1))), only=["vendi", "frechet"]) == measure(
        wild_type, Evidence(samples=people(80, 1)), only=["vendi", "frechet"]
    )


def test_each_column_of_the_table_has_a_variance_of_one(wild_type: WildType) -> None:
    variances = wild_type.measured(wild_type.pool_vectors).var(axis=0)
    age, *cities, children, member = variances
    assert len(cities) == 4
    assert [age, sum(cities), children, member] == pytest.approx([1.0] * 4)


def test_the_pool_comes_back_as_the_rows_of_the_table(wild_type: WildType) -> None:
    pool = pd.DataFrame(wild_type.pool_table)
    rows = set(people().astype({"children": float, "member": float}).itertuples(index=False, name=None))
    assert set(pool.itertuples(index=False, name=None)) < rows
    assert len(pool) == len(wild_type.pool_vectors) == 160
    array = WildType.fit_arrays(people()[["age", "children"]].to_numpy())
    with pytest.raises(InputError, match="needs a wild type of a table, but this one is of an array: use `pool_vec"):
        _ = array.pool_table


def test_a_saved_wild_type_knows_the_columns(wild_type: WildType, tmp_path: Path) -> None:
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    evidence = Evidence(samples=people(80, 1))
    assert measure(loaded, evidence, only=["vendi"]) == measure(wild_type, evidence, only=["vendi"])
    assert loaded.pool_table == wild_type.pool_table


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda kinds: kinds["columns"][1].update(values=["Bern", "Oslo", "Paris", "Rom"]), "was changed after it was"),
        (lambda kinds: kinds["columns"].pop(), "names 6 columns, but rows have 7"),
        (lambda kinds: kinds.update(columns=[]), "cannot be read"),
    ],
    ids=["another kind", "a column less", "none"],
)
def test_changed_columns_are_noticed(
    wild_type: WildType, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    file = wild_type.save(tmp_path / "wild-type") / "columns.json"
    kinds = json.loads(file.read_bytes())
    change(kinds)
    file.write_text(json.dumps(kinds))
    with pytest.raises(WildTypeError, match=said):
        WildType.load(file.parent)


def test_numbers_have_the_fingerprint_of_an_array_whatever_the_columns_are_called() -> None:
    numbers = people()[["age", "children"]]
    array = WildType.fit_arrays(numbers.to_numpy())
    assert WildType.fit_arrays(numbers, standardize=False).fingerprint == array.fingerprint
    assert WildType.fit_arrays(pd.DataFrame(numbers.to_numpy())).fingerprint == array.fingerprint
    standardized = WildType.fit_arrays(numbers.to_numpy(), standardize=True)
    assert WildType.fit_arrays(numbers).fingerprint == standardized.fingerprint != array.fingerprint


def test_columns_of_samples_go_by_their_names(wild_type: WildType) -> None:
    samples = people(80, 1)
    expected = measure(wild_type, Evidence(samples=samples), only=["frechet"])
    moved = samples[["member", "city", "age", "children"]].assign(number=range(80))
    assert measure(wild_type, Evidence(samples=moved), only=["frechet"]) == expected
    as_texts = samples.astype({"age": str, "children": str})
    assert measure(wild_type, Evidence(samples=as_texts), only=["frechet"]) == expected
    assert what_was_lost(wild_type, moved) == what_was_lost(wild_type, samples)
    with pytest.raises(InputError, match=r"the columns of the real table, but `city` is none of theirs: .*`City`"):
        measure(wild_type, Evidence(samples=samples.rename(columns={"city": "City"})))


def test_codes_that_were_read_as_numbers_are_the_same_kinds() -> None:
    rows = pd.DataFrame({"age": range(60), "code": ["8001", "3000"] * 30})
    wild_type = WildType.fit_arrays(rows)
    as_numbers = rows.astype({"code": int})
    assert measure(wild_type, Evidence(samples=as_numbers), only=["frechet"]) == measure(
        wild_type, Evidence(samples=rows), only=["frechet"]
    )


def test_a_kind_that_real_data_lack_is_told_and_is_far_from_all_kinds(wild_type: WildType) -> None:
    samples = people(80, 1)
    near = measure(wild_type, Evidence(samples=samples), only=["precision"])["precision"].value
    samples.loc[:19, "city"] = "Atlantis"
    said = "^`city` has a text that real data lack in 20 of 80 samples, such as 'Atlantis': it counts as one more"
    with pytest.warns(CollapseGuardWarning, match=said):
        far = measure(wild_type, Evidence(samples=samples), only=["precision"])["precision"].value
    assert far < near - 0.1
    with pytest.warns(CollapseGuardWarning, match="it counts as one more kind"):
        rows = wild_type.measured(row_samples(wild_type, samples))[:, 1:5]
    known, unknown = np.unique(rows[20:], axis=0), rows[:1]
    assert len(known) == 4
    assert cdist(known, unknown).ravel() == pytest.approx([pdist(known)[0]] * 4)


def test_a_number_that_is_missing_or_no_number_is_no_sample(wild_type: WildType) -> None:
    samples = people(80, 1).astype({"age": object})
    samples.loc[3, "age"], samples.loc[4, "age"] = None, "forty"
    said = "^`age` has no number in 2 of 80 samples, the first in row 3: nothing can be judged with these rows$"
    with pytest.warns(CollapseGuardWarning, match=said):
        vendi = measure(wild_type, Evidence(samples=samples), only=["vendi"])["vendi"]
    assert "2 of 80 vectors are not finite" in vendi.problem


def test_a_truth_that_is_written_as_a_text_is_one() -> None:
    """As a language model writes a table."""
    real = people().assign(member=lambda rows: rows["age"] > 40.0)
    written = real.assign(member=real["member"].astype(str))
    wild_type = WildType.fit_arrays(real)
    assert np.array_equal(row_samples(wild_type, written), row_samples(wild_type, real))


def test_rows_of_no_table_are_told_what_the_table_has(wild_type: WildType) -> None:
    rows = people(80, 1)
    with pytest.raises(InputError, match=r"must be a table with the columns of the real one \(`"):
        measure(wild_type, Evidence(samples=rows.to_numpy()))
    with pytest.raises(
        InputError, match=r"got a dict for each row: give a table, such as `pandas.DataFrame\(samples\)`"
    ):
        Evidence(samples=rows.to_dict("records"))


def test_a_table_of_few_kinds_has_all_of_them_on_both_sides() -> None:
    """Most rows are equal to others: were these kept together, whole kinds would be missing on one side."""
    rng = np.random.default_rng(0)
    kinds = pd.DataFrame({f"kind {i}": rng.choice(list("abc"), 1000, p=[0.5, 0.3, 0.2]) for i in range(3)})
    first, again = (WildType.fit_arrays(rows) for rows in (kinds, kinds.iloc[::-1]))
    assert first.fingerprint == again.fingerprint
    sides = [{tuple(row) for row in side.tolist()} for side in (first.evaluation_vectors, first.pool_vectors)]
    assert len(sides[1]) == 27
    assert sides[0] <= sides[1]
    assert len(sides[0]) >= 24


def test_a_text_that_is_missing_is_a_kind() -> None:
    rows = people()
    rows.loc[rows["city"] == "Rome", "city"] = None
    assert set(WildType.fit_arrays(rows).pool_table["city"]) == {"", "Bern", "Oslo", "Paris"}


def test_a_constant_column_is_named() -> None:
    wild_type = WildType.fit_arrays(people().assign(planet="Earth", moons=1))
    assert repr(wild_type).startswith("WildType(vectors, 40 for evaluation, 160 in the pool, 2 of 9 columns constant: ")
    assert "planet=Earth, moons" in repr(wild_type)
    samples = people(80, 1).assign(planet="Earth", moons=1)
    samples.loc[:9, "moons"] = 2
    with pytest.warns(CollapseGuardWarning, match="^column `moons` is constant in real data, but 10 of 80 samples"):
        measure(wild_type, Evidence(samples=samples), only=["vendi"])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"age": [1.0, None] * 50},
            "`x` must have a number in each row, but `age` lacks 50 of 100, the first in row 1",
        ),
        ({"born": pd.date_range("2020", periods=100)}, "columns of numbers or of texts, but `born` holds a Timestamp"),
        (
            {"name": [f"person {i}" for i in range(100)]},
            "`name` has 100 different texts in 100 rows, such as 'person 0'",
        ),
        ({"parts": [[1.0, 2.0]] * 100}, r"`parts` holds a list, \[1\.0, 2\.0\]: turn it into numbers"),
    ],
    ids=["missing", "dates", "names", "lists"],
)
def test_a_column_that_no_number_stands_for_is_named(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        WildType.fit_arrays(pd.DataFrame({"n": range(100), **columns}))


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="columns of different names, but 2 are 'a': rename them"):
        WildType.fit_arrays(pd.DataFrame(np.ones((30, 2)), columns=["a", "a"]))
    with pytest.raises(InputError, match="must have columns, but got a table without any"):
        WildType.fit_arrays(pd.DataFrame(index=range(30)))


def test_a_table_is_held_against_an_array_by_the_places_of_its_columns() -> None:
    numbers = people()[["age", "children"]]
    wild_type = WildType.fit_arrays(numbers.to_numpy())
    assert measure(wild_type, Evidence(samples=numbers), only=["frechet"]) == measure(
        wild_type, Evidence(samples=numbers.to_numpy()), only=["frechet"]
    )
    for samples, what in ((people()[["age", "city"]], "texts in `city`"), (people()[["age"]], "1 columns")):
        with pytest.raises(
            InputError, match=f"must be rows of 2 numbers, .* but got a table with {what}: fit the wild"
        ):
            measure(wild_type, Evidence(samples=samples))


def test_items_of_any_shape_are_rows_and_keep_the_order_of_their_axes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(80, 3, 4, 5))
    wild_type = WildType.fit_arrays(torch.tensor(images, requires_grad=True))
    assert wild_type.pool_vectors.shape == (64, 60)
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    expected = measure(loaded, Evidence(samples=images.reshape(80, 60)), only=["frechet"])
    assert measure(loaded, Evidence(samples=images), only=["frechet"]) == expected
    assert what_was_lost(loaded, images) == what_was_lost(loaded, images.reshape(80, 60))
    with pytest.raises(InputError, match=r"of the shape \(3, 4, 5\) of the real ones, but got \(4, 5, 3\): put their"):
        measure(loaded, Evidence(samples=images.transpose(0, 2, 3, 1)))
    flat = WildType.fit_arrays(images.reshape(80, 60))
    with pytest.raises(InputError, match=r"of the shape \(60,\) of the real ones, but got \(3, 4, 5\)"):
        measure(flat, Evidence(samples=images))
