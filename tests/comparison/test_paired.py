"""Paired comparisons against the published oracle, the slow definition and their stated level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.contrast import beyond, interval, within
from collapse_guard.comparison.paired import paired_difference, paired_log_ratio
from collapse_guard.records import Direction

# science.md 5.3 (c): paired differences of nats with a margin of 5% and of 1% in perplexity
D = [0.02, -0.01, 0.03, 0.0, 0.015, 0.005, -0.02, 0.01, 0.025, -0.005]


def test_the_non_inferiority_oracle_passes_at_five_percent_and_not_at_one():
    contrast = paired_difference(observed=D, reference=[0.0] * 10)
    assert contrast.effect == pytest.approx(0.007)
    assert contrast.standard_error == pytest.approx(0.0050662, rel=1e-4)
    assert contrast.statistic(math.log(1.05)) == pytest.approx(-8.248773, rel=1e-6)
    assert within(contrast, math.log(1.05), Direction.UP) == pytest.approx(8.65837e-6, rel=1e-5)
    assert within(contrast, math.log(1.01), Direction.UP) == pytest.approx(0.287313, rel=1e-5)
    assert interval(contrast, 0.90)[1] == pytest.approx(0.016287, rel=1e-4)


def test_equal_weights_are_the_paired_t_test_of_scipy(rng):
    x, y = rng.normal(1.0, 0.3, 40), rng.normal(0.9, 0.3, 40)
    expected = stats.ttest_rel(x, y)
    contrast = paired_difference(observed=x, reference=y)
    assert contrast.statistic(0.0) == pytest.approx(expected.statistic)
    assert contrast.degrees_of_freedom == pytest.approx(expected.df)
    assert interval(contrast, 0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert beyond(contrast, 1e-300, Direction.UP) == pytest.approx(stats.ttest_rel(x, y, alternative="greater").pvalue)


def test_weights_give_the_change_of_the_corpus_loss_and_not_of_the_mean_document():
    nll_before, nll_after, tokens = np.array([10.0, 400.0]), np.array([20.0, 440.0]), np.array([10.0, 100.0])
    contrast = paired_difference(observed=nll_after / tokens, reference=nll_before / tokens, weights=tokens)
    assert contrast.effect == pytest.approx(460 / 110 - 410 / 110)


@given(st.integers(3, 30), st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_scaling_all_weights_and_shifting_both_sides_change_nothing(n, scale, seed):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=n), rng.normal(size=n), rng.uniform(1, 5, n)
    plain = paired_difference(observed=x, reference=y, weights=w)
    other = paired_difference(observed=x + 3, reference=y + 3, weights=w * scale)
    assert other.effect == pytest.approx(plain.effect, abs=1e-9)
    assert other.standard_error == pytest.approx(plain.standard_error, rel=1e-6, abs=1e-9)


def test_the_jackknife_agrees_with_the_linearised_error_of_a_weighted_ratio(rng):
    n = 400
    tokens = rng.integers(5, 200, n).astype(float)
    x = rng.gamma(4, 1, n)
    y = x * rng.normal(0.8, 0.1, n)
    contrast = paired_log_ratio(observed=x, reference=y, weights=tokens)
    keep = ~np.eye(n, dtype=bool)
    left_out = np.log((keep @ (tokens * x)) / (keep @ (tokens * y)))
    jackknife = math.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    assert contrast.standard_error == pytest.approx(jackknife, rel=0.03)


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_equal_weights_of_a_ratio_are_the_t_test_of_scipy_on_its_contrast(rng, scale):
    """Fieller: whether the ratio is e^h is whether x - e^h y has a mean of 0. Their unit does not matter."""
    x, y = scale * rng.gamma(4.0, 1.0, 40), scale * rng.gamma(3.0, 1.0, 40)
    contrast = paired_log_ratio(observed=x, reference=y)
    for hypothesis in (-0.5, 0.0, 0.3):
        expected = stats.ttest_1samp(x - math.exp(hypothesis) * y, 0.0)
        assert contrast.statistic(hypothesis) == pytest.approx(expected.statistic)
        assert contrast.degrees_of_freedom == pytest.approx(expected.df)
    assert contrast.effect == pytest.approx(math.log(x.sum() / y.sum()))
    ratio = x.sum() / y.sum()
    assert contrast.standard_error == pytest.approx(stats.sem(x - ratio * y) / x.mean())


def test_weights_of_a_ratio_are_documents_that_come_more_often_but_for_the_degrees_of_freedom(rng):
    x, y, times = rng.gamma(4.0, 1.0, 8), rng.gamma(3.0, 1.0, 8), np.array([1, 2, 1, 3, 1, 1, 2, 1])
    weighted = paired_log_ratio(observed=x, reference=y, weights=times)
    assert weighted.effect == pytest.approx(math.log(np.repeat(x, times).sum() / np.repeat(y, times).sum()))
    assert weighted.degrees_of_freedom == pytest.approx(times.sum() ** 2 / (times**2).sum() - 1)


def test_a_ratio_that_fell_to_zero_is_minus_infinity_and_beyond_any_margin():
    contrast = paired_log_ratio(observed=[0.0, 0.0, 0.0], reference=[1.0, 2.0, 3.0])
    assert contrast.effect == -math.inf
    assert math.isnan(contrast.standard_error)
    assert beyond(contrast, math.log(1.1), Direction.DOWN) < 0.05
    assert interval(contrast, 0.95)[0] == -math.inf


def test_no_spread_at_all_is_certainty_on_either_side_and_never_a_nan():
    same = paired_difference(observed=[1.0, 1.0, 1.0], reference=[1.0, 1.0, 1.0])
    assert within(same, 0.1, Direction.UP) == 0.0
    assert beyond(same, 0.1, Direction.UP) == 1.0
    assert interval(same, 0.95) == pytest.approx((0.0, 0.0), abs=1e-9)


@pytest.mark.parametrize("spread", ["normal", "skewed"])
def test_at_the_margin_the_alert_fires_at_its_level(spread):
    """Binomial bound: 4,000 lineages exactly at the margin, nominal 5%, documents of unequal length."""
    rng, n, runs, margin = np.random.default_rng(11), 200, 4_000, math.log(1.1)
    noise = rng.normal(0, 0.2, (runs, n)) if spread == "normal" else rng.exponential(0.2, (runs, n)) - 0.2
    tokens = rng.integers(20, 200, n).astype(float)
    alarms = sum(
        beyond(paired_difference(observed=margin + e, reference=np.zeros(n), weights=tokens), margin, Direction.UP)
        <= 0.05
        for e in noise
    )
    low, high = stats.binom(runs, 0.05).interval(0.999)
    slack = 0.0 if spread == "normal" else 0.01 * runs  # the t test's own skewness error at n = 200 is under a point
    assert low - slack <= alarms <= high + slack
