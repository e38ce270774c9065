"""Distinct-n: against a set of tuples and the expectation of known sources; the bugs that others shipped."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.distinct import Distinct, Distinct1, Distinct2, distinct_n
from collapse_guard.indicators.diversity.ngram_entropy import NgramEntropy2

small_ids = st.integers(0, 5)
any_ids = st.integers(0, 2**31)


def documents(ids):
    return st.lists(st.lists(ids, max_size=12), max_size=8)


def slow_distinct(sequences, n):
    """The definition, with tuples."""
    grams = [tuple(s[i : i + n]) for s in sequences for i in range(len(s) - n + 1)]
    return len(set(grams)) / len(grams) if grams else math.nan


@given(documents(small_ids) | documents(any_ids), st.integers(1, 8))
def test_distinct_n_is_the_share_of_different_tuples(sequences, n):
    assert distinct_n(sequences, n) == pytest.approx(slow_distinct(sequences, n), nan_ok=True)


def test_two_ngrams_whose_packed_keys_would_wrap_to_the_same_64_bits_stay_two():
    base, grams = 2**31 + 1, [[4, 0, 0], [0, 7, 2147483645]]
    assert len({(a * base**2 + b * base + c) % 2**64 for a, b, c in grams}) == 1
    assert distinct_n([*grams, [2**31]], 3) == 1.0


@pytest.mark.parametrize(("n", "value"), [(1, 3 / 6), (2, 4 / 5), (3, 4 / 4)])
def test_the_oracle_a_b_a_b_c_a(n, value):
    assert distinct_n([[0, 1, 0, 1, 2, 0]], n) == value


def test_identical_outputs_are_seen_by_pooling():
    document = list(range(13))
    assert distinct_n([document] * 50, 1) == pytest.approx(1 / 50)
    assert distinct_n([document] * 50, 2) == pytest.approx(1 / 50)


def test_ngrams_do_not_cross_from_one_document_into_the_next():
    assert distinct_n([[0, 1], [0, 1]], 2) == 1 / 2
    assert math.isnan(distinct_n([[0], [1], [2], [3]], 2))
    assert distinct_n([[0, 1, 2], [], [3], [0, 1, 2, 7]], 3) == 2 / 3


@given(documents(small_ids), st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_documents_does_not_matter(sequences, random, n):
    shuffled = random.sample(sequences, len(sequences))
    assert distinct_n(shuffled, n) == pytest.approx(distinct_n(sequences, n), nan_ok=True)


def test_distinct_1_of_a_zipf_source_has_its_known_expectation(rng):
    """Expected distinct types of n draws are sum_i 1 - (1 - p_i)^n: 333.747 for Zipf(1) with V = n = 1000."""
    weights = 1 / np.arange(1, 1001)
    p = weights / weights.sum()
    assert (1 - (1 - p) ** 1000).sum() == pytest.approx(333.747, abs=1e-3)
    values = np.array([distinct_n([rng.choice(1000, size=1000, p=p)], 1) for _ in range(200)])
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - 0.333747) < 4 * error < 0.004


def test_distinct_n_falls_with_the_sample_size_on_one_source(rng):
    source = rng.zipf(1.3, size=100_000).clip(max=50_000)
    shares = [distinct_n([source[:size]], 1) for size in (1000, 10_000, 100_000)]
    assert shares[0] > 1.5 * shares[1] > 2.0 * shares[2]


def test_the_metric_counts_ngrams_of_all_batches_once():
    metric = Distinct(2, vocabulary_size=6)
    metric.update([torch.tensor([0, 1, 2])])
    metric.update(torch.tensor([[0, 1], [2, 3]]))
    assert metric.compute().item() == pytest.approx(3 / 4)


def test_the_state_holds_each_ngram_once_however_often_it_comes():
    metric = Distinct(1, vocabulary_size=6)
    for _ in range(20):
        metric.update([torch.tensor([0, 1, 0])])
    keys, counts = metric.table
    assert (keys.tolist(), counts.tolist()) == ([0, 1], [40, 20])


def test_metrics_of_other_n_or_vocabulary_stay_apart_in_a_collection():
    """Compute groups merge metrics of which all states have equal names and values after one update."""
    collection = MetricCollection({"one": Distinct1(10), "two": Distinct2(10), "wide": Distinct2(100)})
    collection.update([torch.tensor([0, 0])])
    collection.update([torch.tensor([0, 1, 1, 0, 1])])
    values = {name: value.item() for name, value in collection.compute().items()}
    assert values == pytest.approx({"one": 2 / 7, "two": 4 / 5, "wide": 4 / 5})
    assert collection["wide"].table[0].tolist() == [0, 1, 100, 101]


def test_metrics_of_the_same_ngrams_share_their_table_in_a_collection():
    collection = MetricCollection({"distinct": Distinct2(10), "entropy": NgramEntropy2(10)})
    for batch in ([[0, 0]], [[0, 1, 1, 0, 1]]):
        collection.update([torch.tensor(ids) for ids in batch])
    assert len(collection.compute_groups) == 1
    values = {name: value.item() for name, value in collection.compute().items()}
    assert values == pytest.approx({"distinct": 4 / 5, "entropy": 3 / 5 * math.log(5) + 2 / 5 * math.log(5 / 2)})


def test_a_vocabulary_that_does_not_fit_63_bits_is_counted_by_hashes(rng):
    batches = [rng.integers(50_257, size=(5, 40)), rng.integers(3, size=(5, 40))]
    metric = Distinct(5, vocabulary_size=50_257)
    for batch in batches:
        metric.update(torch.tensor(batch))
    assert metric.compute().item() == slow_distinct([row for batch in batches for row in batch.tolist()], 5)


@pytest.mark.parametrize("n", [0, 9, -1])
def test_an_order_out_of_range_is_refused(n):
    with pytest.raises(InputError, match="`n` must be from 1 to 8"):
        distinct_n([[1]], n)
    with pytest.raises(InputError, match="`n` must be from 1 to 8"):
        Distinct(n, vocabulary_size=3)


def test_ids_out_of_range_are_refused():
    with pytest.raises(InputError, match="ids must be from 0 to 2147483648, but got -100: cut pads"):
        distinct_n([[0, -100]], 1)
    with pytest.raises(InputError, match="from 0 to 9, but got 10"):
        Distinct(1, vocabulary_size=10).update([torch.tensor([10])])
