"""Repetition: against the slow definition with words, closed forms, and what it must not be."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.repetition import Repetition, repetition
from collapse_guard.indicators.diversity.self_distinct import self_distinct_n

ids = st.integers(0, 2) | st.integers(0, 2**31)
documents = st.lists(st.lists(ids, max_size=9), max_size=8)


def slow_repetition(sequences, n):
    """The definition: other samples that have the n-gram, over the different n-grams of each sample that has any."""
    sets = [{tuple(s[i : i + n]) for i in range(len(s) - n + 1)} for s in sequences]
    sets = [grams for grams in sets if grams]
    samples_with = Counter(gram for grams in sets for gram in grams)
    scores = [math.log(1 + sum(samples_with[gram] - 1 for gram in grams)) for grams in sets]
    return math.fsum(scores) / len(scores) if len(scores) > 1 else math.nan


@given(documents, st.integers(1, 8))
def test_it_is_the_mean_log_of_what_other_samples_have_too(sequences, n):
    assert repetition(sequences, n) == pytest.approx(slow_repetition(sequences, n), rel=1e-12, nan_ok=True)


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(sequences, random):
    shuffled = random.sample(sequences, len(sequences))
    assert repetition(shuffled, 2) == pytest.approx(repetition(sequences, 2), rel=1e-12, nan_ok=True)


def test_copies_of_one_text_have_a_closed_form():
    """Each of 97 4-grams is in 19 other samples."""
    assert repetition([list(range(100))] * 20) == pytest.approx(math.log(1 + 97 * 19), rel=1e-14)


def test_texts_with_nothing_in_common_have_none():
    assert repetition(np.arange(100).reshape(10, 10)) == 0.0


def test_it_is_not_one_number_under_two_names():
    """One minus self-distinct-4 is another's repetition: a loop in one sample, blind to copies. Here, the reverse."""
    loops, copies = [[1] * 20, [2] * 20, [3] * 20], [list(range(20))] * 3
    assert repetition(loops) == 0.0
    assert 1 - self_distinct_n(loops, 4) > 0.9
    assert repetition(copies) == pytest.approx(math.log(1 + 17 * 2))
    assert 1 - self_distinct_n(copies, 4) == 0.0


def test_a_loop_counts_once_for_each_other_sample_that_has_it():
    assert repetition([[1] * 20, [1] * 20, [2] * 20]) == pytest.approx(2 / 3 * math.log(2))


def test_samples_without_ngrams_are_left_out_and_a_comparison_needs_two():
    assert repetition([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2], []]) == pytest.approx(math.log(2))
    for sequences in ([], [[1, 2, 3, 4]], [[1, 2, 3, 4], [1, 2]]):
        assert math.isnan(repetition(sequences))


def test_the_metric_compares_samples_across_batches():
    metric = Repetition(n=2)
    metric.update([torch.tensor([1, 2, 3])])
    assert math.isnan(metric.compute().item())
    metric.update(torch.tensor([[1, 2, 4]]))
    assert metric.compute().item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("n", [0, 9])
def test_an_order_out_of_range_is_refused(n):
    for call in (lambda: repetition([[1]], n), lambda: Repetition(n)):
        with pytest.raises(InputError, match="`n` must be from 1 to 8"):
            call()
