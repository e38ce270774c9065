"""Rare words: against counters, and the expectation of coverage under resampling."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.tails import UNKNOWN, RareMass, count_types, rare_coverage, rare_mass

types = st.lists(st.integers(UNKNOWN, 9), max_size=40)
rare_sets = st.sets(st.integers(0, 9))


@settings(deadline=None)
@given(types, rare_sets)
def test_both_are_what_a_counter_says(ids, rare):
    counts, seen = count_types(np.array(ids, dtype=np.int64), 10), Counter(ids)
    mass = sum(seen[r] for r in rare) / len(ids) if ids and rare else math.nan
    coverage = sum(r in seen for r in rare) / len(rare) if rare else math.nan
    assert rare_mass(counts, sorted(rare)) == pytest.approx(mass, nan_ok=True)
    assert rare_coverage(counts, sorted(rare)) == pytest.approx(coverage, nan_ok=True)


def test_unknown_words_are_occurrences_but_no_type():
    counts = count_types([3, UNKNOWN, UNKNOWN, UNKNOWN], 4)
    assert counts.tolist() == [0, 0, 0, 1, 3]
    assert rare_mass(counts, [3]) == 1 / 4
    assert rare_coverage(counts, [2, 3]) == 1 / 2


def test_coverage_of_resampled_words_has_its_known_expectation(rng):
    """A type of probability q is absent from M draws with probability (1 - q)^M: 0.606455 for q = 0.0005, M = 1000."""
    rare = np.arange(1, 401)
    p = np.concatenate([[1 - 400 * 0.0005], np.full(400, 0.0005)])
    draws = [count_types(rng.choice(401, size=1000, p=p), 401) for _ in range(100)]
    coverage = np.array([rare_coverage(counts, rare) for counts in draws])
    mass = np.array([rare_mass(counts, rare) for counts in draws])
    assert abs(coverage.mean() - (1 - 0.606455)) < 4 * coverage.std(ddof=1) / 10 < 0.02
    assert abs(mass.mean() - 0.2) < 4 * mass.std(ddof=1) / 10 < 0.02


def test_nothing_rare_or_nothing_said_is_not_a_number():
    assert math.isnan(rare_coverage(count_types([1], 4), []))
    assert math.isnan(rare_mass(count_types([1], 4), []))
    assert math.isnan(rare_mass(count_types([], 4), [1]))
    assert rare_coverage(count_types([], 4), [1]) == 0.0


@pytest.mark.parametrize("ids", [[4], [-2], [0, 1, 99]])
def test_ids_out_of_range_are_refused(ids):
    with pytest.raises(InputError, match="`types` must be from 0 to 3, or -1 for unknown words"):
        count_types(ids, 4)


def test_the_metric_counts_batches_of_any_shape():
    metric = RareMass(rare=torch.tensor([2, 3]), n_types=4)
    metric.update(torch.tensor([[0, 2], [UNKNOWN, 3]]))
    metric.update(torch.tensor([1]))
    assert metric.compute().item() == pytest.approx(2 / 5)
