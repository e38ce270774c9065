"""Slices: kinds of documents, given or found, the same in every generation, each with enough documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.slices import FEWEST_DOCUMENTS, OTHER, Slices

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
    assert np.array_equal(slices.assign(wild_type.embed(wild_type.evaluation.texts)), slices.of_evaluation)
    fresh = documents_of(np.random.default_rng(1), {"court": 30})
    numbers = slices.assign(wild_type.embed([" ".join(text.split()[:12]) for text in fresh]))
    assert all(set(slices.names[number].split(", ")) <= set(TOPICS["court"]) for number in numbers)


def test_what_was_found_is_kept_and_found_again(wild_type: WildType, tmp_path: Path) -> None:
    path = wild_type.save(tmp_path / "wild")
    first, second = WildType.load(path).slices, WildType.load(path).slices
    again = replace(wild_type).slices
    assert (path / "made" / "slices.safetensors").exists()
    for slices in (first, second, again):
        assert slices.names == wild_type.slices.names
        assert np.array_equal(slices.of_evaluation, wild_type.slices.of_evaluation)
        assert np.array_equal(slices.centres, wild_type.slices.centres)
    assert WildType.load(path).fingerprint == wild_type.fingerprint


def test_few_documents_and_vectors_have_no_slices(topics: dict[str, str]) -> None:
    assert WildType.fit(list(topics)[:400], max_evaluation_documents=79).slices is None
    assert WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 2))).slices is None


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
