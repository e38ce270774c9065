"""What a generation takes for chance: by the definition, from each thing that is known."""

import math

import numpy as np
import pytest
from scipy import stats

from building import make_reading
from collapse_guard.comparison.chance import Spread
from collapse_guard.comparison.paired import paired_difference
from collapse_guard.decision.chances import Chances
from collapse_guard.decision.drift import Drift
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Direction, Refits

WATCH, MARGIN = 1e-3, 1e-5
CHANCES = Chances(watch_level=WATCH, margin_level=MARGIN)
RATES = np.random.default_rng(0).normal(4.0, 0.1, (2, 50))
CONTRAST = paired_difference(observed=RATES[0], reference=RATES[1])


def reading(name="reverse_perplexity", **changes):
    return make_reading(name, 50.0, **changes)


def of(here, there=None, chances=CHANCES, **changes):
    return chances.of(here, there or here, CONTRAST, **{"watch": 0.05, **changes})


def measured(level):
    return stats.t.isf(level, CONTRAST.degrees_of_freedom) * CONTRAST.standard_error


def test_nothing_known_leaves_the_error_of_measuring():
    found = of(reading())
    assert found.watch == pytest.approx(measured(WATCH))
    assert (found.sd, found.margin, found.refits, found.generations, found.slices) == (0.0, 0.0, 0, 0, 0)


def test_refits_of_both_sides_add_up_as_squares():
    here, there = (reading(refits=Refits(n=32, sd=sd)) for sd in (0.03, 0.04))
    found = of(here, there)
    assert found.sd == pytest.approx(0.05)
    assert found.margin == pytest.approx(0.05 * stats.t.isf(MARGIN, 31))
    assert found.watch == pytest.approx(math.hypot(0.05 * stats.t.isf(WATCH, 31), measured(WATCH)))
    assert of(here, reading()).refits == 0, "one side alone says nothing of a difference"


def test_two_sided_harm_and_a_choice_of_slices_divide_the_level():
    both = reading(direction=Direction.BOTH)
    assert of(both).watch == pytest.approx(measured(WATCH / 2))
    assert of(reading(), n_slices=8).watch == pytest.approx(measured(WATCH / 8))


def test_other_slices_are_pooled_with_the_refits_of_a_slice_by_their_degrees_of_freedom():
    """Refits of a slice are averaged with what its size would give if all slices were alike."""
    slices = ("a",) * 40 + ("b",) * 10
    one = reading("worst_slice_reverse", slices=slices, refits=Refits(n=32, sd=0.0, by_slice={"a": 0.02, "b": 0.06}))
    alike = (40 * 0.02**2 + 10 * 0.06**2) / 2
    of_refits = math.sqrt(2 * (0.02**2 + alike / 40) / 2)
    alone = of(one, slice_="a", n_slices=2)
    assert alone.sd == pytest.approx(of_refits)
    assert alone.margin == pytest.approx(of_refits * stats.t.isf(MARGIN / 2, 62))
    pooled = math.sqrt((62 * of_refits**2 + 5 * 0.3**2) / 67)
    found = of(one, slice_="a", n_slices=2, others=Spread(0.3, 5.0))
    assert found.sd == pytest.approx(pooled)
    assert found.margin == pytest.approx(pooled * stats.t.isf(MARGIN / 2, 67))


def test_the_changes_of_a_lineage_count_where_they_show_more_than_the_refits():
    past = (0.1, 0.3, 0.05, 0.4, 0.2)
    changes = np.diff(past)
    noisy = Chances(watch_level=WATCH, margin_level=MARGIN, past=past)
    assumed = 0.05 / stats.norm.isf(WATCH)
    freedom = (len(changes) - 1) / 1.5
    expected = math.sqrt((8 * assumed**2 + freedom * changes.var(ddof=1)) / (8 + freedom))
    for sd in (1e-6, 0.001):
        found = of(reading(refits=Refits(n=32, sd=sd)), chances=noisy)
        assert found.sd == pytest.approx(expected)
    loud = of(reading(refits=Refits(n=32, sd=1.0)), chances=noisy)
    assert loud.sd == pytest.approx(math.sqrt(2.0))


def test_a_margin_that_chance_alone_passes_is_raised_and_the_reason_says_so():
    documents = {"keys": tuple(map(str, range(50))), "weights": (1.0,) * 50, "group": "document"}
    refits = Refits(n=32, sd=0.1)
    here, there = (reading(replicates=tuple(row), refits=refits, **documents) for row in RATES)
    drift = Drift(policy=Policy(), alert_level=0.01, watch_level=WATCH, history=())
    (found,) = drift.comparisons({here.indicator: here}, {there.indicator: there}, {here.indicator})
    level = Policy().alpha / Policy().horizon / len(Policy().decides)
    assert found.margin == pytest.approx(0.1 * math.sqrt(2) * stats.t.isf(level, 31))
    assert found.margin_by_chance
    assert found.margin > Policy().margin(here.indicator, "founder").effects(here.scale)[0]
