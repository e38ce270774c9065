"""What chance alone does to an effect: against the slow definition, and at its level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.chance import (
    ASSUMED,
    Spread,
    filled,
    moderated,
    quantile,
    reach,
    spread_of_changes,
    spread_of_others,
)

EFFECTS = st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=12)


@pytest.mark.parametrize("level", [0.05, 1e-3, 1e-5])
def test_without_any_measurement_the_limit_is_the_watch_level(level):
    found = moderated([], watch=0.07, level=level)
    assert reach(found, standard_error=0.0, freedom=99.0, level=level) == pytest.approx(0.07)


def test_what_was_measured_outvotes_the_assumption_as_it_grows():
    level, watch = 0.001, 0.05
    assumed = watch / stats.norm.isf(level)
    few = moderated([Spread(0.1, 2.0)], watch=watch, level=level)
    assert few.sd == pytest.approx(math.sqrt((8 * assumed**2 + 2 * 0.1**2) / 10))
    many = moderated([Spread(0.1, 2.0), Spread(0.02, 10.0)], watch=watch, level=level)
    assert many.sd == pytest.approx(math.sqrt((8 * assumed**2 + 2 * 0.1**2 + 10 * 0.02**2) / 20))
    assert math.isinf(many.freedom)


def test_noise_as_the_policy_assumes_it_leaves_the_limit_where_it_is():
    """However few or many generations have shown it."""
    for level in (0.01, 1e-5):
        assumed = 0.05 / stats.norm.isf(level)
        for freedom in (2.0, 50.0):
            noise = moderated([Spread(assumed, freedom)], watch=0.05, level=level)
            assert reach(noise, standard_error=0.0, freedom=99.0, level=level) == pytest.approx(0.05)


def test_controls_are_filled_up_to_eight_degrees_of_freedom():
    level, watch = 0.001, 0.05
    assumed = watch / stats.t.isf(level, ASSUMED)
    assert filled(Spread(0.1, 2.0), watch=watch, level=level) == Spread(
        pytest.approx(math.sqrt((6 * assumed**2 + 2 * 0.1**2) / 8)), ASSUMED
    )
    assert filled(Spread(0.1, 9.0), watch=watch, level=level) == Spread(pytest.approx(0.1), 9.0)


@given(EFFECTS, st.floats(-5.0, 5.0), st.floats(-1.0, 1.0))
def test_neither_a_shift_that_stays_nor_one_that_grows_evenly_is_noise(effects, shift, slope):
    moved = [effect + shift + slope * t for t, effect in enumerate(effects)]
    assert spread_of_changes(moved).sd == pytest.approx(spread_of_changes(effects).sd, abs=1e-12)


def test_three_changes_are_needed_and_infinite_effects_say_nothing():
    assert spread_of_changes([0.1, 0.4, 0.2]) is None
    assert spread_of_changes([0.1, 0.4, 0.2, 0.3]).freedom == pytest.approx(2 / 1.5)
    assert spread_of_changes([0.1, 0.4, math.inf, 0.3]) is None
    assert spread_of_changes([math.inf, math.inf, 0.1, 0.2, 0.3]) is None


def test_one_lost_slice_does_not_hide_itself_in_the_spread_of_the_others():
    rng = np.random.default_rng(0)
    others = rng.normal(0.0, 0.02, 15)
    assert spread_of_others([*others, 3.0]).sd == pytest.approx(spread_of_others(others).sd, rel=0.5)
    assert spread_of_others([0.1, 0.2, 0.3]) is None


@pytest.mark.parametrize(("noise", "most"), [(1.0, 0.01), (3.0, 0.06)])
def test_ten_generations_teach_what_chance_reaches(noise, most):
    """Founder and generations are alike, and as noisy as the policy assumes, or three times as noisy: then the
    assumption alone would be exceeded in a fifth of the lineages, and what ten generations have shown is in few."""
    level, watch, lineages, exceeded, blind = 0.005, 0.05, 4000, 0, 0
    rng = np.random.default_rng(1)
    sd = noise * watch / stats.norm.isf(level) / math.sqrt(2)
    for _ in range(lineages):
        founder, *past, now = rng.normal(0.0, sd, 12)
        known = moderated([spread_of_changes([one - founder for one in past])], watch=watch, level=level)
        exceeded += now - founder > max(watch, reach(known, standard_error=0.0, freedom=99.0, level=level))
        blind += now - founder > watch
    assert exceeded <= stats.binom(lineages, most).ppf(0.999)
    assert noise == 1.0 or blind > 0.15 * lineages


def test_noise_of_training_and_error_of_measuring_add_up_as_squares():
    noise = Spread(0.03, 20.0)
    alone = reach(noise, standard_error=0.0, freedom=50.0, level=0.01)
    measured = reach(Spread(0.0, 20.0), standard_error=0.02, freedom=50.0, level=0.01)
    assert alone == pytest.approx(0.03 * stats.t.isf(0.01, 20))
    assert measured == pytest.approx(0.02 * stats.t.isf(0.01, 50))
    assert reach(noise, standard_error=0.02, freedom=50.0, level=0.01) == pytest.approx(math.hypot(alone, measured))
    assert quantile(0.01, 20.0) == pytest.approx(stats.t.isf(0.01, 20))
