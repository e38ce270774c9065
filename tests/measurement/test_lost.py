"""What was lost: counted slowly, in samples of which we took something away, and in real ones that lost nothing."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from building import make_assessment
from collapse_guard.corpus.lexicon import words
from collapse_guard.errors import InputError
from collapse_guard.measurement import lost as lost_module
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.measurement.phrases import FEWEST, Phrases
from collapse_guard.records import Assessment, LostItem
from collapse_guard.wildtype import WildType

texts_of_few_words = st.lists(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), max_size=12)


def runs(text, n):
    found = words(text)
    return [" ".join(found[i : i + n]) for i in range(len(found) - n + 1)]


def slow_counts(texts, n):
    return Counter(run for text in texts for run in runs(text, n))


def slow_documents(texts, n):
    return Counter(run for text in texts for run in set(runs(text, n)))


def corpus(seed, n=600, vocabulary=150):
    """Documents of a Zipf source in two topics, whose words differ."""
    rng = np.random.default_rng(seed)
    p = 1.0 / np.arange(1, vocabulary + 1)
    documents = []
    for i in range(n):
        size = rng.integers(20, 60)
        drawn = rng.choice(vocabulary, size, p=p / p.sum())
        topic = "blue" if i % 4 == 0 else "red"
        documents.append(" ".join(f"{topic if word % 3 == 0 else 'w'}{word}" for word in drawn))
    return documents


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit(corpus(0), embedding_dim=16, near_duplicate_threshold=1.0)


def without(text, *gone):
    return " ".join(word for word in text.split() if word not in gone)


def of_kind(items, kind):
    return [item for item in items if item.kind == kind]


@given(texts_of_few_words, texts_of_few_words)
def test_phrases_are_counted_as_slowly_by_hand(real, samples):
    phrases = Phrases.of(real)
    for n, (level, (observed, total)) in enumerate(zip(phrases.tables, phrases.count(samples), strict=True), 1):
        counts, documents, sampled = slow_counts(real, n), slow_documents(real, n), slow_counts(samples, n)
        kept = {run for run in counts if documents[run] >= FEWEST}
        found = [phrases.text(n, i) for i in range(len(level.keys))]
        assert set(found) == kept
        assert len(found) == len(kept)
        assert level.counts.tolist() == [counts[run] for run in found]
        assert level.documents.tolist() == [documents[run] for run in found]
        assert observed.tolist() == [sampled[run] for run in found]
        assert (level.total, total) == (sum(counts.values()), sum(sampled.values()))


def test_a_phrase_never_crosses_into_the_next_document():
    phrases = Phrases.of(["one two", "three four"] * 5)
    assert [phrases.text(2, i) for i in range(len(phrases.tables[1].keys))] == ["one two", "three four"]


def test_a_topic_that_vanished_is_named_with_its_counts(wild_type):
    samples = [text for text in corpus(1, n=800) if "blue" not in text]
    items = what_was_lost(wild_type, samples, most=50)
    real, sampled = slow_counts([*wild_type.evaluation, *wild_type.pool], 1), slow_counts(samples, 1)
    scale = sum(sampled.values()) / sum(real.values())
    assert {item.what[:4] for item in of_kind(items, "word")} == {"blue"}
    for item in of_kind(items, "word"):
        assert item.real_count == real[item.what]
        assert item.expected == pytest.approx(real[item.what] * scale)
        assert item.observed == sampled[item.what] == 0
    expected = [item.expected for item in of_kind(items, "word")]
    assert max(expected) == expected[0] == pytest.approx(max(real[w] for w in real if w.startswith("blue")) * scale)
    assert of_kind(items, "cluster")
    assert all((item.cluster is not None) == (item.kind == "cluster") for item in items)
    assert all("blue" in item.what for item in of_kind(items, "document"))
    assert of_kind(items, "document")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [40, 400, 1600])
def test_real_text_has_lost_next_to_nothing(wild_type, seed, size):
    assert len(what_was_lost(wild_type, corpus(10 + seed, n=size))) <= 1


def test_a_word_that_is_only_rarer_stands_after_those_that_are_gone(wild_type):
    rarer = [without(text, *(["w1", "w20"] if i % 50 else ["w20"])) for i, text in enumerate(corpus(1, n=800))]
    first, second = of_kind(what_was_lost(wild_type, rarer), "word")
    assert (first.what, first.observed, second.what) == ("w20", 0, "w1")
    assert first.expected < second.expected
    assert 0 < second.observed < second.expected / 4


def test_a_word_that_is_seen_half_as_often_is_not_lost_however_sure_that_is(wild_type):
    halved = [without(text, "w1") if i % 2 else text for i, text in enumerate(corpus(1, n=1600))]
    assert not [item for item in what_was_lost(wild_type, halved) if item.kind == "word"]


def test_the_chance_is_that_of_the_exact_conditional_test_in_bursts(wild_type):
    samples = [without(text, "w20") if i % 50 == 0 else without(text, "w1", "w20") for i, text in enumerate(corpus(1))]
    texts = [*wild_type.evaluation, *wild_type.pool]
    counts, documents = slow_counts(texts, 1), slow_documents(texts, 1)
    items = of_kind(what_was_lost(wild_type, [text for text in samples if "blue" not in text], most=1000), "word")
    for item in items:
        scale, burst = item.expected / item.real_count, counts[item.what] / documents[item.what]
        fallen = math.ceil(item.observed / burst)
        by_hand = stats.binom.cdf(fallen, documents[item.what] + fallen, scale / (1.0 + scale))
        np.testing.assert_allclose(item.chance, by_hand, rtol=1e-11)
    assert {item.observed > 0 for item in items} == {True, False}


def test_a_word_that_one_document_repeats_is_not_missed():
    """Sixty occurrences in three documents are three events, not sixty."""
    documents = corpus(0)
    bursty = [*documents[:-3], *(f"{text} {'kossuth ' * 20}" for text in documents[-3:])]
    steady = [f"{text} kossuth" if i < 60 else text for i, text in enumerate(documents)]
    for texts, is_lost in ((bursty, False), (steady, True)):
        wild_type = WildType.fit(texts, embedding_dim=4, near_duplicate_threshold=1.0)
        named = [item.what for item in what_was_lost(wild_type, corpus(1)) if item.kind == "word"]
        assert ("kossuth" in named) == is_lost


def test_a_phrase_is_lost_only_where_its_words_are_not():
    documents = [f"alpha beta gamma delta {text}" if i % 2 else text for i, text in enumerate(corpus(0))]
    wild_type = WildType.fit(documents, embedding_dim=4, near_duplicate_threshold=1.0)
    swapped = [text.replace("alpha beta", "beta alpha") for text in documents]
    named = {(item.kind, item.what) for item in what_was_lost(wild_type, swapped)}
    assert ("2-gram", "alpha beta") in named
    assert not any("alpha beta" in what for kind, what in named if kind == "3-gram")
    missing = [text.replace("alpha ", "") for text in documents]
    named = {(item.kind, item.what) for item in what_was_lost(wild_type, missing)}
    assert {what for _, what in named if "alpha" in what} == {"alpha"}


def test_each_kind_is_cut_and_says_how_many_there_were(wild_type):
    samples = [text for text in corpus(1, n=800) if "blue" not in text]
    whole, cut = what_was_lost(wild_type, samples, most=10_000), what_was_lost(wild_type, samples, most=3)
    for kind, items in itertools.groupby(cut, key=lambda item: item.kind):
        everything = of_kind(whole, kind)
        assert list(items) == everything[:3]
        assert {item.lost_in_all for item in everything} == {len(everything)}
    kinds = [item.kind for item in whole]
    assert kinds == sorted(kinds, key=["word", "2-gram", "3-gram", "cluster", "document"].index)


def test_the_order_of_samples_does_not_matter(wild_type):
    samples = [text for text in corpus(1) if "blue" not in text]
    assert what_was_lost(wild_type, samples[::-1]) == what_was_lost(wild_type, samples)


def test_ids_and_texts_and_given_embeddings_say_the_same(wild_type):
    samples = [text for text in corpus(1) if "blue" not in text]
    items = what_was_lost(wild_type, samples)
    assert what_was_lost(wild_type, wild_type.encode(samples)) == items
    given_alone = what_was_lost(wild_type, samples, embeddings=wild_type.embed(samples))
    assert [item.what for item in given_alone] == [item.what for item in items]
    kinds = {item.kind for item in what_was_lost(wild_type, None, embeddings=wild_type.embed(samples))}
    assert kinds <= {"cluster", "document"}


def test_vectors_have_clusters_and_rows(rng):
    wild_type = WildType.fit_arrays(rng.normal(size=(3000, 2)))
    samples = rng.normal(size=(3000, 2))
    assert len(what_was_lost(wild_type, samples)) <= 2
    items = what_was_lost(wild_type, samples[samples[:, 0] < 0.5], most=1000)
    clusters, rows = of_kind(items, "cluster"), of_kind(items, "document")
    assert clusters
    assert rows
    assert all(wild_type.evaluation_vectors[int(item.what.removeprefix("row "))][0] > 0 for item in items)
    counts = np.bincount(wild_type.geometry.assign(wild_type.evaluation_vectors))
    assert {item.real_count for item in clusters} <= set(counts.tolist())
    beyond = [item for item in rows if not item.observed]
    assert rows[: len(beyond)] == beyond


def test_the_ball_of_a_document_is_counted_as_by_hand(rng):
    wild_type = WildType.fit_arrays(rng.normal(size=(400, 3)) + 100.0)
    real, samples = wild_type.evaluation_vectors, rng.normal(size=(2000, 3)) + 100.0
    samples = samples[rng.random(2000) < np.select([samples[:, 0] < 100.3, samples[:, 0] < 100.7], [1.0, 0.1])]
    items = of_kind(what_was_lost(wild_type, samples, most=1000), "document")
    found = {int(item.what.removeprefix("row ")): item for item in items}
    [k], farness = {item.real_count for item in items}, {}
    scale = len(samples) / (len(real) - 1)
    for i, point in enumerate(real):
        radius = np.sort(np.linalg.norm(np.delete(real, i, axis=0) - point, axis=1))[k - 1]
        distances = np.linalg.norm(samples - point, axis=1)
        inside, farness[i] = (distances <= radius).sum(), distances.min() / radius
        chance = stats.binom.cdf(inside, k + inside, scale / (1.0 + scale))
        assert (i in found) == (inside <= k * scale / 4 and chance <= 0.05 / len(real))
        assert i not in found or found[i].observed == inside
    absent = [farness[i] for i, item in found.items() if not item.observed]
    assert absent == sorted(absent, reverse=True)
    assert 3 < len(absent) < len(items)


def test_equal_points_are_at_distance_zero_far_from_the_origin(rng):
    """Their balls have no radius, so none of them is farther from the samples than another: they keep their order."""
    wild_type = WildType.fit_arrays(np.repeat(1e8 * rng.normal(size=(40, 67)), 30, axis=0))
    rows = of_kind(what_was_lost(wild_type, rng.normal(size=(1200, 67)), most=1000), "document")
    assert [item.what for item in rows] == [f"row {i}" for i in range(len(wild_type.evaluation_vectors))]


def test_rows_that_are_not_finite_are_left_out_and_no_samples_lose_nothing(wild_type, rng):
    vectors = WildType.fit_arrays(rng.normal(size=(500, 2)))
    assert what_was_lost(vectors, np.full((300, 2), np.nan)) == ()
    assert what_was_lost(wild_type, []) == ()
    assert what_was_lost(wild_type, None) == ()


def test_without_its_embedder_a_wild_type_still_has_words(tmp_path):
    def embedder(texts):
        return np.array([[len(text), text.count("blue")] for text in texts], dtype=float)

    fitted = WildType.fit(corpus(0), embedder=embedder, near_duplicate_threshold=1.0)
    bare = WildType.load(fitted.save(tmp_path / "wild-type"))
    samples = [text for text in corpus(1) if "blue" not in text]
    for first, second in ((bare, fitted), (fitted, bare)):
        assert of_kind(what_was_lost(first, samples), "word") == of_kind(what_was_lost(second, samples), "word") != []
    assert {item.kind for item in what_was_lost(bare, samples)} <= {"word", "2-gram", "3-gram"}


def test_the_counts_of_a_wild_type_are_made_once(wild_type, monkeypatch):
    what_was_lost(wild_type, ["w1 w2"])
    monkeypatch.setattr(Phrases, "of", None)
    what_was_lost(wild_type, ["w1 w2"])


def test_a_long_document_is_shortened_on_one_line_between_words():
    kinds = {"long": "a\n\tlonger " * 100, "whole": "x" * 500, "short": " short\n"}
    texts = [text + str(i) if name == "short" else f"{text}{i}" for name, text in kinds.items() for i in range(40)]
    wild_type = WildType.fit(texts, embedder=lambda texts: np.ones((len(texts), 1)), near_duplicate_threshold=1.0)
    items = of_kind(what_was_lost(wild_type, None, embeddings=np.zeros((400, 1)), most=1000), "document")
    shown = {item.what for item in items}
    long, whole = ({text for text in shown if text.startswith(start)} for start in "ax")
    assert max(map(len, shown)) <= lost_module.SHOWN_CHARACTERS + 1
    assert {word for text in long for word in text.removesuffix("…").split()} == {"a", "longer"}
    assert all(text.endswith("…") for text in long)
    assert whole == {"x" * lost_module.SHOWN_CHARACTERS + "…"}
    assert shown - long - whole <= {f"short {i}" for i in range(40)} != set()


@pytest.mark.parametrize("most", [0, -1])
def test_a_table_of_nothing_is_refused(wild_type, most):
    with pytest.raises(InputError, match=r"`most` must be at least 1, but got"):
        what_was_lost(wild_type, [], most=most)


def test_records_without_it_still_load_and_with_it_come_back():
    assessment = make_assessment("x")
    old = assessment.to_dict()
    del old["lost"]
    assert Assessment.from_dict(old) == assessment
    item = LostItem(kind="word", what="<b>", real_count=9, expected=4.5, observed=0, chance=0.01, lost_in_all=3)
    told = assessment.model_copy(update={"lost": (item,)})
    assert Assessment.from_dict(told.to_dict()) == told
