"""Slopes against the slow definition and scipy; why chained generations get no trend test, by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.trend import generations_until, theil_sen

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


@given(VALUES)
def test_the_slope_is_the_median_over_all_pairs(values):
    """The slow definition; scipy's interval."""
    pairs = [(values[t] - values[s]) / (t - s) for s, t in itertools.combinations(range(len(values)), 2)]
    trend = theil_sen(values)
    assert trend.slope == pytest.approx(float(np.median(pairs)), abs=1e-12)
    assert trend.n == len(values)
    expected = stats.theilslopes(values, alpha=0.95)
    assert (trend.low, trend.high) == pytest.approx((expected.low_slope, expected.high_slope), nan_ok=True)


def test_the_published_example():
    """science.md 5.1."""
    trend = theil_sen([20, 22.1, 21.8, 23, 24.5, 24.2, 26, 27.1, 28])
    assert (trend.slope, trend.low, trend.high) == pytest.approx((1.0, 0.8, 1.1), abs=0.05)


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=10), st.integers(-20, 20))
def test_a_line_on_top_adds_its_slope_and_turning_time_turns_the_sign(values, slope):
    plain = theil_sen(values)
    assert theil_sen([v + slope * t for t, v in enumerate(values)]).slope == pytest.approx(plain.slope + slope)
    assert theil_sen(values[::-1]).slope == pytest.approx(-plain.slope)


def test_one_odd_generation_makes_no_trend_and_a_missing_one_keeps_its_place():
    line = [0.1 * t for t in range(9)]
    assert theil_sen([*line[:4], 50.0, *line[5:]]).slope == pytest.approx(0.1, abs=0.02)
    with_gap = theil_sen([*line[:4], math.nan, *line[5:]])
    assert (with_gap.slope, with_gap.n) == (pytest.approx(0.1), 8)


@pytest.mark.parametrize(
    ("values", "n"), [([], 0), ([1.0], 1), ([math.nan, 1.0, math.nan], 1), ([1.0, math.inf, 2.0], 3)]
)
def test_no_slope_is_not_a_slope_of_nothing(values, n):
    trend = theil_sen(values)
    assert trend.n == n
    assert math.isnan(trend.slope)
    assert math.isnan(trend.low)
    assert math.isnan(trend.high)


def test_how_long_until_the_margin():
    assert generations_until(0.1, newest=0.04, slope=0.02) == pytest.approx(3.0)
    assert generations_until(0.1, newest=0.1, slope=-1.0) == generations_until(0.1, newest=0.2, slope=0.0) == 0.0
    assert generations_until(0.1, newest=0.0, slope=0.0) == generations_until(0.1, newest=0.0, slope=-0.1) == math.inf
    assert math.isnan(generations_until(0.1, newest=0.0, slope=math.nan))
    assert math.isnan(generations_until(0.1, newest=0.2, slope=math.nan))
    for slope in (0.1, -0.1):
        assert math.isnan(generations_until(math.nan, newest=1.0, slope=slope))
        assert math.isnan(generations_until(0.1, newest=math.nan, slope=slope))


def test_mann_kendall_finds_trends_in_random_walks():
    """science.md 5.1: 27% at n = 10, nominal 5%; Page's test 18%. 800 lineages: 27% is below 20% with probability
    10^-6."""
    rng, trials = np.random.default_rng(0), 800
    walks = rng.normal(size=(trials, 3, 10)).cumsum(axis=2)
    time = np.arange(10)
    kendall = sum(stats.kendalltau(time, walk[0], alternative="greater").pvalue <= 0.05 for walk in walks)
    page = sum(stats.page_trend_test(walk, method="asymptotic").pvalue <= 0.05 for walk in walks)
    assert kendall >= 0.2 * trials
    assert page >= 0.1 * trials
