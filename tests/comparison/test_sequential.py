"""Evidence over generations: its recursions are doctests; here are the promises, by simulation with real e-values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.betting import betting_e_value
from collapse_guard.comparison.sequential import cusum, horizon_p, product, shiryaev_roberts, spending_share

E_VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12)


@given(E_VALUES)
def test_detectors_are_the_largest_and_the_sum_over_beginnings(e_values):
    """The slow definition."""
    for t in range(1, len(e_values) + 1):
        since = [math.prod(e_values[s:t]) for s in range(t)]
        assert cusum(e_values)[t - 1] == pytest.approx(max(since))
        assert shiryaev_roberts(e_values)[t - 1] == pytest.approx(math.fsum(since))
        assert product(e_values)[t - 1] == pytest.approx(since[0])


def lineages(n, generations, *, shift=0.0, since=1, documents=200, seed=0):
    """e-values of lineages whose fold means rise by `shift` standard deviations from generation `since` on."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        x = 0.2 * rng.normal(size=(generations, documents))
        x[since - 1 :] += 0.2 * shift
        found.append([betting_e_value(np.clip(row, -1, 1)) for row in x])
    return found


def test_the_chance_of_any_false_alarm_within_the_horizon_is_at_most_alpha():
    horizon, alpha, n = 20, 0.05, 1000
    series = lineages(n, horizon)
    for accumulate in (cusum, shiryaev_roberts):
        alarms = sum(horizon_p(max(accumulate(e)), horizon) <= alpha for e in series)
        assert alarms <= stats.binom(n, alpha).ppf(0.9999)
    assert sum(horizon_p(max(product(e)), 1) <= alpha for e in series) <= stats.binom(n, alpha).ppf(0.9999)


def test_the_usual_threshold_of_a_detector_is_no_such_promise():
    """M >= 1/alpha bounds the mean time between false alarms: within 20 generations far more than alpha see one."""
    alarms = sum(max(shiryaev_roberts(e)) >= 20 for e in lineages(400, 20, seed=1))
    assert alarms > stats.binom(400, 0.05).ppf(0.9999)


def test_harm_that_begins_late_is_found_two_generations_later():
    """science.md 5.3: folds of 200 documents, a shift of 0.2 SD from generation 9 on, c = T/alpha = 400."""
    found = []
    for e_values in lineages(300, 20, shift=0.2, since=9, seed=2):
        passed = [t for t, m in enumerate(cusum(e_values), 1) if horizon_p(m, 20) <= 0.05]
        found.append(passed[0] - 8 if passed else math.inf)
    assert np.mean(np.isfinite(found)) >= 0.97
    assert np.median(found) <= 3


def test_the_product_is_faster_where_harm_is_there_from_the_beginning_and_slower_where_it_comes_late():
    def generations(accumulate, horizon, since):
        delays = []
        for e_values in lineages(100, 20, shift=0.15, since=since, seed=3):
            passed = [t for t, m in enumerate(accumulate(e_values), 1) if horizon_p(m, horizon) <= 0.05]
            delays.append(passed[0] if passed else 99)
        return np.mean(delays)

    assert generations(product, 1, since=1) < generations(cusum, 20, since=1)
    assert generations(product, 1, since=9) > generations(cusum, 20, since=9)


def test_shares_of_a_level_sum_to_it_and_a_detector_of_nothing_alarms_at_no_level():
    assert math.fsum(spending_share(t) for t in range(10**5)) == pytest.approx(1.0, abs=2e-5)
    assert horizon_p(0.0, 10) == horizon_p(3.0, 10) == 1.0
