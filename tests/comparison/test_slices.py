"""The worst of several slices: what happens to all documents cancels out, and the choice of the worst is paid for."""

import numpy as np
import pytest
from scipy import stats

from building import make_reading
from collapse_guard.comparison.chance import Spread
from collapse_guard.comparison.compare import compare
from collapse_guard.comparison.slices import slice_readings, spread_between, worst_of

NAMES = ("north", "south", "east", "west", "")


def reading(rates, weights=None, labels=None):
    n = len(rates)
    labels = [NAMES[i % 4] for i in range(n)] if labels is None else labels
    return make_reading(
        "worst_slice_loss",
        0.0,
        replicates=tuple(map(float, rates)),
        weights=tuple(map(float, np.ones(n) if weights is None else weights)),
        keys=tuple(f"{i:04d}" for i in range(n)),
        slices=tuple(labels),
        n=n,
        group="document",
    )


def worst(here, there, margin=0.1, watch=0.05):
    ours, theirs = slice_readings(here), slice_readings(there)
    return worst_of(
        {name: compare(ours[name], theirs[name], baseline="founder", margin=margin, watch=watch) for name in ours}
    )


def test_a_slice_is_read_less_the_documents_of_the_others_each_once():
    """The slow definition: every other document is in one block of the slice, dealt out by id."""
    rng = np.random.default_rng(0)
    rates, weights = rng.normal(3.0, 1.0, 60), rng.integers(1, 9, 60)
    labels = rng.choice(NAMES, 60, p=[0.1, 0.2, 0.3, 0.2, 0.2])
    found = slice_readings(reading(rates, weights, labels))
    assert set(found) == {"north", "south", "east", "west"}
    for name, one in found.items():
        inside = [i for i in range(60) if labels[i] == name]
        others = [i for i in range(60) if labels[i] != name]
        assert one.keys == tuple(f"{i:04d}" for i in inside)
        for place, i in enumerate(inside):
            block = others[place :: len(inside)]
            elsewhere = sum(weights[j] * rates[j] for j in block) / sum(weights[j] for j in block)
            assert one.replicates[place] == pytest.approx(rates[i] - elsewhere)


def test_the_order_of_documents_does_not_matter():
    rng = np.random.default_rng(1)
    whole = reading(rng.normal(3.0, 1.0, 40))
    order = rng.permutation(40)
    columns = ("replicates", "weights", "keys", "slices")
    shuffled = whole.model_copy(update={c: tuple(getattr(whole, c)[i] for i in order) for c in columns})
    assert slice_readings(shuffled) == slice_readings(whole)


def test_what_happens_to_all_documents_happens_to_no_slice():
    rng = np.random.default_rng(2)
    founder = rng.normal(3.0, 1.0, 200)
    found = worst(reading(founder + 0.4), reading(founder))
    assert found.effect == pytest.approx(0.0, abs=1e-12)
    assert found.p_within_margin < 1e-6


def test_the_lost_slice_is_named_with_what_happened_to_it():
    rng = np.random.default_rng(3)
    founder = rng.normal(3.0, 1.0, 400)
    lost = founder + 0.2 + np.where(np.arange(400) % 4 == 2, 0.5, 0.0) + rng.normal(0.0, 0.1, 400)
    found = worst(reading(lost), reading(founder))
    assert (found.slice, found.n_slices) == ("east", 4)
    assert found.effect == pytest.approx(0.5, abs=0.05)
    assert found.p_beyond_margin < 1e-6


def test_all_slices_must_be_within_the_margin():
    rng = np.random.default_rng(4)
    founder = rng.normal(3.0, 1.0, 400)
    noise = np.where(np.arange(400) % 4 == 1, 5.0, 0.05) * rng.normal(size=400)
    unsure = worst(reading(founder + noise), reading(founder))
    assert unsure.p_within_margin > 0.05


def test_the_evidence_of_all_slices_is_averaged_and_none_may_be_left_unshown():
    """By definition, whichever slice is the worst one."""
    rng = np.random.default_rng(5)
    founder = rng.normal(3.0, 1.0, 200)
    here, there = reading(founder + rng.normal(0.1, 0.3, 200)), reading(founder)
    ours, theirs = slice_readings(here), slice_readings(there)
    each = {name: compare(ours[name], theirs[name], baseline="founder", margin=0.1, watch=0.05) for name in ours}
    e_values = [one.e_beyond_margin for one in each.values()]
    for worse in each:  # whichever has the least room
        some = {name: one.model_copy(update={"watch": 1e-9 if name == worse else 1e9}) for name, one in each.items()}
        found = worst_of(some)
        assert found.e_beyond_margin == pytest.approx(np.mean(e_values))
        assert found.p_beyond_margin == pytest.approx(min(1.0, 1.0 / np.mean(e_values)))
        assert found.p_within_margin == max(one.p_within_margin for one in each.values())


def test_the_choice_among_slices_is_paid_for():
    """No slice is worse than another, by margins of almost nothing: P(p <= .05) <= .05 for the worst of four."""
    lineages, alarms = 300, 0
    for seed in range(lineages):
        rng = np.random.default_rng(seed)
        founder = rng.normal(3.0, 1.0, 80)
        found = worst(reading(founder + rng.normal(0.0, 0.3, 80)), reading(founder), margin=1e-9, watch=1e-9)
        alarms += found.p_beyond_margin <= 0.05
    assert alarms <= stats.binom(lineages, 0.05).ppf(0.999)


def test_one_slice_for_all_documents_has_no_others():
    assert slice_readings(reading([1.0, 2.0], labels=["north", "north"])) == {}


def test_others_that_are_fewer_than_the_slice_are_used_again():
    found = slice_readings(reading([1.0, 2.0, 3.0, 5.0], labels=["north", "north", "north", "south"]))
    assert found["north"].replicates == (-4.0, -3.0, -2.0)


def test_the_spread_of_the_other_slices_is_told_from_the_error_of_measuring_them():
    effects = {"a": 9.0, "b": 0.04, "c": -0.04, "d": 0.02, "e": -0.02, "f": 0.0}
    sharp = spread_between(effects, dict.fromkeys(effects, 0.0), "a")
    assert sharp.sd == pytest.approx(1.4826 * 0.02)
    blurred = spread_between(effects, dict.fromkeys(effects, 0.02), "a")
    assert blurred == Spread(pytest.approx(np.sqrt(sharp.sd**2 - 0.02**2)), sharp.freedom)
    assert spread_between(dict(list(effects.items())[:3]), dict.fromkeys(effects, 0.0), "a") is None
