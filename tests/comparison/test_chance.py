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


def test_measurements_take_the_place_of_the_assumption_one_by_one():
    level, watch = 0.001, 0.05
    assumed = watch / stats.t.isf(level, ASSUMED)
    few = moderated([Spread(0.1, 2.0)], watch=watch, level=level)
    assert few.freedom == ASSUMED
    assert few.sd == pytest.approx(math.sqrt((6 * assumed**2 + 2 * 0.1**2) / 8))
    many = moderated([Spread(0.1, 2.0), Spread(0.02, 10.0)], watch=watch, level=level)
    assert many == moderated([Spread(0.1, 2.0), Spread(0.02, 10.0)], watch=99.0, level=level)
    assert many.sd == pytest.approx(math.sqrt((2 * 0.1**2 + 10 * 0.02**2) / 12))


@given(EFFECTS, st.floats(-5.0, 5.0), st.floats(-1.0, 1.0))
def test_neither_a_shift_that_stays_nor_one_that_grows_evenly_is_noise(effects, shift, slope):
    moved = [effect + shift + slope * t for t, effect in enumerate(effects)]
    assert spread_of_changes(moved).sd == pytest.approx(spread_of_changes(effects).sd, abs=1e-12)


def test_three_changes_are_needed_and_infinite_effects_say_nothing():
    assert spread_of_changes([0.1, 0.4, 0.2]) is None
    assert spread_of_changes([0.1, 0.4, 0.2, 0.3]).freedom == pytest.approx(2 / 1.5)
    assert spread_of_changes([0.1, 0.4, math.inf, 0.3]) is None


def test_one_lost_slice_does_not_hide_itself_in_the_spread_of_the_others():
    rng = np.random.default_rng(0)
    others = rng.normal(0.0, 0.02, 15)
    assert spread_of_others([*others, 3.0]).sd == pytest.approx(spread_of_others(others).sd, rel=0.5)
    assert spread_of_others([0.1, 0.2, 0.3]) is None


def test_the_limit_of_changes_is_exceeded_as_rarely_as_it_says():
    """Founder and generations are alike; ten generations before tell how noisy they are, and nothing else does."""
    level, lineages, exceeded = 0.02, 4000, 0
    rng = np.random.default_rng(1)
    for _ in range(lineages):
        founder, *past, now = rng.normal(0.0, 0.05, 16)
        noise = moderated([spread_of_changes([one - founder for one in past])], watch=1e-9, level=level)
        exceeded += now - founder > reach(noise, standard_error=0.0, freedom=99.0, level=level)
    assert exceeded <= stats.binom(lineages, level).ppf(0.999)
    assert exceeded >= stats.binom(lineages, level / 2).ppf(0.001), "the limit is not so wide that it says nothing"


def test_noise_of_training_and_error_of_measuring_add_up_as_squares():
    noise = Spread(0.03, 20.0)
    alone = reach(noise, standard_error=0.0, freedom=50.0, level=0.01)
    measured = reach(Spread(0.0, 20.0), standard_error=0.02, freedom=50.0, level=0.01)
    assert alone == pytest.approx(0.03 * stats.t.isf(0.01, 20))
    assert measured == pytest.approx(0.02 * stats.t.isf(0.01, 50))
    assert reach(noise, standard_error=0.02, freedom=50.0, level=0.01) == pytest.approx(math.hypot(alone, measured))
    assert quantile(0.01, 20.0) == pytest.approx(stats.t.isf(0.01, 20))
