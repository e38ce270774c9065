"""A split into train and test that exists: all of test is for evaluation, and what train has of it is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus.documents import content_hash
from collapse_guard.errors import CollapseGuardWarning, CorpusError, InputError
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.splitting import split_given

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


@pytest.fixture(scope="module")
def sides(corpus: Corpus) -> tuple[list[str], list[str]]:
    texts = corpus(160)
    return texts[:120], texts[120:]


def test_all_of_test_is_for_evaluation_and_all_of_train_is_the_pool(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides
    wild_type = WildType.fit(train, evaluation=test)
    assert set(wild_type.evaluation) == set(test)
    assert set(wild_type.pool) == set(train)
    assert wild_type.settings.evaluation_fraction == 0.25


def test_documents_of_train_that_are_in_test_or_resemble_one_are_left_out_and_counted(
    sides: tuple[list[str], list[str]],
) -> None:
    train, test = sides
    alike, spaced = f"{test[0]} Applause", f" {test[1]}\n"
    said = r"3 of `documents` are in `evaluation` too, or resemble a document there, and left out of the pool: train on"
    with pytest.warns(CollapseGuardWarning, match=said) as caught:
        wild_type = WildType.fit([*train, alike, spaced, test[2], test[2]], evaluation=[*test, "", " "])
    assert caught[0].filename == __file__
    assert set(wild_type.evaluation.hashes) == {content_hash(text) for text in test}
    assert set(wild_type.pool) == set(train)
    with pytest.warns(CollapseGuardWarning, match="^1 of `documents` is in `evaluation` too"):
        WildType.fit([*train, alike], evaluation=test)


def test_blank_documents_are_on_no_side_and_are_not_counted(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides
    wild_type = WildType.fit([*train, "", " "], evaluation=[*test, "", "\n"])
    assert (len(wild_type.pool), len(wild_type.evaluation)) == (120, 40)


def test_the_order_of_either_side_does_not_matter_and_the_seed_orders_them(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides
    one, other = WildType.fit(train, evaluation=test), WildType.fit(train[::-1], evaluation=test[::-1])
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != WildType.fit(train, evaluation=test, seed=1).fingerprint
    assert sorted(one.evaluation) != list(one.evaluation)


def test_more_than_are_measured_on_are_on_no_side(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides
    wild_type = WildType.fit(train, evaluation=test, max_evaluation_documents=30)
    assert len(wild_type.evaluation) == 30
    assert set(wild_type.evaluation) < set(test)
    assert set(wild_type.pool) == set(train)


def test_each_slice_is_that_of_its_own_document(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides

    def labels(texts: list[str]) -> list[str]:
        return [text.split()[1] for text in texts]

    by_list = WildType.fit(train, evaluation=iter(test), slices=[*labels(train), *labels(test)])
    tables = [pd.DataFrame({"text": texts, "who": labels(texts)}) for texts in (train, test)]
    by_name = WildType.fit(tables[0], evaluation=tables[1], slices="who")
    assert by_list.fingerprint == by_name.fingerprint
    assert by_list.contents.labels is not None  # type: ignore[union-attr]
    here, there = by_list.contents.labels  # type: ignore[union-attr]
    assert list(here) == labels(list(by_list.evaluation))
    assert list(there) == labels(list(by_list.pool))
    with pytest.raises(InputError, match="there are fewer than documents"):
        WildType.fit(train, evaluation=test, slices=labels(train))


def test_what_is_no_list_of_texts_is_refused_by_its_name(sides: tuple[list[str], list[str]]) -> None:
    train, test = sides
    with pytest.raises(CorpusError, match="`evaluation` must be an iterable of str, but got one str"):
        WildType.fit(train, evaluation=test[0])
    with pytest.raises(CorpusError, match="`documents` must be an iterable of str, but got one str"):
        WildType.fit(train[0], evaluation=test)
    with pytest.raises(InputError, match=r"but 123 documents .*, of which 3 are in `evaluation`, give 3 and 120: give"):
        WildType.fit(train, evaluation=test[:3])


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40), st.integers(0, 40))
def test_no_cluster_is_on_both_sides(items: list[tuple[int, bool]], most: int) -> None:
    labels, is_given = (np.array(column) for column in zip(*items, strict=True))
    keys = [f"{place:03}" for place in range(len(items))]
    split = split_given(labels, keys, is_given, most=most, seed=0)
    held, pool = set(split.evaluation.tolist()), set(split.pool.tolist())
    assert held <= set(np.flatnonzero(is_given).tolist())
    assert len(held) <= most
    assert pool == {place for place, label in enumerate(labels) if label not in labels[is_given]}
    if most >= is_given.sum():
        assert len(held) == is_given.sum()


ROWS = np.random.default_rng(0).normal(size=(90, 3))
TRAIN, TEST = ROWS[:70], ROWS[70:]


def as_set(rows: np.ndarray) -> set[tuple[float, ...]]:
    return set(map(tuple, rows.tolist()))


def test_rows_that_are_given_for_evaluation_are_measured_on_and_all_others_are_the_pool() -> None:
    wild_type = WildType.fit_arrays(TRAIN, evaluation=TEST)
    assert as_set(wild_type.evaluation_vectors) == as_set(TEST)
    assert as_set(wild_type.pool_vectors) == as_set(TRAIN)
    assert wild_type.settings.evaluation_fraction == 20 / 90
    assert wild_type.settings.group_samples == WildType.fit_arrays(ROWS).settings.group_samples


def test_rows_that_are_in_both_are_left_out_of_the_pool_and_counted() -> None:
    said = r"^3 of `x` are in `evaluation` too and left out of the pool: train on `wild_type.pool_vectors`, which lacks"
    with pytest.warns(CollapseGuardWarning, match=said) as caught:
        wild_type = WildType.fit_arrays([*TRAIN, *TEST[:2], TEST[0]], evaluation=[*TEST, TEST[5]])
    assert caught[0].filename == __file__
    assert as_set(wild_type.pool_vectors) == as_set(TRAIN)
    assert len(wild_type.evaluation_vectors) == 21
    with pytest.warns(CollapseGuardWarning, match="^1 of `x` is in `evaluation` too"):
        WildType.fit_arrays([*TRAIN, TEST[0]], evaluation=TEST)


def test_the_order_of_the_rows_of_either_side_does_not_matter_and_the_seed_orders_them() -> None:
    one, other = WildType.fit_arrays(TRAIN, evaluation=TEST), WildType.fit_arrays(TRAIN[::-1], evaluation=TEST[::-1])
    assert one.fingerprint == other.fingerprint
    again = WildType.fit_arrays(TRAIN, evaluation=TEST, seed=1)
    assert again.fingerprint != one.fingerprint
    assert again.pool_vectors.tolist() != one.pool_vectors.tolist()


def test_images_that_are_split_already_are_rows_of_one_shape() -> None:
    images = np.random.default_rng(1).normal(size=(60, 2, 4, 4))
    wild_type = WildType.fit_arrays(images[:40], evaluation=images[40:])
    assert as_set(wild_type.evaluation_vectors) == as_set(images[40:].reshape(20, 32))
    for other, got in ((images[40:, :, :2], r"\(2, 2, 4\)"), (images[40:].reshape(20, 32), r"\(32,\)")):
        with pytest.raises(InputError, match=rf"`evaluation` must have items of the shape \(2, 4, 4\).* but got {got}"):
            WildType.fit_arrays(images[:40], evaluation=other)


def test_tables_that_are_split_already_share_their_columns_and_kinds() -> None:
    cities = [["Oslo", "Bern"][place % 2] for place in range(70)]
    train = pd.DataFrame({"age": TRAIN[:, 0], "city": cities})
    test = pd.DataFrame({"note": 1.0, "city": ["Rome"] * 20, "age": TEST[:, 0]})
    wild_type = WildType.fit_arrays(train, evaluation=test)
    assert wild_type.contents.labels == ("age", "city=Bern", "city=Oslo", "city=Rome")  # type: ignore[union-attr]
    assert wild_type.evaluation_vectors[:, 1:].tolist() == [[0.0, 0.0, 1.0]] * 20
    assert set(wild_type.pool_table["city"]) == {"Oslo", "Bern"}
    digits = pd.DataFrame({"age": [str(age) for age in TEST[:, 0]], "city": [7.0] * 20})
    alike = WildType.fit_arrays(train, evaluation=digits)
    assert sorted(alike.evaluation_vectors[:, 0].tolist()) == sorted(TEST[:, 0].tolist())
    assert alike.contents.labels[1] == "city=7"  # type: ignore[union-attr, index]
    with pytest.raises(InputError, match="`evaluation` must have the columns of the real table, but `age` is none of"):
        WildType.fit_arrays(train, evaluation=test.drop(columns="age"))
    with pytest.raises(InputError, match="`evaluation` must have a number in each row, but `age` lacks 1 of 20, the f"):
        WildType.fit_arrays(train, evaluation=test.assign(age=[None, *TEST[1:, 0]]))
    with pytest.raises(InputError, match="`x` must have a number in each row, but `age` lacks 1 of 70, the first in"):
        WildType.fit_arrays(train.assign(age=[*TRAIN[1:, 0], None]), evaluation=test)


def test_rows_that_cannot_be_used_are_refused_by_the_name_of_their_argument() -> None:
    with pytest.raises(InputError, match=r"`evaluation` must be finite, but 1 rows are not.* row 1"):
        WildType.fit_arrays(TRAIN, evaluation=[[0.0, 1.0, 2.0], [0.0, np.nan, 1.0]])
    with pytest.raises(InputError, match="`evaluation` must hold numbers, but got "):
        WildType.fit_arrays(TRAIN, evaluation=[["a", "b", "c"]])
    with pytest.raises(InputError, match=r"`evaluation` must be an n d array .* but got shape \(3,\)"):
        WildType.fit_arrays(TRAIN, evaluation=TEST[0])
    with pytest.raises(InputError, match="`evaluation` must be an array, as `x` is, but got a table with named colu"):
        WildType.fit_arrays(TRAIN, evaluation=pd.DataFrame({"a": [1.0]}))
    with pytest.raises(InputError, match="`evaluation` must be a table with named columns, as `x` is, but got an arr"):
        WildType.fit_arrays(pd.DataFrame({"a": TRAIN[:, 0]}), evaluation=TEST)
    with pytest.raises(InputError, match=r"of which 20 are in `evaluation`, give 20 and 0: give more .* `evaluation`$"):
        WildType.fit_arrays(TEST, evaluation=TEST)


def test_a_split_of_rows_that_exists_is_saved_and_read_back(tmp_path: Path) -> None:
    wild_type = WildType.fit_arrays(TRAIN, evaluation=TEST)
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    assert loaded.fingerprint == wild_type.fingerprint
    assert loaded.evaluation_vectors.tolist() == wild_type.evaluation_vectors.tolist()
