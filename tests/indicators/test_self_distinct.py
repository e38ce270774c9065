"""Self-distinct-n: against a set of tuples for each sample; what it sees that distinct-n does not, and the reverse."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.distinct import distinct_n
from collapse_guard.indicators.diversity.self_distinct import SelfDistinct, self_distinct_n

ids = st.integers(0, 4) | st.integers(0, 2**31)
documents = st.lists(st.lists(ids, max_size=12), max_size=8)
orders = st.integers(1, 8)


def slow_self_distinct(sequences, n):
    """The definition, with tuples."""
    shares = []
    for sequence in sequences:
        grams = [tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1)]
        if grams:
            shares.append(len(set(grams)) / len(grams))
    return math.fsum(shares) / len(shares) if shares else math.nan


@given(documents, orders)
def test_it_is_the_mean_share_of_different_tuples_within_a_sample(sequences, n):
    assert self_distinct_n(sequences, n) == pytest.approx(slow_self_distinct(sequences, n), rel=1e-12, nan_ok=True)


@given(documents, orders, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(sequences, n, random):
    shuffled = random.sample(sequences, len(sequences))
    assert self_distinct_n(shuffled, n) == pytest.approx(self_distinct_n(sequences, n), rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(("n", "value"), [(1, 3 / 6), (2, 4 / 5), (3, 4 / 4)])
def test_the_oracle_a_b_a_b_c_a_is_that_of_distinct_n_for_one_sample(n, value):
    """science.md section 4, distinct-n."""
    assert self_distinct_n([[0, 1, 0, 1, 2, 0]], n) == value


def test_copies_of_one_good_sample_are_not_seen_and_distinct_n_sees_them():
    assert self_distinct_n([list(range(50))] * 100, 2) == 1.0
    assert distinct_n([list(range(50))] * 100, 2) == 1 / 100


def test_loops_within_samples_are_seen():
    assert self_distinct_n([[7] * 11, [8] * 11], 2) == 1 / 10


def test_a_sample_counts_once_however_long_it_is():
    assert self_distinct_n([[7] * 101, [1, 2]], 1) == (1 / 101 + 1) / 2


def test_samples_without_ngrams_are_left_out_and_nothing_is_undefined():
    assert self_distinct_n([[1, 2, 3], [4], []], 2) == 1.0
    assert math.isnan(self_distinct_n([[4], []], 2))
    assert math.isnan(self_distinct_n([], 1))


def test_the_metric_weighs_samples_not_batches():
    metric = SelfDistinct(1)
    metric.update([torch.tensor([7, 7]), torch.tensor([7, 7]), torch.tensor([7, 7])])
    metric.update([torch.tensor([1, 2])])
    metric.update([torch.tensor([], dtype=torch.int64)])
    assert metric.compute().item() == (3 * 0.5 + 1.0) / 4


@pytest.mark.parametrize("n", [0, 9])
def test_an_order_out_of_range_is_refused(n):
    for call in (lambda: self_distinct_n([[1]], n), lambda: SelfDistinct(n)):
        with pytest.raises(InputError, match="`n` must be from 1 to 8"):
            call()
