"""What is said to be found is found in four of five cases, and as many samples as are said to decide do."""

import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.comparison.betting import BETS, CLIP, betting_e_value, paired_e_value
from collapse_guard.comparison.contrast import beyond
from collapse_guard.comparison.paired import paired_difference
from collapse_guard.comparison.power import detectable, detectable_by_betting, samples_needed
from collapse_guard.records import Direction

MARGIN = 0.1


@pytest.mark.parametrize(("n", "level"), [(10, 0.05), (30, 0.001), (200, 1e-4)])
def test_a_t_test_finds_what_it_is_said_to_find_in_four_of_five_cases(n, level):
    harm = detectable(0.2 / math.sqrt(n), n - 1, level=level, margin=MARGIN)
    x = harm + 0.2 * np.random.default_rng(n).normal(size=(4000, n))
    found = (stats.ttest_1samp(x, MARGIN, axis=1, alternative="greater").pvalue <= level).mean()
    exact = stats.nct(n - 1, (harm - MARGIN) / (0.2 / math.sqrt(n))).sf(stats.t(n - 1).isf(level))
    # The central t distribution stands for the noncentral one: good to a few points in a hundred.
    assert 0.76 < exact < 0.84
    assert found == pytest.approx(exact, abs=5 * math.sqrt(0.16 / 4000))


@pytest.mark.parametrize("level", [0.05, 0.05 / 60, 0.05 / 132 / 10])
@pytest.mark.parametrize(
    ("n", "spread"),
    [(20, 0.02), (30, 0.2), (60, 0.005), (150, 0.1), (200, 0.6), (600, 0.2), (2000, 0.02), (2000, 0.3)],
)
def test_a_bet_finds_what_it_is_said_to_find_in_four_of_five_cases(n, spread, level):
    """Few and many documents, much and little noise, clipped and not. 300 trials at power .8 fall out of .7 to .9 with
    probability 3 x 10^-5, and the seed is fixed."""
    rng = np.random.default_rng(n)
    harm = detectable_by_betting(spread / math.sqrt(n), n - 1, level=level, margin=MARGIN)
    assert MARGIN < harm < MARGIN + CLIP
    found = [
        paired_e_value(observed=5.0 + harm + spread * rng.normal(size=n), reference=[5.0] * n, hypothesis=MARGIN)
        >= 1 / level
        for _ in range(300)
    ]
    assert 0.7 < np.mean(found) < 0.9


@pytest.mark.parametrize("spread", [0.05, 0.2])
def test_a_bet_on_documents_of_unequal_length_finds_it_too(spread):
    rng, n, level = np.random.default_rng(0), 500, 1e-4
    weights = rng.gamma(4.0, 30.0, n)
    error = spread * math.sqrt((weights**2).sum()) / weights.sum()
    harm = detectable_by_betting(error, n - 1, level=level, margin=MARGIN)
    found = [
        paired_e_value(
            observed=harm + spread * rng.normal(size=n), reference=np.zeros(n), weights=weights, hypothesis=MARGIN
        )
        >= 1 / level
        for _ in range(200)
    ]
    assert 0.6 < np.mean(found) < 0.97


def test_without_noise_a_bet_needs_the_harm_that_a_fortune_of_all_bets_needs():
    """The closed form: every document is d beyond the margin, and mean over bets of (1 + b d)^n = 1/level."""
    harm = detectable_by_betting(0.0, 49, level=1e-3, margin=MARGIN)
    assert np.mean((1 + BETS * (harm - MARGIN) / CLIP) ** 50) == pytest.approx(1e3)
    assert betting_e_value(np.full(50, (harm - MARGIN) / CLIP)) == pytest.approx(1e3)


def test_with_much_data_a_bet_needs_about_root_two_log_standard_errors():
    """Growth of the best bet, exp(z^2/2), less what the mean over bets costs: at 10,000 documents a factor of 5."""
    for level in (0.01, 1e-4):
        z = (detectable_by_betting(6e-4, 9_999, level=level, margin=MARGIN) - MARGIN) / 6e-4 - stats.norm.ppf(0.8)
        assert math.sqrt(2 * math.log(3 / level)) < z < math.sqrt(2 * math.log(7 / level))


def test_where_no_harm_can_be_found_that_is_said():
    assert detectable_by_betting(0.1, 4, level=1e-6, margin=MARGIN) == math.inf, "1.95^5 is below a million"
    assert math.isnan(detectable_by_betting(math.nan, 99, level=0.05, margin=MARGIN))
    assert detectable_by_betting(0.02, 99, level=0.05, margin=MARGIN) > detectable(0.02, 99, level=0.05, margin=MARGIN)


@pytest.mark.parametrize("worse_by", [0.05, 0.2])
def test_as_many_samples_as_are_said_to_decide_do_in_four_of_five_cases(worse_by):
    """Harm below the margin is to be shown within it, harm above it beyond."""
    rng, n, spread, level = np.random.default_rng(1), 40, 0.5, 0.01
    levels = (1e-9, level) if worse_by < MARGIN else (level, 1e-9)
    noise = rng.normal(size=n)
    first = worse_by + spread * (noise - noise.mean()) / noise.std(ddof=1)
    contrast = paired_difference(observed=first, reference=[0.0] * n)
    needed = samples_needed(contrast, MARGIN, Direction.UP, n, *levels)
    x = worse_by + spread * rng.normal(size=(1000, needed))
    side = "less" if worse_by < MARGIN else "greater"
    decided = (stats.ttest_1samp(x, MARGIN, axis=1, alternative=side).pvalue <= level).mean()
    assert needed > n
    assert 0.74 < decided < 0.86


def test_no_number_of_samples_decides_what_is_at_the_margin_or_infinite():
    at_the_margin = paired_difference(observed=[0.0, 0.1, 0.2, 0.1], reference=[0.0] * 4)
    assert samples_needed(at_the_margin, MARGIN, Direction.UP, 4, 0.05, 0.05) is None
    just_off = paired_difference(observed=[0.0, 0.1001, 0.2, 0.1001], reference=[0.0] * 4)
    assert samples_needed(just_off, MARGIN, Direction.UP, 4, 0.05, 0.05) is None, "a thousand times as many and more"


def test_harm_downwards_and_to_both_sides_is_measured_toward_its_own_margin():
    fell = paired_difference(observed=[-0.6, -0.1, -0.4, -0.3], reference=[0.0] * 4)
    rose = paired_difference(observed=[0.6, 0.1, 0.4, 0.3], reference=[0.0] * 4)
    needed = samples_needed(rose, MARGIN, Direction.UP, 4, 0.001, 0.05)
    assert needed == samples_needed(fell, MARGIN, Direction.DOWN, 4, 0.001, 0.05)
    assert needed == samples_needed(fell, MARGIN, Direction.BOTH, 4, 0.001, 0.05)
    assert beyond(rose, MARGIN, Direction.UP) > 0.001, "undecided so far"


def test_what_is_decided_already_needs_one_sample_more_and_what_a_thousandfold_does_not_decide_has_no_number():
    clear = paired_difference(observed=[1.0, 1.01, 0.99, 1.0], reference=[0.0] * 4)
    assert samples_needed(clear, MARGIN, Direction.UP, 400, 0.05, 0.05) == 401
    distance = clear.standard_error * (stats.t(3).isf(0.05) + stats.t(3).ppf(0.8))
    for factor, is_known in ((999.0, True), (1001.0, False)):
        margin = clear.effect + distance / math.sqrt(factor)
        needed = samples_needed(clear, margin, Direction.UP, 400, 0.05, 0.05)
        assert (needed is not None) == is_known
        assert needed is None or needed == pytest.approx(400 * factor, rel=1e-3)
