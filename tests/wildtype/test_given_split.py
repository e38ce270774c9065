"""A split into train and test that exists: all of test is for evaluation, and what train has of it is left out."""

from __future__ import annotations

from collections.abc import Callable

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
