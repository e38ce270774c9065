"""compare(): that each method gets what belongs to it, against scipy, slow definitions and mirrors; what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from building import make_reading
from collapse_guard.comparison.betting import BETS, CLIP
from collapse_guard.comparison.compare import compare, contrast_of, obstacle
from collapse_guard.comparison.power import POWER, detectable, detectable_by_betting, samples_needed
from collapse_guard.errors import InputError
from collapse_guard.records import Direction, EffectScale

ABSOLUTE, LOG_RATIO = EffectScale.ABSOLUTE, EffectScale.LOG_RATIO
UP, DOWN, BOTH = Direction.UP, Direction.DOWN, Direction.BOTH
LIMITS = {"baseline": "founder", "margin": 0.10, "watch": 0.04}
MIRRORED = {UP: DOWN, DOWN: UP, BOTH: BOTH}


def samples(values, *, direction=UP, scale=ABSOLUTE, **changes):
    """A reading of groups of samples."""
    fields = {"group": "64 samples", "unit": "1", **changes}
    return make_reading(
        "mine", float(np.mean(values)), replicates=tuple(map(float, values)), direction=direction, scale=scale, **fields
    )


def documents(rates, *, keys=None, weights=None, **changes):
    """A reading of documents that can be paired."""
    names = tuple(map(str, range(len(rates)))) if keys is None else tuple(keys)
    words = (40.0,) * len(rates) if weights is None else tuple(map(float, weights))
    return samples(rates, keys=names, weights=words, **{"group": "document", **changes})


def fortune(contrasts):
    """The slow definition of an e-value: the mean over bets of what became of one coin."""
    return np.mean([math.prod(1 + bet * c for c in np.clip(contrasts, -1, 1)) for bet in BETS])


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("shift", [-0.2, -0.07, 0.0, 0.07, 0.2])
def test_groups_are_compared_as_two_samples_of_unequal_spread(direction, shift, rng):
    x, y = 1.0 + shift + 0.1 * rng.normal(size=9), 1.0 + 0.2 * rng.normal(size=7)
    comparison = compare(samples(x, direction=direction), samples(y, direction=direction), **LIMITS, level=0.9)

    def p(hypothesis, alternative):
        return stats.ttest_ind(x - hypothesis, y, equal_var=False, alternative=alternative).pvalue

    def p_beyond(harm):
        up, down = p(harm, "greater"), p(-harm, "less")
        return {UP: up, DOWN: down, BOTH: min(1.0, 2 * min(up, down))}[direction]

    below, above = p(0.10, "less"), p(-0.10, "greater")
    assert comparison.p_beyond_margin == pytest.approx(p_beyond(0.10))
    assert comparison.p_beyond_watch == pytest.approx(p_beyond(0.04))
    assert comparison.p_within_margin == pytest.approx({UP: below, DOWN: above, BOTH: max(below, above)}[direction])
    ends = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert (comparison.low, comparison.high) == pytest.approx((ends.low, ends.high))
    assert (comparison.observed, comparison.reference) == pytest.approx((x.mean(), y.mean()))
    assert (comparison.n, comparison.n_reference) == (9, 7)
    assert comparison.e_beyond_margin is comparison.e_beyond_watch is None
    assert comparison.method == contrast_of(samples(x), samples(y)).method


@pytest.mark.parametrize("scale", [ABSOLUTE, LOG_RATIO])
def test_harm_of_documents_is_shown_by_the_fortune_of_who_bets_on_it(scale, rng):
    """Contrasts by hand: how far each document is beyond the limit, in units of the clip; weighted to a mean of 1."""
    y, weights = 2.0 + rng.random(12), rng.integers(20, 60, size=12)
    x = y * 1.2 + 0.2 * rng.normal(size=12)
    comparison = compare(
        documents(x, weights=weights, scale=scale), documents(y, weights=weights, scale=scale), **LIMITS
    )
    mean = np.average(y, weights=weights)
    for harm, e, p in [
        (0.10, comparison.e_beyond_margin, comparison.p_beyond_margin),
        (0.04, comparison.e_beyond_watch, comparison.p_beyond_watch),
    ]:
        beyond = x - y - harm if scale is ABSOLUTE else (x - math.exp(harm) * y) / mean
        assert e == pytest.approx(fortune(weights / weights.mean() * beyond / CLIP))
        assert p == pytest.approx(min(1.0, 1.0 / e))
        assert e > 1.0


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("shift", [-0.5, -0.09, 0.0, 0.09, 0.5])
def test_a_comparison_in_the_mirror_is_the_same_comparison(direction, shift, rng):
    """What rises where harm is a rise is what falls where harm is a fall, for documents and for groups."""
    y = 3.0 + 0.5 * rng.normal(size=8)
    x = y + shift + 0.1 * rng.normal(size=8)
    for reading in (documents, samples):
        one = compare(reading(x, direction=direction), reading(y, direction=direction), **LIMITS)
        other = MIRRORED[direction]
        mirror = compare(reading(-x, direction=other), reading(-y, direction=other), **LIMITS)
        assert (one.n_needed, one.detectable) == (mirror.n_needed, pytest.approx(mirror.detectable))
        assert (one.low, one.high) == pytest.approx((-mirror.high, -mirror.low))
        for field in ("p_beyond_margin", "p_beyond_watch", "p_within_margin", "harm"):
            assert getattr(one, field) == pytest.approx(getattr(mirror, field)), field
        if reading is documents:
            assert one.e_beyond_margin == pytest.approx(mirror.e_beyond_margin)
            assert one.e_beyond_watch == pytest.approx(mirror.e_beyond_watch)


def test_evidence_of_harm_on_both_sides_is_the_mean_of_both(rng):
    y = 3.0 + rng.random(10)
    x = y + 0.3 + 0.1 * rng.normal(size=10)
    e = {
        direction: compare(documents(x, direction=direction), documents(y, direction=direction), **LIMITS)
        for direction in Direction
    }
    sides = [e[UP].e_beyond_margin, e[DOWN].e_beyond_margin]
    assert sides[0] > 1 > sides[1]
    assert e[BOTH].e_beyond_margin == pytest.approx(np.mean(sides))
    assert e[DOWN].p_beyond_margin == 1.0, "an e-value below 1 is no evidence"


def test_evidence_too_small_for_a_float_is_none():
    """The fortune of every bet is gone after so many documents that got easier; 1/0 is no p-value."""
    many = 60_000
    comparison = compare(documents(np.zeros(many)), documents(np.ones(many)), **LIMITS)
    assert comparison.e_beyond_margin == 0.0
    assert comparison.p_beyond_margin == comparison.p_beyond_watch == 1.0


@given(st.permutations(range(6)), st.sampled_from([ABSOLUTE, LOG_RATIO]))
@settings(max_examples=20)
def test_documents_are_paired_by_their_ids_in_any_order(order, scale):
    """What the reading has besides those of the baseline is left out."""
    y, weights = np.array([2.0, 2.5, 3.0, 3.5, 4.0, 4.5]), np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    x = y + np.array([0.3, -0.1, 0.2, 0.0, 0.4, 0.1])
    there = documents(y, weights=weights, scale=scale)
    straight = compare(documents(x, weights=weights, scale=scale), there, **LIMITS)
    shuffled = documents([*x[order], 9.0], keys=[*map(str, order), "new"], weights=[*weights[order], 7.0], scale=scale)
    assert compare(shuffled, there, **LIMITS).model_copy(update={"n": 6, "n_needed": straight.n_needed}) == straight


@pytest.mark.parametrize(("values", "n"), [(documents, 60), (samples, 6), (samples, 60)])
@pytest.mark.parametrize("shift", [0.0, 0.095, 0.105, 0.5])
def test_how_many_would_decide_is_said_where_nothing_is_decided(values, n, shift, rng):
    noise = rng.normal(size=n)
    noise = (noise - noise.mean()) / noise.std()
    y = np.full(n, 3.0) if values is documents else 3.0 + 0.02 * noise[::-1]
    reading, reference = values(3.0 + shift + 0.05 * noise), values(y)
    comparison = compare(reading, reference, **LIMITS, level=0.9, alert_level=0.01)
    assert (comparison.n_needed is None) == (comparison.p_beyond_margin <= 0.01 or comparison.p_within_margin <= 0.1)
    assert (comparison.n_needed is None) == (shift in (0.0, 0.5)), "0 is shown to be within, 0.5 to be beyond"
    if comparison.n_needed is not None:
        level = 0.1 if shift < 0.10 else 0.01
        t = stats.t(comparison.degrees_of_freedom)
        bets = 1.6 if values is documents and shift > 0.10 else 1.0
        closed = bets * ((t.isf(level) + t.ppf(POWER)) * comparison.standard_error / (0.10 - shift)) ** 2
        assert comparison.n_needed == max(reading.n + 1, math.ceil(reading.n * closed))
        needed = samples_needed(contrast_of(reading, reference), 0.10, UP, reading.n, 0.01, 0.1, bets=bets > 1)
        assert comparison.n_needed == pytest.approx(needed, abs=1)


def test_what_would_be_found_is_that_of_the_test_which_decides(rng):
    y, level = 3.0 + 0.1 * rng.normal(size=30), 0.003
    for x in (y + 0.1 * rng.normal(size=30), y + 0.3 * rng.normal(size=30)):
        paired = compare(documents(x), documents(y), **LIMITS, alert_level=level)
        by_bets = detectable_by_betting(paired.standard_error, 29, level=level, margin=0.10)
        assert paired.detectable == (pytest.approx(by_bets) if math.isfinite(by_bets) else None)
        grouped = compare(samples(x), samples(y), **LIMITS, alert_level=level)
        error, df = grouped.standard_error, grouped.degrees_of_freedom
        assert grouped.detectable == pytest.approx(detectable(error, df, level=level, margin=0.10))
    few = compare(documents(x[:4]), documents(y[:4]), **LIMITS, alert_level=1e-6)
    assert few.detectable is None, "1.95^4 is below a million"


def test_a_comparison_says_what_it_is_of():
    here, there = samples([1.0, 1.1, 1.3]), samples([1.0, 1.2, 1.1, 0.9])
    comparison = compare(
        here, there, baseline="parent", baseline_generation=3, margin=0.2, watch=0.1, level=0.8, seed_limit=0.05
    )
    assert (comparison.indicator, comparison.baseline, comparison.baseline_generation) == ("mine", "parent", 3)
    assert (comparison.margin, comparison.watch, comparison.level) == (0.2, 0.1, 0.8)
    assert (comparison.seed_limit, comparison.replicate, comparison.effect_unit) == (0.05, "64 samples", "1")
    assert comparison.decides
    assert not compare(here, there, **LIMITS, decides=False).decides
    assert compare(here, there, **LIMITS) == compare(here, there, **LIMITS, level=0.95, alert_level=0.05)


def test_the_method_names_bets_where_they_decide_and_what_is_paired():
    x, y = [1.0, 1.1, 1.3], [1.0, 1.2, 1.1]
    assert compare(documents(x), documents(y), **LIMITS).method == (
        "bets on paired documents; interval: paired t on documents"
    )
    items = compare(documents(x, group="item"), documents(y, group="item"), **LIMITS)
    assert items.method == "bets on paired items; interval: paired t on items"


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        (samples([1.0, 1.1]), samples([1.0, 1.2], group="32 samples"), "on groups of 64 samples, its baseline on"),
        (samples([1.0, 1.1], problem="too few samples"), samples([1.0, 1.2]), "mine of this generation: too few"),
        (samples([1.0, 1.1]), samples([1.0, 1.2], problem="too few"), "mine of the baseline: too few"),
        (samples([1.0, math.nan]), samples([1.0, 1.2]), "mine of this generation: it is not a number"),
        (samples([1.0, 1.1], scale=LOG_RATIO), samples([0.0, 0.0]), "mine of the baseline is 0, so a ratio to it"),
        (documents([1.0, 1.1]), samples([1.0, 1.2], group="document"), "has ids of documents only in this generation"),
        (samples([1.0, 1.1], group="item"), documents([1.0, 1.2]), "has ids of items only in the baseline"),
        (documents([1.0, 1.1], keys="ab"), documents([1.0, 1.2, 1.3], keys="bcd"), r"2 of its .* 3 documents .*: c\)"),
        (documents([1.0, 1.1]), documents([1.0, 1.2], weights=(40.0, 41.0)), "counts other tokens than its baseline"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(here, there, reason):
    with pytest.raises(InputError, match=reason):
        compare(here, there, **LIMITS)
    with pytest.raises(InputError) as error:
        compare(here, there, **LIMITS)
    assert str(error.value).endswith(obstacle(here, there))


@pytest.mark.parametrize("reading", [samples, documents])
def test_what_can_be_compared_has_no_obstacle(reading):
    assert obstacle(reading([1.0, 1.1]), reading([1.0, 1.2])) == ""
    assert obstacle(reading([0.0, 0.0]), reading([0.0, 0.0])) == "", "only a ratio to 0 is not defined"
