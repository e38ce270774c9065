"""Shares of different samples at an equal number: against counting by hand, random subsets and true sources."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from building import make_reading
from collapse_guard.comparison.compare import compare, obstacle
from collapse_guard.comparison.contrast import interval
from collapse_guard.comparison.rarefaction import rarefied_log_ratio
from collapse_guard.records.census import census_of, size_of

few_samples = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=8)


def share_of_subsets(samples, m):
    """The definition: the mean share of different ones over all parts of m samples."""
    parts = list(itertools.combinations(samples, m))
    return sum(len(set(part)) for part in parts) / len(parts) / m


@given(few_samples, few_samples)
def test_both_sides_are_cut_to_the_smaller_number(here, there):
    m = min(len(here), len(there))
    contrast = rarefied_log_ratio(observed=census_of(here), reference=census_of(there))
    assert contrast.observed == pytest.approx(share_of_subsets(here, m), rel=1e-9)
    assert contrast.reference == pytest.approx(share_of_subsets(there, m), rel=1e-9)
    assert math.exp(contrast.effect) == pytest.approx(contrast.observed / contrast.reference, rel=1e-9)


@given(few_samples, st.integers(1, 7))
def test_the_error_is_that_of_the_jackknife_over_samples(samples, smaller):
    """The definition: leave out each sample in turn, with its copies where all are there equally often.

    The other side is all different, so only one copy is its error.
    """
    given_times = math.gcd(*Counter(samples).values())
    ordered, n = sorted(samples), len(samples)
    assume(n > given_times)
    m = min(smaller, n - given_times)
    starts = range(0, n, given_times)
    rests = [[*ordered[:start], *ordered[start + given_times :]] for start in starts]
    variance = (len(starts) - 1) ** 2 / len(starts) * np.var([m * share_of_subsets(rest, m) for rest in rests], ddof=1)
    contrast = rarefied_log_ratio(observed=census_of(samples), reference=census_of(range(m)))
    share = contrast.observed
    expected = math.sqrt(max(variance, 1.0) / m**2 + share**2 / m**2) / share
    assert contrast.standard_error == pytest.approx(expected, rel=1e-9)


def test_a_source_of_fifty_texts_is_not_in_doubt():
    """Answers of one word: the share of different ones is small, and known."""
    rng = np.random.default_rng(0)
    here, there = (census_of(rng.integers(50, size=3_000).tolist()) for _ in range(2))
    low, high = interval(rarefied_log_ratio(observed=here, reference=there), 0.95)
    assert -0.1 < low < 0.0 < high < 0.1


def test_a_file_that_is_given_three_times_is_no_more_evidence():
    """A file of 400 samples with 300 different ones, against the same file three times."""
    written = [*range(200), *itertools.chain.from_iterable([i, i] for i in range(200, 300))]
    once, thrice = (rarefied_log_ratio(observed=census_of(written * k), reference=((1, 400 * k),)) for k in (1, 3))
    assert (once.observed, thrice.observed) == (0.75, 0.25)
    widths = [np.diff(interval(contrast, 0.95))[0] for contrast in (once, thrice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


@pytest.mark.parametrize("types", [300, 3_000, 10**9])
def test_the_interval_holds_a_source_that_repeats_itself(types):
    """Two samples of one source, of 1,500 and 500: their shares at 500 are equal, and the interval of 95% holds 0."""
    rng, held = np.random.default_rng(types), 0
    for _ in range(300):
        here, there = (rng.integers(types, size=n).tolist() for n in (1_500, 500))
        low, high = interval(rarefied_log_ratio(observed=census_of(here), reference=census_of(there)), 0.95)
        held += low <= 0.0 <= high
    assert held >= 276  # of 300 at 95% fewer than 276 has probability 0.01; conservative by construction


def test_millions_of_samples_are_compared_without_overflow():
    contrast = rarefied_log_ratio(observed=((1, 10**6), (10**6, 1)), reference=((1, 5 * 10**5),))
    assert 0.5 < contrast.observed < 0.6
    assert math.isfinite(contrast.standard_error)


def reading_of(samples, **changes):
    census = census_of(samples)
    value = len(set(samples)) / len(samples)
    return make_reading("unique_samples", value, n=size_of(census), census=census, group="sample", **changes)


def test_a_comparison_says_how_many_samples_it_is_of():
    here, there = reading_of([i % 40 for i in range(120)]), reading_of(range(90))
    comparison = compare(here, there, baseline="founder", margin=0.1, watch=0.05)
    assert (comparison.n, comparison.n_reference, comparison.replicate) == (120, 90, "sample")
    assert comparison.observed == pytest.approx(share_of_counts(Counter(i % 40 for i in range(120)).values(), 120, 90))
    assert comparison.reference == 1.0
    assert comparison.p_beyond_margin < 1e-6


def share_of_counts(counts, n, m):
    """Hurlbert's formula with whole numbers."""
    return sum(1 - math.comb(n - count, m) / math.comb(n, m) for count in counts) / m


def test_a_reading_of_groups_is_no_baseline_of_one_of_all_samples():
    old = make_reading("unique_samples", 1.0, replicates=(1.0,) * 8, group="128 samples")
    assert "was read in groups by an earlier version" in obstacle(reading_of(range(90)), old)
