"""Novelty: against sets of tuples, on text that copies in every way that counts, and at the size of one generation."""

import copy
import functools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection

from collapse_guard.corpus.lexicon import words
from collapse_guard.errors import InputError
from collapse_guard.indicators.novelty.copies import CopiedNgrams, NearDuplicates, copied_ngrams, near_duplicates
from collapse_guard.indicators.novelty.excerpts import MOST_POSTINGS, NgramIndex, TrainingIndex

ids = st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=8)
texts = st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), max_size=8)


def grams(sequence, n):
    return [tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1)]


def slow_copied(generated, training, n):
    known = {gram for document in training for gram in grams(document, n)}
    found = [gram in known for sample in generated for gram in grams(sample, n)]
    return sum(found) / len(found) if found else math.nan


@functools.cache
def slow_shingles(text):
    found = words(text)
    return set(grams(found, 5)) or ({tuple(found)} if found else set())


def slow_contained(sample, documents, threshold):
    shingles = slow_shingles(sample)
    most = max((len(shingles & slow_shingles(document)) for document in documents), default=0)
    return bool(shingles) and most / len(shingles) >= threshold - 1e-12


@given(ids, ids, st.integers(1, 4))
def test_copied_ngrams_are_those_that_a_set_holds(generated, training, n):
    expected = slow_copied(generated, training, n)
    assert copied_ngrams(generated=generated, training=training, n=n) == pytest.approx(expected, nan_ok=True)
    found = NgramIndex.of(training, n).contained(generated)
    assert (found.mean() if len(found) else math.nan) == pytest.approx(expected, nan_ok=True)


def test_an_excerpt_is_copied_whole_and_a_changed_token_costs_n_ngrams():
    training = [list(range(100))]
    excerpt = list(range(20, 60))
    assert copied_ngrams(generated=[excerpt], training=training, n=8) == 1.0
    excerpt[20] = 1000
    assert copied_ngrams(generated=[excerpt], training=training, n=8) == (33 - 8) / 33


def test_no_ngram_of_two_documents_or_of_two_samples_counts():
    training = [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert copied_ngrams(generated=[[3, 4, 5, 6]], training=training, n=4) == 0.0
    assert not NgramIndex.of(training, 4).contained([[3, 4, 5, 6]]).any()
    assert len(NgramIndex.of(training, 4).contained([[1, 2], [3, 4]])) == 0


def test_a_repeated_copy_counts_each_time():
    assert copied_ngrams(generated=[[1, 2, 9, 1, 2]], training=[[1, 2]], n=2) == 0.5


def test_large_ids_and_the_longest_ngrams_are_exact():
    generated = [[2**31 - i for i in range(10)]]
    assert copied_ngrams(generated=generated, training=generated, n=8) == 1.0
    shifted = [[2**31 - 1 - i for i in range(8)]]
    assert copied_ngrams(generated=generated, training=shifted, n=8) == pytest.approx(1 / 3)


def test_without_training_data_nothing_is_copied_and_without_ngrams_there_is_no_share():
    assert copied_ngrams(generated=[[1, 2, 3]], training=[], n=2) == 0.0
    assert NgramIndex.of([], 2).contained([[1, 2, 3]]).tolist() == [False, False]
    assert math.isnan(copied_ngrams(generated=[[1, 2]], training=[[1, 2, 3]], n=3))


@pytest.mark.parametrize("n", [0, 9])
def test_an_order_out_of_range_is_refused(n):
    with pytest.raises(InputError, match=r"`n` must be from 1 to 8"):
        copied_ngrams(generated=[[1]], training=[[1]], n=n)
    with pytest.raises(InputError, match=r"`n` must be from 1 to 8"):
        NgramIndex.of([[1]], n)


@given(texts, texts, st.sampled_from([0.1, 0.5, 0.75, 0.8, 1.0]))
def test_near_duplicates_are_those_of_all_pairs(generated, training, threshold):
    expected = [slow_contained(sample, training, threshold) for sample in generated]
    assert TrainingIndex.of(training).contained(generated, threshold=threshold).tolist() == expected
    share = near_duplicates(generated=generated, training=training, threshold=threshold)
    assert share == pytest.approx(np.mean(expected) if expected else math.nan, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.3, 0.8, 1.0])
def test_long_texts_too_are_found_as_all_pairs_find_them(seed, threshold):
    rng = np.random.default_rng(seed)
    vocabulary = [f"w{i}" for i in range(40)]
    documents = [rng.choice(vocabulary, rng.integers(20, 90)).tolist() for _ in range(40)]
    samples = []
    for i in range(120):
        document = documents[rng.integers(len(documents))]
        start = rng.integers(len(document))
        sample = document[start : start + 30]
        for place in rng.integers(len(sample), size=i % 6):
            sample[place] = vocabulary[rng.integers(40)]
        samples.append(" ".join(sample))
    joined = [" ".join(document) for document in documents]
    expected = [slow_contained(sample, joined, threshold) for sample in samples]
    assert TrainingIndex.of(joined).contained(samples, threshold=threshold).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_an_exact_excerpt_of_a_third_of_a_document_is_found_where_jaccard_is_a_third():
    document = [f"w{i}" for i in range(150)]
    excerpt = " ".join(document[50:104])
    sets = slow_shingles(excerpt), slow_shingles(" ".join(document))
    assert len(sets[0] & sets[1]) / len(sets[0] | sets[1]) < 0.35
    assert near_duplicates(generated=[excerpt], training=[" ".join(document)], threshold=1.0) == 1.0


def test_halves_of_two_documents_are_an_excerpt_of_neither():
    one, other = ([f"{letter}{i}" for i in range(50)] for letter in "ab")
    sample = " ".join(one[:25] + other[:25])
    training = [" ".join(one), " ".join(other)]
    assert near_duplicates(generated=[sample], training=training, threshold=0.5) == 0.0
    assert near_duplicates(generated=[sample], training=training, threshold=0.4) == 1.0


def test_case_and_punctuation_hide_no_copy():
    assert (
        near_duplicates(generated=["WE, the people -- of the: States!"], training=["We the people of the States"]) == 1
    )


def test_a_sample_without_words_is_a_copy_of_nothing_and_counts_as_a_sample():
    assert near_duplicates(generated=["...", "", "hear hear"], training=["...", "hear, hear!"]) == pytest.approx(1 / 3)
    assert near_duplicates(generated=["a"], training=[]) == 0.0
    assert math.isnan(near_duplicates(generated=[], training=["a"]))


def test_the_order_of_documents_matters_not_even_beyond_the_cap():
    """Two formulas stand in too many documents each; which one document has both is then a matter of luck."""
    documents, samples = [], []
    for family in range(12):
        one, other = (" ".join(f"{letter}{family}x{i}" for i in range(12)) for letter in "ab")
        alone = range(2 * MOST_POSTINGS)
        documents += [f"{part} {family} {letter} {i}" for letter, part in (("a", one), ("b", other)) for i in alone]
        documents.append(f"{one} {family} {other}")
        samples.append(f"{one} {other}")
    found = TrainingIndex.of(documents).contained(samples, threshold=0.8)
    shuffled = np.random.default_rng(0).permutation(documents).tolist()
    assert TrainingIndex.of(shuffled).contained(samples, threshold=0.8).tolist() == found.tolist()
    assert 0 < found.sum() < len(found)
    assert TrainingIndex.of(documents[-1:]).contained(samples[-1:], threshold=0.8).all()


def test_a_formula_of_many_documents_hides_no_copy_that_has_a_part_of_its_own():
    documents, samples = [], []
    for family in range(12):
        formula = " ".join(f"f{family}x{i}" for i in range(40))
        documents += [f"{formula} {family} and {i}" for i in range(4 * MOST_POSTINGS)]
        documents.append(f"{formula} {' '.join(f'own{family}x{i}' for i in range(20))}")
        samples.append(f"{formula} {' '.join(f'own{family}x{i}' for i in range(12))}")
    assert TrainingIndex.of(documents).contained(samples, threshold=0.8).all()


def test_text_that_thousands_of_documents_share_is_found_in_linear_time():
    template = " ".join(f"t{i}" for i in range(60))
    index = TrainingIndex.of(f"{template} {i} dollars" for i in range(3000))
    assert index.contained([f"{template} and {i} cents" for i in range(300)]).all()


@pytest.mark.parametrize("threshold", [0.0, 1.01, math.nan])
def test_a_threshold_out_of_range_is_refused_by_function_and_metric(threshold):
    with pytest.raises(InputError, match=r"`threshold` must be above 0 and at most 1, but got"):
        near_duplicates(generated=["a"], training=["a"], threshold=threshold)
    with pytest.raises(InputError, match=r"`threshold` must be above 0 and at most 1, but got"):
        NearDuplicates(TrainingIndex.of(["a"]), threshold=threshold)


def test_a_single_text_is_refused_where_a_collection_is_meant():
    with pytest.raises(InputError, match=r"`documents` must be a sequence of texts, but got one str"):
        TrainingIndex.of("a b c")
    with pytest.raises(InputError, match=r"`texts` must be a sequence of texts, but got one str"):
        TrainingIndex.of(["a b c"]).contained("a b c")


def test_a_training_set_in_place_of_its_index_is_refused():
    with pytest.raises(InputError, match=r"`index` must be an NgramIndex, but got a list: use `NgramIndex.of`"):
        CopiedNgrams([[1, 2]])
    with pytest.raises(InputError, match=r"`index` must be a TrainingIndex, but got a list: use `TrainingIndex.of`"):
        NearDuplicates(["a"])


def test_metrics_of_two_training_sets_keep_their_own_counts_in_a_collection():
    """A MetricCollection shares the state of metrics that look alike after the first update."""
    sets = {"one": [[1, 2, 3]], "other": [[3, 4, 5]]}
    collection = MetricCollection({name: CopiedNgrams(NgramIndex.of(ids, 2)) for name, ids in sets.items()})
    for samples in ([[7, 8]], [[1, 2, 3]]):
        collection.update([torch.tensor(sample) for sample in samples])
    assert {name: value.item() for name, value in collection.compute().items()} == {"one": 2 / 3, "other": 0.0}
    near = [NearDuplicates(TrainingIndex.of([text])) for text in ("a b c", "b c d")]
    assert set(near[0].metric_state).isdisjoint(near[1].metric_state)
    strict = NearDuplicates(near[0].index, threshold=1.0)
    assert set(near[0].metric_state).isdisjoint(strict.metric_state)


def test_a_clone_shares_the_index_and_a_pickle_has_an_equal_one():
    for metric in (CopiedNgrams(NgramIndex.of([[1, 2, 3]], 2)), NearDuplicates(TrainingIndex.of(["a b c"]))):
        assert metric.clone().index is metric.index
        assert copy.deepcopy(metric.index) is metric.index
        restored = pickle.loads(pickle.dumps(metric))  # noqa: S301
        assert restored.index.fingerprint == metric.index.fingerprint
    with pytest.raises(ValueError, match="read-only"):
        NgramIndex.of([[1, 2, 3]], 2).hashes[0] = 0


def test_of_half_a_million_copied_ngrams_all_are_found_and_of_as_many_new_ones_none(rng):
    tokens = rng.integers(2000, size=1_500_000)
    index = NgramIndex.of(np.split(tokens[:1_000_000], 8000))
    found = index.contained(np.split(tokens[500_000:], 8000))
    assert found[: len(found) // 2].all()
    assert not found[len(found) // 2 :].any()
