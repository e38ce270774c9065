"""What is said to be found is found in four of five cases."""

import numpy as np
import pytest
from scipy import stats

from collapse_guard.comparison.betting import paired_e_value
from collapse_guard.comparison.power import detectable, detectable_by_betting

MARGIN = 0.1


@pytest.mark.parametrize(("n", "level"), [(10, 0.05), (30, 0.001)])
def test_a_t_test_finds_what_it_is_said_to_find_in_four_of_five_cases(n, level):
    rng, trials = np.random.default_rng(n), 4000
    harm = detectable(0.2 / np.sqrt(n), n - 1, level=level, margin=MARGIN)
    x = harm + 0.2 * rng.normal(size=(trials, n))
    found = (stats.ttest_1samp(x, MARGIN, axis=1, alternative="greater").pvalue <= level).mean()
    # The central t distribution stands for the noncentral one: good to a few points in a hundred.
    assert 0.75 < found < 0.86


@pytest.mark.parametrize("level", [0.05 / 6, 0.05 / 6 / 10, 0.05 / 132 / 10])
@pytest.mark.parametrize(("n", "spread"), [(150, 0.1), (600, 0.2), (2000, 0.3)])
def test_a_bet_finds_about_what_it_is_said_to_find(n, spread, level):
    rng, trials = np.random.default_rng(n), 250
    harm = detectable_by_betting(spread / np.sqrt(n), n - 1, level=level, margin=MARGIN)
    founder = np.full(n, 5.0)
    e_values = [
        paired_e_value(observed=5.0 + harm + spread * rng.normal(size=n), reference=founder, hypothesis=MARGIN)
        for _ in range(trials)
    ]
    assert 0.65 < np.mean(np.array(e_values) >= 1 / level) < 0.95
