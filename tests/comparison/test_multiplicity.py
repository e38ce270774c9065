"""Corrections against slow definitions and scipy, and their levels under dependence."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.multiplicity import all_within, e_bh, holm
from collapse_guard.errors import InputError

P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(P_VALUES)
def test_it_is_the_closed_test_of_bonferroni(p_values):
    """Holm's adjusted p is the largest Bonferroni p over all sets that hold the hypothesis: enumerated by size."""
    for i, p in enumerate(holm(p_values)):
        others = sorted((q for j, q in enumerate(p_values) if j != i), reverse=True)
        sets = [sorted([p_values[i], *others[:size]]) for size in range(len(others) + 1)]
        assert p == pytest.approx(max(min(1.0, len(members) * members[0]) for members in sets))


def test_the_published_example_in_any_order_and_what_is_not_a_number():
    assert holm([0.3, 0.001, 0.04, 0.012, 0.021]) == pytest.approx([0.3, 0.005, 0.08, 0.048, 0.063])
    assert holm([]) == []
    assert holm([math.nan, 0.001]) == [1.0, 0.002]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_any_false_alarm_is_as_rare_as_promised_also_where_one_indicator_really_moved(correlation):
    rng, trials = np.random.default_rng(0), 4000
    common = rng.normal(size=(trials, 1)) * math.sqrt(correlation)
    z = common + rng.normal(size=(trials, 8)) * math.sqrt(1 - correlation)
    z[:, 0] += 6.0
    adjusted = np.array([holm(row) for row in stats.norm.sf(z)])
    assert (adjusted[:, 1:] <= 0.05).any(axis=1).sum() <= stats.binom(trials, 0.05).ppf(0.9999)
    assert (adjusted[:, 0] <= 0.05).mean() > 0.99


def test_the_published_e_values_reject_the_first_two():
    """science.md 5.1: thresholds 50, 25, 16.67, 12.5, 10."""
    assert e_bh([60.0, 25.0, 12.0, 3.0, 0.5], 0.1) == [True, True, False, False, False]
    assert e_bh([0.5, 25.0, 3.0, 60.0, 12.0], 0.1) == [False, True, False, True, False]
    assert e_bh([], 0.1) == []
    for e_values in itertools.permutations([math.nan, 60.0, 15.0, math.nan]):
        assert e_bh(e_values, 0.1) == [e == 60.0 for e in e_values], "two that are not numbers count as two hypotheses"
    assert e_bh([math.inf, 1.0], 0.1) == [True, False]


@pytest.mark.parametrize(("k", "n"), [(k, n) for n in range(1, 7) for k in range(1, n + 1)])
def test_so_many_are_rejected_as_reach_the_threshold_of_so_many(k, n):
    """K/(alpha k) for k of K, with an alpha that is exact in binary."""
    threshold = n / (0.125 * k)
    assert e_bh([threshold * (1 + 1e-12)] * k + [0.0] * (n - k), 0.125) == [True] * k + [False] * (n - k)
    assert not any(e_bh([threshold * (1 - 1e-12)] * k + [0.0] * (n - k), 0.125))


@given(st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=15), st.sampled_from([0.05, 0.1, 0.3]))
def test_e_bh_is_benjamini_and_hochberg_on_one_over_e(e_values, alpha):
    adjusted = stats.false_discovery_control(np.minimum(1.0, 1.0 / np.array(e_values)))
    for rejected, q in zip(e_bh(e_values, alpha), adjusted, strict=True):
        if not math.isclose(q, alpha, rel_tol=1e-9):
            assert rejected == (q <= alpha)


def test_the_false_discovery_rate_holds_under_dependence():
    """Exponential e-values exp(l z - l^2/2) of 20 hypotheses that share most of their noise; five are false. The share
    of false discoveries is at most 1, so its mean over 2,000 trials is above alpha by 5 SE with probability 10^-6."""
    rng, trials, bet = np.random.default_rng(1), 2000, 2.5
    z = math.sqrt(0.8) * rng.normal(size=(trials, 1)) + math.sqrt(0.2) * rng.normal(size=(trials, 20))
    z[:, :5] += 4.0
    rejected = np.array([e_bh(row, 0.1) for row in np.exp(bet * z - bet**2 / 2)])
    share = rejected[:, 5:].sum(axis=1) / np.maximum(1, rejected.sum(axis=1))
    assert share.mean() <= 0.1 + 5 * share.std() / math.sqrt(trials)
    assert rejected[:, :5].mean() > 0.5


def test_running_maxima_are_no_e_values():
    """Why `e_bh` must not be given them: the largest fortune so far of a fair bet is 1.5 and more on average."""
    rng = np.random.default_rng(2)
    steps = 1 + 0.5 * rng.choice([-1.0, 1.0], size=(4000, 20))
    assert np.maximum.accumulate(np.cumprod(steps, axis=1), axis=1)[:, -1].mean() > 1.5


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_all_are_within_where_the_largest_p_is(p_values, level):
    assert all_within(p_values, level) == (max(p_values) <= level)


def test_a_claim_that_all_hold_is_as_rarely_wrong_as_promised():
    """One of six indicators is exactly at its margin, the others are far within theirs."""
    rng, trials = np.random.default_rng(3), 4000
    z = rng.normal(size=(trials, 6)) + np.array([0.0, 8.0, 8.0, 8.0, 8.0, 8.0])
    claims = sum(all_within(row, 0.05) for row in stats.norm.sf(z).tolist())
    low, high = stats.binom(trials, 0.05).interval(1 - 1e-6)
    assert low <= claims <= high


def test_what_is_not_a_number_or_not_a_level_is_no_pass():
    assert not all_within([0.001, math.nan], 0.05)
    with pytest.raises(InputError, match="`p_values` must hold at least one p-value, but got none"):
        all_within([], 0.05)
    for level in (-0.1, 0.0, 1.0, 1.5, 5, math.nan):
        with pytest.raises(InputError, match=f"`level` must lie between 0 and 1, but got {level}"):
            all_within([0.1], level)
        with pytest.raises(InputError, match=f"`alpha` must lie between 0 and 1, but got {level}"):
            e_bh([2.0], level)
