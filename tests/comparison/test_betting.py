"""Betting e-values: their expectation by enumeration, their level in simulation, their power beside two peers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from collapse_guard.comparison.betting import BETS, CLIP, betting_e_value, paired_e_value
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
    assert math.isfinite(betting_e_value(np.ones(10**5)))
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
    for unit in (2.0, 1e-3):
        rescaled = {"observed": 1.4 * unit * founder, "reference": unit * founder}
        assert ratio == pytest.approx(paired_e_value(**rescaled, hypothesis=math.log(1.1), log_ratio=True))
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


@given(CONTRASTS)
def test_it_is_the_mean_fortune_of_all_bets(contrasts):
    """The slow definition, in products instead of logarithms."""
    fortunes = [math.prod(1 + bet * c for c in contrasts) for bet in BETS]
    assert betting_e_value(contrasts) == pytest.approx(math.fsum(fortunes) / len(BETS), rel=1e-9)


@pytest.mark.parametrize("means", [(0.5, -0.5), (0.8, -0.3, -0.5), (-0.2, -0.2, 0.1, 0.3)])
def test_documents_need_not_be_alike_as_long_as_their_expectations_sum_to_nothing(means):
    """All outcomes of coins on {-1, 1} with these means, enumerated."""
    expectation = sum(
        math.prod((1 + m * x) / 2 for m, x in zip(means, outcome, strict=True)) * betting_e_value(outcome)
        for outcome in itertools.product((-1.0, 1.0), repeat=len(means))
    )
    assert expectation < 1.0


def test_a_t_test_of_twenty_skewed_documents_is_off_by_a_factor_that_grows_as_levels_fall():
    """Most documents got a little harder and few much easier (an exponential tail), on average not at all. By 200,000
    trials elsewhere the t test alarms in 11.0, 1.6 and 0.58% at 5, 0.1 and 0.01%. False failure: below 10^-6."""
    rng, trials = np.random.default_rng(6), 40_000
    contrasts = 0.1 * (1 - rng.exponential(size=(trials, 20)))
    p = stats.ttest_1samp(contrasts, 0.0, axis=1, alternative="greater").pvalue
    for level, at_least in ((0.05, 2), (1e-3, 10), (1e-4, 30)):
        assert (p <= level).sum() > at_least * level * trials
    e_values = np.array([betting_e_value(np.clip(row, -1, 1)) for row in contrasts[:4000]])
    assert (e_values >= 1e3).sum() <= stats.binom(4000, 1e-3).ppf(1 - 1e-6)


@pytest.mark.parametrize(
    ("level", "effect", "times"), [(0.05, 0.2, 2.6), (0.05, 0.5, 2.6), (1e-4, 0.2, 1.65), (1e-4, 0.5, 1.7)]
)
def test_it_has_the_power_of_a_t_test_with_a_stated_number_of_times_as_many_documents(level, effect, times):
    """80% power at so many SDs; 400 trials at power .8 fall below .74 with probability 0.002, at a fixed seed."""
    rng, spread = np.random.default_rng(7), 0.3
    n_t = next(n for n in range(3, 10_000) if t_power(n, effect, level) >= 0.8)
    n = math.ceil(times * n_t)
    contrasts = np.clip(spread * (effect + rng.normal(size=(400, n))), -1, 1)
    found = np.mean([betting_e_value(row) >= 1 / level for row in contrasts])
    too_few = np.mean([betting_e_value(row[:n_t]) >= 1 / level for row in contrasts])
    assert too_few < 0.7 < 0.74 < found


def t_power(n, effect, level):
    return stats.nct(n - 1, effect * math.sqrt(n)).sf(stats.t(n - 1).isf(level))


def test_documents_of_very_different_lengths_are_all_heard():
    """Lengths of a lognormal distribution: if each counted by its share of the longest, 500 would count as some 30."""
    rng, n, trials = np.random.default_rng(8), 500, 60
    found = 0
    for _ in range(trials):
        weights = rng.lognormal(0.0, 1.0, n)
        observed = 5.0 + 0.1 + 0.08 + 0.2 * rng.normal(size=n)
        e_value = paired_e_value(observed=observed, reference=np.full(n, 5.0), weights=weights, hypothesis=0.1)
        found += e_value >= 1000
    assert found >= 0.8 * trials


@pytest.mark.parametrize("side", [1, -1])
def test_the_level_holds_for_ratios_at_the_margin(side):
    """Rates of documents vary threefold, and each is the margin's ratio times noise with a mean of 1."""
    rng, n, trials, margin = np.random.default_rng(9), 60, 2000, side * math.log(1.1)
    alarms = 0
    for _ in range(trials):
        founder, noise = rng.uniform(2.0, 6.0, n), rng.uniform(0.8, 1.2, n)
        observed = math.exp(margin) * founder * noise
        weights = rng.uniform(1.0, 5.0, n)
        alarms += (
            paired_e_value(
                observed=observed, reference=founder, weights=weights, hypothesis=margin, side=side, log_ratio=True
            )
            >= 20
        )
    assert alarms <= stats.binom(trials, 0.05).ppf(1 - 1e-6)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_harder_document_never_gives_less_evidence_of_harm_and_a_milder_margin_never_more(seed, log_ratio):
    rng = np.random.default_rng(seed)
    founder, weights = rng.uniform(2.0, 6.0, 12), rng.uniform(1.0, 9.0, 12)
    observed = founder + 0.3 * rng.normal(size=12)
    harder = observed + np.where(np.arange(12) == rng.integers(12), rng.exponential(), 0.0)
    common = {"reference": founder, "weights": weights, "log_ratio": log_ratio}
    e_value = paired_e_value(observed=observed, hypothesis=0.05, **common)
    assert paired_e_value(observed=harder, hypothesis=0.05, **common) >= e_value * (1 - 1e-9)
    assert paired_e_value(observed=observed, hypothesis=0.1, **common) <= e_value * (1 + 1e-9)
    fall, steeper = (paired_e_value(observed=x, hypothesis=-0.05, side=-1, **common) for x in (harder, observed))
    assert fall <= steeper * (1 + 1e-9)


@pytest.mark.parametrize("log_ratio", [False, True])
@pytest.mark.parametrize("side", [1, -1])
def test_it_is_what_its_formula_says(side, log_ratio, rng):
    """The slow definition, document by document, with rises and falls beyond the clip."""
    y, w = rng.uniform(2.0, 6.0, 30), rng.uniform(1.0, 9.0, 30)
    x = y + rng.normal(0.0, 2.0, 30)
    h, contrasts = side * 0.4, []
    baseline = sum(wi * yi for wi, yi in zip(w, y, strict=True)) / sum(w)
    for xi, yi, wi in zip(x, y, w, strict=True):
        distance = (xi - math.exp(h) * yi) / baseline if log_ratio else xi - yi - h
        contrasts.append(max(-1.0, min(1.0, side * wi * len(w) / sum(w) * distance / CLIP)))
    found = paired_e_value(observed=x, reference=y, weights=w, hypothesis=h, side=side, log_ratio=log_ratio)
    fortunes = [math.prod(1 + bet * c for c in contrasts) for bet in BETS]
    assert found == pytest.approx(math.fsum(fortunes) / len(BETS), rel=1e-9)


def test_a_document_counts_as_at_most_the_clip_beyond_the_hypothesis():
    founder = np.full(5, 4.0)

    def with_first(x):
        return paired_e_value(observed=[x, 4.1, 4.0, 4.2, 4.1], reference=founder, hypothesis=0.1)

    assert with_first(4.1 + CLIP) == pytest.approx(with_first(90.0)) == with_first(math.inf)
    assert with_first(4.1 + 0.9 * CLIP) < with_first(90.0)


def test_no_documents_are_no_evidence_and_a_rate_that_is_not_a_number_gives_none():
    assert paired_e_value(observed=[], reference=[], hypothesis=0.1) == 1.0
    assert math.isnan(paired_e_value(observed=[4.0, math.nan], reference=[4.0, 4.0], hypothesis=0.1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"side": 2}, r"`side` must be 1 \(rises\) or -1 \(falls\), but got 2"),
        ({"observed": [1.0]}, "`observed` and `reference` must be of the same documents, but got 1 and 2"),
        ({"weights": [1.0]}, "`weights` must be one for each of 2 documents, but got 1"),
        ({"weights": [1.0, -1.0]}, "`weights` must be finite, at least 0 and not all 0, but got -1 to 1"),
        ({"weights": [0.0, 0.0]}, "not all 0, but got 0 to 0"),
        ({"weights": [1.0, math.nan]}, "`weights` must be finite"),
        ({"weights": [1.0, math.inf]}, "`weights` must be finite"),
        ({"reference": [0.0, 0.0], "log_ratio": True}, "`reference` must have a mean above 0 for a log ratio"),
    ],
)
def test_what_is_not_a_comparison_is_refused_by_name(wrong, message):
    with pytest.raises(InputError, match=message):
        paired_e_value(**{"observed": [1.0, 2.0], "reference": [1.0, 1.0], "hypothesis": 0.1, **wrong})


def test_contrasts_are_one_row():
    with pytest.raises(InputError, match=r"`contrasts` must be one row of numbers, but got an array of shape \(2, 2\)"):
        betting_e_value(np.zeros((2, 2)))


def test_a_document_of_no_weight_counts_for_nothing():
    founder, weights = np.linspace(3.0, 5.0, 30), np.append(np.linspace(10.0, 40.0, 29), 0.0)
    harder, milder = (np.append(np.linspace(3.3, 5.2, 29), last) for last in (9.0, 0.1))
    one, other = (
        paired_e_value(observed=x, reference=founder, weights=weights, hypothesis=0.1) for x in (harder, milder)
    )
    assert one == pytest.approx(other)
    with pytest.raises(InputError, match="not all 0"):
        paired_e_value(observed=[1.0], reference=[1.0], weights=[0.0], hypothesis=0.1)
