"""Entropy of n-grams: against SciPy, the slow definition and closed forms."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.indicators.diversity.ngram_entropy import NgramEntropy, entropy_n

ids = st.integers(0, 4) | st.integers(0, 2**31)
documents = st.lists(st.lists(ids, max_size=12), max_size=8)
COUNTS = [10, 5, 3, 2, 2, 1, 1, 1, 1]
"""science.md section 4: N = 26, S = 9."""


def words_of(counts):
    return [[word] * count for word, count in enumerate(counts)]


@given(documents, st.integers(1, 8))
def test_it_is_the_entropy_that_scipy_gives_for_counted_tuples(sequences, n):
    counts = Counter(tuple(s[i : i + n]) for s in sequences for i in range(len(s) - n + 1))
    expected = stats.entropy(list(counts.values())) if counts else math.nan
    assert entropy_n(sequences, n) == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def test_the_oracles_of_nine_types():
    """science.md section 4: Shannon 1.829579 nats, its exponential 6.231260."""
    assert entropy_n(words_of(COUNTS), 1) == pytest.approx(1.829579, abs=5e-7)
    assert math.exp(entropy_n(words_of(COUNTS), 1)) == pytest.approx(6.231260, abs=5e-6)


def test_the_ends_are_exact():
    assert entropy_n([[5] * 9], 2) == 0.0
    assert math.copysign(1.0, entropy_n([[5] * 9], 2)) == 1.0
    assert entropy_n([[0, 1, 2, 3, 4, 5, 6]], 1) == pytest.approx(math.log(7), rel=1e-15)


def test_narrow_decoding_lowers_it_and_noise_raises_it(rng):
    source = rng.zipf(1.3, size=20_000).clip(max=1000)
    before = entropy_n([source], 1)
    assert entropy_n([source.clip(max=20)], 1) < before - 0.1
    assert entropy_n([np.where(rng.random(len(source)) < 0.3, rng.integers(1001, size=len(source)), source)], 1) > (
        before + 0.1
    )


def test_equal_samples_are_seen_because_it_is_pooled():
    rows = np.arange(400).reshape(20, 20)
    assert entropy_n(rows, 1) == pytest.approx(math.log(400))
    assert entropy_n(rows[[0] * 20], 1) == pytest.approx(math.log(20))


def test_the_metric_counts_ngrams_of_all_batches():
    metric = NgramEntropy(2, vocabulary_size=6)
    metric.update([torch.tensor([0, 1, 2])])
    metric.update(torch.tensor([[0, 1], [2, 3]]))
    assert metric.compute().item() == pytest.approx(stats.entropy([2, 1, 1]), rel=1e-12)
