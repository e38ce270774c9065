"""Near duplicates: against all pairs on small corpora, and against the formula for what MinHash finds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.corpus import duplicates, minhash, shingles
from collapse_guard.corpus.duplicates import duplicate_labels, near_matches
from collapse_guard.corpus.lexicon import words
from collapse_guard.corpus.minhash import bands, candidates
from collapse_guard.corpus.shingles import jaccard, shingle_sets
from collapse_guard.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")

few_words = st.lists(st.sampled_from(["a", "B,", "a a a a"]), max_size=9).map(" ".join)
"""Texts that repeat their shingles."""


def slow_shingles(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + 5]) for i in range(max(1, len(found) - 4))} if found else set()


def slow_clusters(texts: Sequence[str], threshold: float) -> set[frozenset[int]]:
    """All pairs, exact similarity, joined one by one."""
    sets = [slow_shingles(text) for text in texts]
    clusters = {i: {i} for i in range(len(texts))}
    for i, j in combinations(range(len(texts)), 2):
        union = sets[i] | sets[j]
        if union and len(sets[i] & sets[j]) / len(union) >= threshold - 1e-12 and clusters[i] is not clusters[j]:
            clusters[i] |= clusters[j]
            for member in clusters[j]:
                clusters[member] = clusters[i]
    return {frozenset(cluster) for cluster in clusters.values()}


def clusters_of(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def mutated_corpus(seed: int, n: int = 120) -> list[str]:
    """Families of documents that share from all to half of their words."""
    rng = np.random.default_rng(seed)
    vocabulary = [f"w{i}" for i in range(300)]
    texts = []
    for _ in range(n // 6):
        base = rng.choice(vocabulary, rng.integers(3, 61)).tolist()
        for n_changes in (0, 0, 1, 2, 4, 8):
            changed = list(base)
            for _ in range(n_changes):
                changed[rng.integers(len(changed))] = str(rng.choice(vocabulary))
            texts.append(" ".join(changed))
    rng.shuffle(texts)
    return texts


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_those_of_all_pairs(threshold: float, seed: int) -> None:
    texts = mutated_corpus(seed)
    expected = slow_clusters(texts, threshold)
    assert clusters_of(duplicate_labels(texts, threshold=threshold, seed=seed)) == expected
    assert 1 < len(expected) < len(texts)


@given(st.lists(few_words, max_size=12), st.sampled_from([0.1, 0.5, 0.8, 1.0]))
def test_nothing_below_the_threshold_is_joined(texts: list[str], threshold: float) -> None:
    labels = duplicate_labels(texts, threshold=threshold)
    allowed = slow_clusters(texts, threshold)
    assert all(any(cluster <= whole for whole in allowed) for cluster in clusters_of(labels))


@given(st.lists(few_words, min_size=2, max_size=12))
def test_similarity_is_that_of_the_sets(texts: list[str]) -> None:
    pairs = list(combinations(range(len(texts)), 2))
    sets = [slow_shingles(text) for text in texts]
    expected = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) if sets[i] | sets[j] else np.nan for i, j in pairs]
    np.testing.assert_allclose(jaccard(shingle_sets(texts), np.array(pairs)), expected, rtol=1e-15)


def test_more_text_than_is_held_in_memory_has_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*mutated_corpus(4, n=300), "", "...", "a word", "a word"]
    held = [duplicate_labels(texts, threshold=threshold).tolist() for threshold in (0.3, 0.8)]
    monkeypatch.setattr(minhash, "_MOST_HELD", 0)
    monkeypatch.setattr(minhash, "_KEYS_IN_MEMORY", 64)
    monkeypatch.setattr(shingles, "TEXTS_AT_ONCE", 7)
    monkeypatch.setattr(duplicates, "_PAIRS_WAITING", 5)
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", 3)
    assert [duplicate_labels(texts, threshold=threshold).tolist() for threshold in (0.3, 0.8)] == held
    assert len(set(held[0])) < len(set(held[1])) < len(texts)


def test_labels_do_not_depend_on_the_order_of_documents() -> None:
    texts = mutated_corpus(7)
    order = np.random.default_rng(0).permutation(len(texts))
    labels = duplicate_labels(texts, seed=3)
    shuffled = duplicate_labels([texts[i] for i in order], seed=3)
    assert clusters_of(labels) == {frozenset(order[list(cluster)].tolist()) for cluster in clusters_of(shuffled)}


def test_labels_count_up_in_the_order_of_first_appearance() -> None:
    labels = duplicate_labels(mutated_corpus(1)).tolist()
    first_seen = list(dict.fromkeys(labels))
    assert first_seen == list(range(len(first_seen)))


def test_a_document_of_fewer_than_five_words_is_one_shingle() -> None:
    texts = ["Hear, hear!", "hear HEAR", "hear", "hear hear hear hear", "hear hear hear hear hear"]
    assert duplicate_labels(texts, threshold=0.1).tolist() == [0, 0, 1, 2, 3]


def test_documents_without_words_are_like_no_other() -> None:
    assert duplicate_labels(["...", "", "...", "a word"], threshold=0.1).tolist() == [0, 1, 2, 3]
    assert duplicate_labels([]).tolist() == []


def test_documents_longer_than_a_chunk_are_compared_whole() -> None:
    rng = np.random.default_rng(0)
    long = [str(number) for number in rng.integers(0, 10**6, 150_000)]
    near, far = [*long[:-9000], *reversed(long[-9000:])], [*long[:75_000], *reversed(long[75_000:])]
    assert duplicate_labels([" ".join(long), "short", " ".join(far), " ".join(near)]).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.35, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_detect_at_the_threshold_and_no_more_rows_would(threshold: float) -> None:
    n_bands, rows = bands(threshold)
    assert n_bands * rows <= 120
    assert 1 - (1 - threshold**rows) ** n_bands >= 0.999
    if rows < 120:
        assert 1 - (1 - threshold ** (rows + 1)) ** (120 // (rows + 1)) < 0.999


@pytest.mark.parametrize("shared", [20, 24, 30])
def test_a_pair_is_a_candidate_as_often_as_the_formula_says(shared: int) -> None:
    n_pairs, size = 1500, 40
    words_of_pair = [[f"{pair}x{i}" for i in range(2 * size - shared + 4)] for pair in range(n_pairs)]
    texts = [" ".join(part) for ids in words_of_pair for part in (ids[: size + 4], ids[size - shared :])]
    sets = shingle_sets(texts)
    every = np.arange(2 * n_pairs).reshape(-1, 2)
    similarity = shared / (2 * size - shared)
    np.testing.assert_allclose(jaccard(sets, every), similarity)
    n_bands, rows = bands(0.8)
    expected = 1 - (1 - similarity**rows) ** n_bands
    found = candidates(texts, 0.8, 0)
    hits = int(np.sum((found[:, 0] % 2 == 0) & (found[:, 1] == found[:, 0] + 1)))
    assert stats.binomtest(hits, n_pairs, expected).pvalue > 1e-4
    assert len(found) - hits < 10


def test_a_template_shared_by_thousands_stays_linear_and_whole() -> None:
    template = "in the matter of the petition to the senate and house it is hereby resolved that the sum of " * 2
    texts = [f"{template} {i} dollars" for i in range(4000)]
    n_bands, _ = bands(0.8)
    assert len(candidates(texts, 0.8, 0)) <= n_bands * 9 * len(texts)
    assert set(duplicate_labels(texts).tolist()) == {0}


def slow_matches(texts: Sequence[str], known: Sequence[str], threshold: float) -> list[tuple[str, int, float]]:
    """All pairs, exact similarity, the first nearest one."""
    found = []
    for text in texts:
        own = slow_shingles(text)
        others = [slow_shingles(other) for other in known]
        similarity = [len(own & other) / max(1, len(own | other)) for other in others]
        if max(similarity, default=0.0) >= threshold - 1e-12:
            found.append((text, int(np.argmax(similarity)), max(similarity)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_matches_are_the_nearest_of_all_pairs(threshold: float, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = mutated_corpus(seed)
    texts, known = corpus[:80], [*corpus[80:], "...", corpus[81]]
    expected = slow_matches(texts, known, threshold)
    assert list(near_matches(texts, known, threshold=threshold)) == expected
    assert 0 < len(expected) < len(texts)
    monkeypatch.setattr(duplicates, "TEXTS_AT_ONCE", 7)
    monkeypatch.setattr(duplicates, "CELLS_AT_ONCE", 90)
    assert list(near_matches(texts, known, threshold=threshold)) == expected


@given(st.lists(few_words, max_size=9), st.lists(few_words, max_size=9), st.sampled_from([0.1, 0.5, 0.8, 1.0]))
def test_matches_of_texts_that_repeat_themselves_are_those_of_all_pairs(
    texts: list[str], known: list[str], threshold: float
) -> None:
    assert list(near_matches(texts, known, threshold=threshold)) == slow_matches(texts, known, threshold)


def test_all_of_a_template_are_matched() -> None:
    template = "in the matter of the petition to the senate and house it is hereby resolved that the sum of " * 2
    known = [f"{template} {i} dollars" for i in range(500)]
    found = list(near_matches((f"{template} {i} dollars" for i in range(1, 2000, 2)), known))
    assert [match.document for match in found] == [i if i < 500 else 0 for i in range(1, 2000, 2)]


def test_texts_are_read_a_chunk_at_a_time() -> None:
    texts = iter(["hear hear"] * 10_000)
    assert next(near_matches(texts, ["hear hear"])) == ("hear hear", 0, 1.0)
    assert len(list(texts)) > 8000


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_threshold_of_matches_out_of_range_is_refused_at_once(threshold: float) -> None:
    with pytest.raises(InputError, match=r"`threshold` must be a similarity from 0\.1 to 1, but got"):
        near_matches([], [], threshold=threshold)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 1.5, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=r"`threshold` must be a similarity from 0\.1 to 1, but got"):
        duplicate_labels(["a"], threshold=threshold)
