"""Betting e-values: their expectation by enumeration, their level in simulation, their power beside two peers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from collapse_guard.comparison.betting import CLIP, betting_e_value, paired_e_value
from collapse_guard.errors import InputError

CONTRASTS = arrays(np.float64, st.integers(0, 30), elements=st.floats(-1.0, 1.0))


def plug_in(x, mean, alpha, c=0.5):
    """The predictable plug-in bet of Waudby-Smith and Ramdas (2024), one-sided: the peer. x in [0, 1]."""
    fortune, total, squares = [], 0.0, 0.0
    running = 1.0
    for t, value in enumerate(x, 1):
        variance = (0.25 + squares) / t
        bet = min(math.sqrt(2 * math.log(1 / alpha) / (t * math.log(1 + t) * variance)), c / mean)
        running *= 1 + bet * (value - mean)
        total += value
        squares += (value - (0.5 + total) / (t + 1)) ** 2
        fortune.append(running)
    return fortune


def test_the_peer_is_the_published_one():
    """science.md 5.1."""
    x = [0.6, 0.7, 0.55, 0.65, 0.8, 0.6, 0.75, 0.7, 0.62, 0.68]
    published = [1.1, 1.32, 1.386, 1.5939, 2.07207, 2.279277, 2.849096, 3.418916, 3.829185, 4.518439]
    assert plug_in(x, 0.5, 0.05) == pytest.approx(published, abs=1e-5)


@pytest.mark.parametrize("low", [-1.0, -0.5, -0.1])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_the_expectation_is_one_where_the_mean_is_zero(low, n):
    """All outcomes of a two-point distribution on {low, 0.4}, enumerated."""
    p_low = 0.4 / (0.4 - low)
    expectation = sum(
        math.prod(p_low if x == low else 1 - p_low for x in outcome) * betting_e_value(np.array(outcome))
        for outcome in itertools.product((low, 0.4), repeat=n)
    )
    assert expectation == pytest.approx(1.0, abs=1e-12)


@given(CONTRASTS, st.randoms())
def test_the_order_of_documents_does_not_matter_to_a_single_bit(contrasts, random):
    shuffled = list(contrasts)
    random.shuffle(shuffled)
    assert betting_e_value(np.array(shuffled)) == betting_e_value(contrasts)


@given(CONTRASTS, st.floats(0.0, 2.0))
def test_it_never_falls_where_contrasts_rise(contrasts, rise):
    higher = np.minimum(contrasts + rise * np.arange(len(contrasts)) % 1.0, 1.0)
    higher = np.maximum(higher, contrasts)
    assert betting_e_value(higher) >= betting_e_value(contrasts) * (1 - 1e-12)


def test_extremes_are_numbers():
    assert betting_e_value(np.zeros(0)) == 1.0
    assert 0.0 < betting_e_value(np.full(10, -1.0)) < 1.0
    assert math.isfinite(betting_e_value(np.ones(10**6)))
    assert math.isnan(betting_e_value(np.array([0.1, math.nan])))
    with pytest.raises(InputError, match=r"`contrasts` must lie in \[-1, 1\], but got -1.5"):
        betting_e_value(np.array([0.2, -1.5]))


NOISES = {
    "normal": lambda rng, size: 0.2 * rng.normal(size=size),
    "heavy tails": lambda rng, size: 0.1 * rng.standard_t(3, size=size),
    "skewed to harm": lambda rng, size: 0.1 * (rng.exponential(size=size) - 1.0),
    "skewed from harm": lambda rng, size: 0.1 * (1.0 - rng.exponential(size=size)),
    "rare large harm": lambda rng, size: np.where(rng.random(size) < 0.02, 0.49, -0.01),
}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("n", [20, 200])
def test_the_level_holds_at_the_margin_for_any_noise_and_unequal_weights(name, n):
    """P(e >= 1/a) <= a. The clipped mean is put to 0 exactly where noise is not symmetric: what is tested is it."""
    rng, trials, margin = np.random.default_rng(n), 2000, 0.1
    noise = np.clip(NOISES[name](rng, (trials, n)), -CLIP, CLIP)
    noise -= np.clip(NOISES[name](np.random.default_rng(1), 10**6), -CLIP, CLIP).mean()
    weights = np.random.default_rng(2).uniform(10.0, 60.0, n)
    e_values = np.array(
        [
            paired_e_value(observed=5.0 + margin + row, reference=np.full(n, 5.0), weights=weights, hypothesis=margin)
            for row in noise
        ]
    )
    for level in (0.05, 0.01):
        assert (e_values >= 1 / level).sum() <= stats.binom(trials, level).ppf(0.9999)


def test_a_t_test_is_wrong_where_few_documents_hold_what_harm_there_is():
    """Why documents are bet on: two in a hundred documents got half a nat easier, all others a hundredth harder, so
    the mean is at the margin; the t test calls that harm in two thirds of all samples of 20 documents."""
    rng, trials, n = np.random.default_rng(3), 1000, 20
    contrasts = np.where(rng.random((trials, n)) < 0.02, -0.49, 0.01) + 1e-6 * rng.normal(size=(trials, n))
    t_alarms = (stats.ttest_1samp(contrasts, 0.0, axis=1, alternative="greater").pvalue <= 0.05).sum()
    bet_alarms = sum(betting_e_value(row / CLIP) >= 20 for row in contrasts)
    assert t_alarms > 0.6 * trials
    assert bet_alarms <= stats.binom(trials, 0.05).ppf(0.9999)


@pytest.mark.parametrize("effect", [0.02, 0.05, 0.15])
def test_the_power_is_about_that_of_the_plug_in_bet(effect):
    """On the same contrasts. The plug-in may stop at its best moment; ours may not, so that order does not matter."""
    rng, level, n = np.random.default_rng(4), 1e-3, round((4.5 * 0.2 / effect) ** 2) + 10
    contrasts = np.clip(effect + 0.2 * rng.normal(size=(300, n)), -CLIP, CLIP) / CLIP
    ours = np.array([betting_e_value(row) for row in contrasts])
    theirs = np.array([max(plug_in((row + 1) / 2, 0.5, level)) for row in contrasts])
    assert (ours >= 1 / level).mean() >= (theirs >= 1 / level).mean() - 0.1


def test_both_sides_and_both_scales_are_mirrors():
    rng = np.random.default_rng(5)
    founder = rng.uniform(3.0, 6.0, 60)
    harder, easier = founder + 0.3, founder - 0.3
    up = paired_e_value(observed=harder, reference=founder, hypothesis=0.1)
    down = paired_e_value(observed=easier, reference=founder, hypothesis=-0.1, side=-1)
    assert up == pytest.approx(down)
    assert up > 1000 > 1 > paired_e_value(observed=easier, reference=founder, hypothesis=0.1)
    ratio = paired_e_value(observed=1.4 * founder, reference=founder, hypothesis=math.log(1.1), log_ratio=True)
    same_in_bits = paired_e_value(
        observed=2.8 * founder, reference=2.0 * founder, hypothesis=math.log(1.1), log_ratio=True
    )
    assert ratio == pytest.approx(same_in_bits)
    assert ratio > 100


def test_weights_count_tokens_and_only_their_ratios_matter():
    founder, harder = np.full(40, 4.0), np.full(40, 4.0)
    harder[:20] += 0.4
    heavy = np.where(np.arange(40) < 20, 50.0, 5.0)
    heavy_ones_got_harder = paired_e_value(observed=harder, reference=founder, weights=heavy, hypothesis=0.1)
    light_ones_got_harder = paired_e_value(observed=harder, reference=founder, weights=heavy[::-1], hypothesis=0.1)
    assert heavy_ones_got_harder > 20 > 1 > light_ones_got_harder
    assert paired_e_value(observed=harder, reference=founder, weights=10 * heavy, hypothesis=0.1) == pytest.approx(
        heavy_ones_got_harder
    )
