"""Slices: kinds of documents, given or found, the same in every generation, each with enough documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.slices import FEWEST_DOCUMENTS, OTHER, Slices, slice_of_each

TOPICS = {
    "sea": ["ship", "harbour", "wave", "sailor", "anchor", "tide", "captain", "storm"],
    "court": ["judge", "verdict", "jury", "appeal", "lawyer", "plea", "bench", "oath"],
    "farm": ["plough", "barley", "cattle", "barn", "harvest", "meadow", "orchard", "mill"],
}


def documents_of(rng: np.random.Generator, sizes: dict[str, int]) -> dict[str, str]:
    """Text -> its topic; half of the words of all topics are the same."""
    shared = ["the", "of", "and", "was", "with", "from", "that", "for"]
    return {
        " ".join(np.ravel([rng.choice(TOPICS[topic], 12), rng.choice(shared, 12)])) + f" {topic}{i}": topic
        for topic, size in sizes.items()
        for i in range(size)
    }


@pytest.fixture(scope="module")
def topics() -> dict[str, str]:
    return documents_of(np.random.default_rng(0), {"sea": 900, "court": 500, "farm": 400})


@pytest.fixture(scope="module")
def wild_type(topics: dict[str, str]) -> WildType:
    return WildType.fit(list(topics), max_evaluation_documents=360, embedding_dim=8)


def test_clusters_are_the_kinds_that_there_are_and_are_named_by_their_words(
    wild_type: WildType, topics: dict[str, str]
) -> None:
    slices = wild_type.slices
    assert slices is not None
    assert not slices.is_given
    for number, name in enumerate(slices.names):
        here = [
            topics[text] for text, of in zip(wild_type.evaluation, slices.of_evaluation, strict=True) if of == number
        ]
        [(topic, n)] = Counter(here).most_common(1)
        assert n == len(here) == slices.sizes[number] >= FEWEST_DOCUMENTS
        assert set(name.split(", ")) <= set(TOPICS[topic])
    assert sum(slices.sizes) == len(wild_type.evaluation)


def test_a_sample_is_put_where_the_documents_like_it_are(wild_type: WildType, topics: dict[str, str]) -> None:
    slices = wild_type.slices
    assert slices is not None
    assert np.array_equal(slices.assign(wild_type.evaluation.texts), slices.of_evaluation)
    fresh = documents_of(np.random.default_rng(1), {"court": 30})
    numbers = slices.assign([" ".join(text.split()[:12]) for text in fresh])
    assert all(set(slices.names[number].split(", ")) <= set(TOPICS["court"]) for number in numbers)


def test_what_was_found_is_kept_and_found_again(wild_type: WildType, topics: dict[str, str], tmp_path: Path) -> None:
    path = wild_type.save(tmp_path / "wild")
    first, second = WildType.load(path).slices, WildType.load(path).slices
    again = replace(wild_type).slices
    assert (path / "made" / "slices.safetensors").exists()
    for slices in (first, second, again):
        assert slices.names == wild_type.slices.names
        assert np.array_equal(slices.of_evaluation, wild_type.slices.of_evaluation)
        assert np.array_equal(slices.assign(list(topics)), wild_type.slices.assign(list(topics)))
    assert WildType.load(path).fingerprint == wild_type.fingerprint


def test_few_documents_and_vectors_have_no_slices(topics: dict[str, str]) -> None:
    assert WildType.fit(list(topics)[:400], max_evaluation_documents=79).slices is None
    assert WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 2))).slices is None


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["", "en", "es", "fr", "de", OTHER]), min_size=1, max_size=40), st.integers(1, 30))
def test_each_given_slice_has_enough_documents_and_nothing_is_counted_twice(some: list[str], times: int) -> None:
    labels = [label for label in some for _ in range(times)]
    slices, counts = Slices.given(labels), Counter(labels)
    assert all(size >= FEWEST_DOCUMENTS for size in slices.sizes)
    assert sorted(slices.sizes, reverse=True) == list(slices.sizes)
    names = (*slices.names, "")
    for label, number in zip(labels, slices.of_evaluation, strict=True):
        expected = OTHER if label in slices.merged else label
        assert names[number] == (expected if expected in slices.names else "")
    assert all(counts[name] == n < FEWEST_DOCUMENTS for name, n in slices.merged.items())
    kept = {label for label, n in counts.items() if label and n >= FEWEST_DOCUMENTS}
    assert kept <= set(slices.names) <= kept | {OTHER}
    assert (OTHER in slices.names) is (counts[OTHER] + sum(slices.merged.values()) >= FEWEST_DOCUMENTS)


def labelled(topics: dict[str, str], **changes: object) -> WildType:
    return WildType.fit(list(topics), slices=topics.values(), max_evaluation_documents=360, embedding_dim=8, **changes)


@pytest.fixture(scope="module")
def sliced(topics: dict[str, str]) -> WildType:
    return labelled(topics)


def test_each_kind_that_was_given_has_its_share_of_the_evaluation_documents(
    sliced: WildType, topics: dict[str, str]
) -> None:
    slices = sliced.slices
    assert slices is not None
    assert slices.is_given
    assert (slices.names, slices.sizes, slices.merged) == (("sea", "court", "farm"), (180, 100, 80), {})
    assert slice_of_each(sliced) == {
        key: topics[text] for key, text in zip(sliced.evaluation.hashes, sliced.evaluation, strict=True)
    }


def test_samples_are_put_into_the_kinds_that_were_given(sliced: WildType) -> None:
    slices = sliced.slices
    assert slices is not None
    fresh = documents_of(np.random.default_rng(2), {"court": 20, "farm": 20})
    numbers = slices.assign(list(fresh))
    assert [slices.names[number] for number in numbers] == list(fresh.values())
    assert Slices.given(["a"] * 50).assign(["any"]) is None


def test_kinds_that_were_given_are_read_again_and_are_part_of_the_fingerprint(
    sliced: WildType, wild_type: WildType, topics: dict[str, str], tmp_path: Path
) -> None:
    again = WildType.load(sliced.save(tmp_path / "wild"))
    assert again.fingerprint == sliced.fingerprint
    assert slice_of_each(again) == slice_of_each(sliced)
    assert [list(labels) for labels in again.contents.labels] == [list(labels) for labels in sliced.contents.labels]
    one = next(iter(topics))
    assert labelled({**topics, one: "court"}).fingerprint != sliced.fingerprint
    shuffled = dict(sorted(topics.items()))
    assert labelled(shuffled).fingerprint == sliced.fingerprint
    assert wild_type.contents.labels is None


def test_small_kinds_are_other_and_unlabelled_documents_are_of_none(topics: dict[str, str]) -> None:
    kinds = [f"farm {i % 4}" if topic == "farm" else topic for i, topic in enumerate(topics.values())]
    kinds = [None if kind == "court" else kind for kind in kinds]
    slices = WildType.fit(list(topics), slices=kinds, max_evaluation_documents=360, embedding_dim=8).slices
    assert slices.names == ("sea", OTHER)
    assert slices.merged == {f"farm {i}": 20 for i in range(4)}
    assert slices.sizes == (180, 80)
    assert int((slices.of_evaluation < 0).sum()) == 100


def test_a_text_of_two_kinds_is_of_the_first_by_the_alphabet_in_any_order(tmp_path: Path) -> None:
    texts = [f"document {i} of the wild type" for i in range(60)]
    rows = [(text, kind) for text in texts for kind in ("es", "en", "")]
    for order in (rows, rows[::-1]):
        wild_type = WildType.fit([text for text, _ in order], slices=[kind for _, kind in order])
        assert {name for labels in wild_type.contents.labels for name in labels} == {"en"}
        # The fingerprint is that of what was kept: no file tells of a label that no document has.
        assert WildType.load(wild_type.save(tmp_path / "wild")).fingerprint == wild_type.fingerprint


@pytest.mark.parametrize(
    "make",
    [
        lambda columns: pa.table(columns),
        lambda columns: pd.DataFrame(columns),
        lambda columns: datasets.Dataset.from_dict(columns),
    ],
)
def test_a_column_of_a_table_is_taken_by_its_name(make: Callable[[dict[str, list[object]]], object]) -> None:
    texts = [f"document {i} of the wild type" for i in range(60)]
    table = make({"text": texts, "year": [1900 + i % 2 if i < 50 else None for i in range(60)]})
    labels = WildType.fit(table, slices="year").contents.labels
    assert Counter([*labels[0], *labels[1]]) == {"1900": 25, "1901": 25, "": 10}


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (["en"] * 59, "`slices` must be one for each document, but there are fewer than documents .from number 59"),
        (["en"] * 61, "`slices` must be one for each document, but there are more than documents .from number 60"),
        ("language", "got the name 'language', and the documents are no table that has columns: give a list"),
        ([["en"]] * 60, "`slices`, document 0: a label must be a text or a number, but got a list"),
        (["e" * 201] * 60, "`slices`, document 0: a label must have at most 200 characters, but got 201"),
        (["\ud800"] * 60, "`slices`, document 0: a label must have a UTF-8 form"),
    ],
)
def test_slices_that_fit_no_documents_are_refused(slices: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        WildType.fit([f"document {i}" for i in range(60)], slices=slices)


def test_a_column_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    table = pa.table({"text": ["We the people"], "language": ["en"]})
    with pytest.raises(InputError, match="it has none of the name 'langage': did you mean `language`"):
        WildType.fit(table, slices="langage")
