"""Evidence over generations: its recursions are doctests; here are the promises, by simulation with real e-values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.betting import betting_e_value
from collapse_guard.comparison.sequential import cusum, horizon_p, product, spending_share
from collapse_guard.errors import InputError

E_VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12)


@given(E_VALUES)
def test_the_detector_is_the_largest_over_beginnings_and_the_product_begins_first(e_values):
    """The slow definition."""
    for t in range(1, len(e_values) + 1):
        since = [math.prod(e_values[s:t]) for s in range(t)]
        assert cusum(e_values)[t - 1] == pytest.approx(max(since))
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
    horizon, alpha, n = 20, 0.05, 500
    series = lineages(n, horizon)
    assert sum(horizon_p(max(cusum(e)), horizon) <= alpha for e in series) <= stats.binom(n, alpha).ppf(0.9999)
    assert sum(horizon_p(max(product(e)), 1) <= alpha for e in series) <= stats.binom(n, alpha).ppf(0.9999)


def test_the_usual_threshold_of_a_detector_is_no_such_promise():
    """M >= 1/alpha bounds the mean time between false alarms: within 20 generations far more than alpha see one."""
    alarms = sum(max(cusum(e)) >= 20 for e in lineages(400, 20, seed=1))
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


@pytest.mark.parametrize("accumulate", [product, cusum])
def test_the_largest_evidence_is_finite_and_can_still_fall(accumulate):
    risen = accumulate([1e299, 1e299, math.inf, 1e-299])
    assert all(map(math.isfinite, risen))
    assert risen[-1] == pytest.approx(10.0)
    assert accumulate([1e299, 1e299, 0.0])[-1] == 0.0
    assert accumulate([]) == []


@pytest.mark.parametrize("accumulate", [product, cusum])
def test_what_is_not_a_number_is_no_evidence_from_then_on(accumulate):
    statistics = accumulate([400.0, math.nan, 1e6])
    assert horizon_p(statistics[0], 20) < 1.0
    assert [horizon_p(m, 20) for m in statistics[1:]] == [1.0, 1.0]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match=r"`e_values` must be at least 0, but got -0\.5"):
        product([1.0, -0.5])
    with pytest.raises(InputError, match="`horizon` must be at least 1 generation, but got 0"):
        horizon_p(2.0, 0)
    with pytest.raises(InputError, match="`t` must be 0 or above, but got -1"):
        spending_share(-1)


@given(st.integers(0, 10**6))
def test_the_first_looks_together_spend_what_the_telescope_says(t):
    first = min(t, 200)
    assert math.fsum(spending_share(s) for s in range(first)) == pytest.approx(first / (first + 1))
    assert 0.0 < spending_share(t + 1) < spending_share(t) <= 0.5
