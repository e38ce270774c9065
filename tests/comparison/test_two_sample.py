"""Ratio and difference of group means against scipy, Fieller's closed form and the stated level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from building import make_reading
from collapse_guard.comparison.compare import compare, obstacle
from collapse_guard.comparison.contrast import Contrast, beyond, interval, within
from collapse_guard.comparison.power import samples_needed
from collapse_guard.comparison.two_sample import two_sample_difference, two_sample_log_ratio
from collapse_guard.decision.policy import Margin
from collapse_guard.records import Direction, EffectScale


def test_without_margin_it_is_the_welch_test_of_scipy(rng):
    x, y = rng.normal(5, 1, 12), rng.normal(5.5, 0.4, 30)
    contrast = two_sample_log_ratio(observed=x, reference=y)
    assert contrast.statistic(0.0) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).statistic)


@pytest.mark.parametrize("hypothesis", [-0.7, 0.0, 0.4])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_a_ratio_is_tested_as_welch_tests_one_side_against_so_many_times_the_other(rng, hypothesis, scale):
    x, y = scale * rng.gamma(9.0, 1.0, 12), scale * rng.gamma(4.0, 1.0, 30)
    contrast, ratio = two_sample_log_ratio(observed=x, reference=y), x.mean() / y.mean()
    expected = stats.ttest_ind(x, math.exp(hypothesis) * y, equal_var=False)
    assert contrast.statistic(hypothesis) == pytest.approx(expected.statistic)
    assert contrast.degrees_of_freedom == pytest.approx(stats.ttest_ind(x, ratio * y, equal_var=False).df)
    assert contrast.standard_error == pytest.approx(math.hypot(stats.sem(x), ratio * stats.sem(y)) / x.mean())


def test_a_difference_is_the_welch_test_of_scipy(rng):
    x, y = rng.normal(5, 1, 12), rng.normal(5.5, 0.4, 30)
    contrast, expected = two_sample_difference(observed=x, reference=y), stats.ttest_ind(x, y, equal_var=False)
    assert contrast.statistic(0.0) == pytest.approx(expected.statistic)
    assert contrast.statistic(contrast.effect) == 0.0
    assert contrast.degrees_of_freedom == pytest.approx(expected.df)
    assert interval(contrast, 0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("comparing", [two_sample_difference, two_sample_log_ratio])
def test_groups_that_are_all_alike_have_the_degrees_of_freedom_of_equal_spreads(comparing):
    assert comparing(observed=[1.0] * 4, reference=[2.0] * 7).degrees_of_freedom == 9.0


def test_the_interval_solves_fiellers_quadratic(rng):
    x, y = rng.normal(5, 1, 12), rng.normal(5.5, 0.9, 15)
    contrast = two_sample_log_ratio(observed=x, reference=y)
    t = stats.t.ppf(0.975, contrast.degrees_of_freedom)
    vx, vy = x.var(ddof=1) / 12, y.var(ddof=1) / 15
    a, b, c = y.mean() ** 2 - t**2 * vy, -2 * x.mean() * y.mean(), x.mean() ** 2 - t**2 * vx
    roots = sorted(np.log(np.roots([a, b, c])))
    assert interval(contrast, 0.95) == pytest.approx(tuple(roots))


def test_the_delta_method_error_is_that_of_the_logarithms():
    rng = np.random.default_rng(5)
    effects = [
        two_sample_log_ratio(observed=rng.normal(0.3, 0.02, 10), reference=rng.normal(0.4, 0.03, 20))
        for _ in range(4_000)
    ]
    measured = float(np.std([c.effect for c in effects]))
    assert np.mean([c.standard_error for c in effects]) == pytest.approx(measured, rel=0.04)


@pytest.mark.parametrize(("n_x", "n_y"), [(5, 5), (5, 40), (40, 12)])
def test_at_the_margin_alert_and_pass_fire_at_their_level(n_x, n_y):
    rng, runs, margin = np.random.default_rng(3), 4_000, math.log(1.25)
    alerts = passes = 0
    for _ in range(runs):
        y, x = rng.normal(1.0, 0.05, n_y), rng.normal(1.0, 0.05, n_x) / 1.25
        contrast = two_sample_log_ratio(observed=x, reference=y)
        alerts += beyond(contrast, margin, Direction.DOWN) <= 0.05
        passes += within(contrast, margin, Direction.DOWN) <= 0.05
    bound = stats.binom(runs, 0.05).ppf(0.9995) + 0.006 * runs  # Welch at 5 groups is liberal by about half a point
    assert alerts <= bound
    assert passes <= bound
    assert min(alerts, passes) >= 0.03 * runs


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_a_worse_generation_never_has_a_milder_p_value(seed, shift):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.5, 1.0, 8), rng.uniform(0.5, 1.0, 8)
    worse = two_sample_log_ratio(observed=x * (1 - shift), reference=y)
    same = two_sample_log_ratio(observed=x, reference=y)
    assert worse.effect < same.effect
    assert within(worse, 0.1, Direction.DOWN) >= within(same, 0.1, Direction.DOWN) - 1e-12


def test_both_directions_pay_for_looking_twice():
    contrast = two_sample_log_ratio(observed=[1.0, 1.1, 0.9, 1.2], reference=[2.0, 2.1, 1.9, 2.2])
    assert beyond(contrast, 0.1, Direction.BOTH) == pytest.approx(2 * beyond(contrast, 0.1, Direction.DOWN))
    assert beyond(contrast, 0.1, Direction.UP) > 0.99
    same = two_sample_log_ratio(observed=[1.0, 1.1, 0.9], reference=[1.0, 1.1, 0.9])
    assert beyond(same, 0.1, Direction.BOTH) == 1.0, "twice a large p-value is none"


def test_the_number_of_samples_that_would_decide_decides_in_four_of_five_repetitions():
    rng, n, margin = np.random.default_rng(8), 10, math.log(1.1)
    true = math.log(1.05)
    contrast = Contrast(
        observed=1 / 1.05,
        reference=1.0,
        effect=-true,
        standard_error=0.05 * math.sqrt(2 / n),
        degrees_of_freedom=2 * n - 2,
        statistic=lambda h: (-true - h) / (0.05 * math.sqrt(2 / n)),
        method="known",
    )
    needed = samples_needed(contrast, margin, Direction.DOWN, n, 0.01, 0.05)
    assert needed
    assert needed > n
    repetitions = [
        within(
            two_sample_log_ratio(observed=rng.normal(1 / 1.05, 0.05, needed), reference=rng.normal(1.0, 0.05, needed)),
            margin,
            Direction.DOWN,
        )
        <= 0.05
        for _ in range(1_000)
    ]
    assert 0.74 <= np.mean(repetitions) <= 0.9


def test_a_difference_of_groups_is_the_welch_test_of_scipy(rng):
    x, y = rng.normal(-0.1, 1, 12), rng.normal(0.2, 0.4, 30)
    contrast, expected = (
        two_sample_difference(observed=x, reference=y),
        stats.ttest_ind(x, y, equal_var=False),
    )
    assert contrast.statistic(0.0) == pytest.approx(expected.statistic)
    assert contrast.degrees_of_freedom == pytest.approx(expected.df)
    assert interval(contrast, 0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def near_zero(values, **changes):
    mean = float(np.mean(values))
    return make_reading("near_duplicates", mean, replicates=tuple(values), group="64 samples", **changes)


def test_a_number_that_is_0_in_real_text_is_compared_by_difference_in_its_unit():
    real, copied = [0.0] * 8, [0.25, 0.3, 0.2, 0.25, 0.3, 0.2]
    margin, watch = Margin(margin=0.1, watch=0.05).effects(EffectScale.SHARE)
    found = compare(near_zero(copied), near_zero(real), baseline="founder", margin=margin, watch=watch)
    assert (found.effect, found.effect_unit, found.margin) == (pytest.approx(0.25), "share of samples", 0.1)
    assert found.p_beyond_margin == pytest.approx(stats.ttest_1samp(copied, 0.1, alternative="greater").pvalue)
    assert obstacle(near_zero(copied, scale="log_ratio"), near_zero(real, scale="log_ratio")).startswith(
        "near_duplicates of the"
    )


def test_group_values_in_nats_of_a_perplexity_are_compared_by_difference_and_are_ratios():
    before, after = [3.0, 3.1, 2.9, 3.0, 3.2], [2.0, 2.1, 1.9, 2.0, 2.2]
    margin, watch = Margin(margin=0.1, watch=0.05).effects(EffectScale.EXPONENTIAL)
    found = compare(
        near_zero(after, scale="exponential"),
        near_zero(before, scale="exponential"),
        baseline="founder",
        margin=margin,
        watch=watch,
    )
    assert (found.effect, found.effect_unit) == (pytest.approx(-1.0), "log ratio")
    assert (found.observed, found.reference) == pytest.approx((math.exp(2.04), math.exp(3.04)))
    assert found.margin == pytest.approx(math.log(1.1))


def test_what_fell_to_nothing_is_infinitely_far_below_its_baseline():
    gone = two_sample_log_ratio(observed=[0.0, 0.0, 0.0], reference=[1.0, 1.2, 0.9])
    assert gone.effect == -math.inf
    assert math.isnan(gone.standard_error)
    assert gone.statistic(-1.0) < 0.0


@pytest.mark.parametrize("method", [two_sample_log_ratio, two_sample_difference])
def test_groups_of_copies_count_as_their_different_samples(rng, method):
    """Sixty groups of samples each of which stands there three times are as sure as twenty such groups."""
    groups = rng.normal(2.0, 0.1, 60)
    reference = rng.normal(2.0, 0.1, 40)
    copied = method(observed=groups, reference=reference, different=(1 / 3, 1.0))
    spread = groups.std(ddof=1) / math.sqrt(20), reference.std(ddof=1) / math.sqrt(40)
    ratio = copied.observed / copied.reference if method is two_sample_log_ratio else 1.0
    error = math.hypot(spread[0], ratio * spread[1])
    error = error / copied.observed if method is two_sample_log_ratio else error
    assert copied.standard_error == pytest.approx(error)
    assert copied.effect == method(observed=groups, reference=reference).effect
    assert copied.degrees_of_freedom < method(observed=groups, reference=reference).degrees_of_freedom


def test_groups_of_copies_count_as_no_fewer_than_a_comparison_needs(rng):
    """A model that writes three texts again and again is seen to do so."""
    groups = rng.normal(2.0, 0.1, 60)
    few, five = (
        two_sample_difference(observed=groups, reference=groups + 1.0, different=(share, 1.0))
        for share in (0.01, 5 / 60)
    )
    assert few.standard_error == five.standard_error
    assert two_sample_difference(observed=groups[:3], reference=groups, different=(0.01, 1.0)).standard_error > 0.0
