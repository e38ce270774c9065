"""The outlook of a lineage: what is learned from its generations, and how much real data it is told to need."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import make_assessment, make_comparison, make_reading
from collapse_guard.decision.policy import Policy
from collapse_guard.genetics.ancestry import healthy_ancestor, line_of_descent
from collapse_guard.genetics.forecast import diluted
from collapse_guard.genetics.pedigree import expected_inbreeding
from collapse_guard.prescription.outlook import outlook
from collapse_guard.records import (
    Assessment,
    Direction,
    Forecast,
    Mixture,
    Reason,
    Severity,
)

POLICY = Policy()
MARGIN = math.log(1.1)
ADDED, MEMORY = 0.5, 0.8
PERPLEXITY = make_reading("perplexity", 9.0)


def with_target(target):
    rule = POLICY.reinjection.model_copy(update={"target_fixation": target})
    return POLICY.model_copy(update={"reinjection": rule})


def compared(name, effect, *, direction=Direction.UP, error=0.002, **changes):
    fields = {"margin": MARGIN, "direction": direction, "standard_error": error, **changes}
    return make_comparison(name, effect=effect, **fields)


def assessed(index, comparisons=(), readings=(), *, severity=Severity.COLLAPSED, **changes):
    return make_assessment("bot", index, readings, comparisons, severity=severity, seed=3, **changes)


def losing(steps, *, real=0.0, added=ADDED, noise=0.0, seed=0, **changes):
    """A lineage whose loss follows the law: what a generation adds, and what it passes on, diluted by real data."""
    rng, rise, lineage = np.random.default_rng(seed), 0.0, [assessed(0, severity=Severity.HEALTHY)]
    for index in range(1, steps + 1):
        rise = float(diluted(added + MEMORY * rise, 1.0 - real, "amount"))
        seen = rise + noise * rng.standard_normal()
        lineage.append(assessed(index, [compared("perplexity", seen, **changes)], [PERPLEXITY], real=real))
    return lineage


def ahead(lineage, policy=POLICY):
    return outlook(lineage[-1], lineage[:-1], policy)


def test_a_founder_and_a_line_that_does_not_lead_to_one_have_no_outlook():
    founder, orphan = assessed(0), assessed(3, [compared("perplexity", 0.1)], [PERPLEXITY])
    assert ahead([founder]) is None
    assert ahead([founder, orphan]) is None


def test_the_mixture_in_use_comes_first_and_others_beside_it():
    replaced, mixed = ahead(losing(3)), ahead(losing(3, real=0.1))
    asked = replaced.prescription.real_share
    assert [f.real_share for f in replaced.forecasts] == [0.0, 0.05, 0.1, 0.2, asked]
    assert [f.real_share for f in mixed.forecasts] == [0.1, 0.0, 0.05, 0.2, mixed.prescription.real_share]
    found = replaced.forecasts[0]
    assert found.generations == tuple(range(4, 4 + POLICY.horizon))


@pytest.mark.parametrize("real", [0.0, 0.4, 0.7])
def test_a_lineage_that_follows_the_law_is_forecast_under_every_mixture(real):
    lineage = losing(5, real=real, noise=0.001)
    newest = lineage[-1].comparisons[0].effect
    for forecast in ahead(lineage).forecasts:
        truth = newest
        course = forecast.courses["perplexity"]
        for low, middle, high in zip(course.low, course.median, course.high, strict=True):
            truth = float(diluted(ADDED + MEMORY * truth, 1.0 - forecast.real_share, "amount"))
            assert low < truth < high
            assert middle == pytest.approx(truth, rel=0.15)


def test_the_prescribed_share_holds_the_margin_and_a_little_less_does_not():
    lineage = losing(4, noise=0.001)
    prescription = ahead(lineage).prescription

    def highest(share):
        rise, found = lineage[-1].comparisons[0].effect, []
        for _ in range(POLICY.horizon):
            rise = float(diluted(ADDED + MEMORY * rise, 1.0 - share, "amount"))
            found.append(rise)
        return max(found)

    assert highest(prescription.real_share) < MARGIN < highest(prescription.real_share - 0.03)
    assert highest(prescription.real_share * 2 / 3) > 2 * MARGIN
    assert prescription.even_share <= prescription.real_share
    assert prescription.indicator == "perplexity"
    assert not prescription.infeasible


def test_more_noise_asks_for_more_real_data():
    lineages = (losing(3, added=0.08, noise=noise, error=noise, seed=8) for noise in (0.001, 0.02))
    quiet, loud = (ahead(lineage).prescription for lineage in lineages)
    assert loud.real_share - loud.even_share > quiet.real_share - quiet.even_share + 0.01


def test_a_lineage_that_stays_where_it_is_needs_nothing():
    rng = np.random.default_rng(4)
    still = [assessed(0)] + [
        assessed(t, [compared("perplexity", 0.001 * rng.standard_normal())], [PERPLEXITY]) for t in (1, 2, 3)
    ]
    found = ahead(still)
    assert found.prescription.real_share == 0.0
    assert found.prescription.indicator == ""
    assert found.forecasts[0].fails_at is None
    assert found.forecasts[0].crossed[-1] < 0.05


def test_the_indicator_that_asks_for_the_most_is_named_and_both_directions_count():
    readings = [
        PERPLEXITY,
        make_reading("vendi", 9.0),
        make_reading("entropy_2", 9.0),
    ]

    def compare(t):
        return [
            compared("perplexity", 0.01 * t),
            compared("vendi", -0.3 * t, direction=Direction.DOWN),
            compared("entropy_2", -0.02 * t, direction=Direction.BOTH),
            compared("distinct_2", -9.0, direction=Direction.DOWN, decides=False),
        ]

    found = ahead([assessed(0), *(assessed(t, compare(t), readings) for t in (1, 2, 3))])
    assert set(found.forecasts[0].courses) == {"perplexity", "vendi", "entropy_2"}
    assert found.prescription.indicator == "vendi"
    courses = found.forecasts[0].courses
    assert courses["vendi"].median[0] < -0.9
    assert courses["vendi"].crossed[0] == 1.0
    assert courses["entropy_2"].crossed[-1] > 0.5


def test_harm_without_synthetic_data_is_not_cured_by_real_data():
    worse = (assessed(t, [compared("perplexity", 0.1 * t)], [PERPLEXITY], real=1.0) for t in (1, 2, 3))
    prescription = ahead([assessed(0, severity=Severity.HEALTHY), *worse]).prescription
    assert prescription.real_share is None
    assert "trained on real data only" in prescription.infeasible
    assert prescription.roll_back_to == 0


def test_an_indicator_that_fell_to_nothing_cannot_be_forecast_and_asks_to_roll_back():
    lineage = losing(2)
    gone = compared("rare_coverage", -math.inf, direction=Direction.DOWN)
    newest = lineage[-1].model_copy(update={"comparisons": (*lineage[-1].comparisons, gone)})
    found = ahead([*lineage[:-1], newest])
    assert "rare_coverage fell to nothing" in found.prescription.infeasible
    assert found.prescription.roll_back_to == 0
    assert set(found.forecasts[0].courses) == {"perplexity"}


def test_an_indicator_that_was_not_always_compared_is_left_out():
    lineage = losing(3)
    late = (*lineage[-1].comparisons, compared("vendi", -1.0, direction=Direction.DOWN))
    assert set(ahead([*lineage[:-1], lineage[-1].model_copy(update={"comparisons": late})]).forecasts[0].courses) == {
        "perplexity"
    }
    bare = [past.model_copy(update={"comparisons": ()}) for past in lineage]
    assert ahead(bare).forecasts == ()
    assert ahead(bare).prescription is None


def test_the_worst_slice_is_left_out_because_it_is_another_one_each_time():
    lineage = losing(3)
    slices = [make_reading("worst_slice_loss", 0.1)]
    with_slices = [
        past.model_copy(
            update={
                "comparisons": (*past.comparisons, compared("worst_slice_loss", 0.1 * i, slice="spanish", n_slices=4)),
                "readings": {**past.readings, **{one.indicator: one for one in slices}},
            }
        )
        for i, past in enumerate(lineage)
    ]
    assert set(ahead(with_slices).forecasts[0].courses) == {"perplexity"}


def test_losses_in_another_unit_are_no_drift():
    lineage = losing(3)
    odd = Reason(
        kind="implausible", severity=Severity.UNDECIDED, indicator="tail_loss", others=("perplexity",), sentence=""
    )
    for place in (1, 3):
        verdict = lineage[place].verdict.model_copy(update={"reasons": (odd,)})
        told = [*lineage[:place], lineage[place].model_copy(update={"verdict": verdict}), *lineage[place + 1 :]]
        assert "perplexity" in ahead(lineage).forecasts[0].courses
        assert not ahead(told).forecasts


@pytest.mark.parametrize(("crossed", "fails_at"), [((0.0, 0.5, 0.51, 0.9), 7), ((0.9,), 5), ((0.0, 0.5), None)])
def test_it_fails_in_the_first_generation_by_which_a_failure_is_more_likely_than_not(crossed, fails_at):
    generations = tuple(range(5, 5 + len(crossed)))
    assert Forecast(real_share=0.0, generations=generations, courses={}, crossed=crossed).fails_at == fails_at


# ---- inbreeding


def inbred(steps, size, *, items=None, real=0.0, groups=8, drawn="tokens"):
    """A lineage whose homozygosity follows drift of `size` tokens exactly, from 0.05 in the wild type."""
    lineage, fixation = [], 1.0 / size
    for t in range(steps + 1):
        value = 0.05 + 0.95 * fixation
        spread = tuple(value + 1e-5 * (i - (groups - 1) / 2) for i in range(groups))
        reading = make_reading("homozygosity", value, replicates=spread, group="4096 tokens", drawn=drawn)
        lineage.append(assessed(t, (), [reading], real=real if t else 1.0, items=items))
        fixation = 1.0 / size + (1.0 - 1.0 / size) * (1.0 - real) ** 2 * fixation
    return lineage


@pytest.mark.parametrize("real", [0.0, 0.3])
def test_the_effective_size_of_a_lineage_is_found_from_the_third_generation_on(real):
    assert ahead(inbred(2, 200, real=real)).inbreeding.size is None
    found = ahead(inbred(6, 200, real=real)).inbreeding
    assert found.size.value == pytest.approx(200, rel=1e-6)
    assert found.of == "tokens"
    founder, newest = (past.readings["homozygosity"].value for past in (inbred(6, 200, real=real)[i] for i in (0, -1)))
    assert found.fixation.value == pytest.approx(1 - (1 - newest) / (1 - founder))
    assert found.fixation.low < found.fixation.value < found.fixation.high


def test_what_the_size_counts_is_what_was_drawn():
    assert [ahead(inbred(6, 200, drawn=drawn)).inbreeding.of for drawn in ("tokens", "clusters")] == [
        "tokens",
        "clusters",
    ]


def test_chance_alone_is_expected_of_the_recorded_pedigree():
    lineage = inbred(4, 50, items=300)
    path = expected_inbreeding([past.generation for past in lineage])
    found = ahead(lineage).inbreeding
    assert found.expected == pytest.approx(1 - (1 - path[-1]) / (1 - path[0]))
    assert found.fixation.low > found.expected
    assert ahead(inbred(4, 50)).inbreeding.expected is None


def test_a_lineage_that_is_founded_anew_has_the_outlook_of_one_that_begins_there():
    """Whatever its founder was trained on."""
    lineage, anew = inbred(4, 50, items=300), []
    for past in lineage:
        index, parents = past.generation.index + 3, tuple(parent + 3 for parent in past.generation.parents)
        founding = {"founding": "new tokenizer", "parents": (1, 2)} if index == 3 else {"parents": parents}
        of = past.generation.model_copy(update={"index": index, "founder": 3, **founding})
        anew.append(past.model_copy(update={"generation": of}))
    assert ahead(anew).inbreeding == ahead(lineage).inbreeding
    assert ahead(anew).inbreeding.expected is not None


def test_all_parents_belong_to_the_pedigree_and_one_that_is_not_stored_leaves_it_unknown():
    lineage = inbred(4, 50, items=300)
    born = lineage[-1].generation.model_copy(
        update={"parents": (1, 3), "mixture": Mixture(real=0.0, earlier=0.5, newest=0.5)}
    )
    two = [*lineage[:-1], lineage[-1].model_copy(update={"generation": born})]
    path = expected_inbreeding([past.generation for past in two])
    found = ahead(two).inbreeding
    assert found.expected == pytest.approx(1 - (1 - path[-1]) / (1 - path[0]))
    assert found.expected < ahead(lineage).inbreeding.expected
    assert ahead([past for past in two if past.generation.index != 1]) is None
    lost = born.model_copy(update={"parents": (3, 2)})
    line = [*two[:-1], two[-1].model_copy(update={"generation": lost})]
    orphaned = [
        past.model_copy(update={"generation": past.generation.model_copy(update={"parents": (0,)})})
        if past.generation.index == 3
        else past
        for past in line
    ]
    assert ahead([past for past in orphaned if past.generation.index != 2]).inbreeding.expected is None


def test_a_target_of_the_fixation_index_asks_for_its_own_share_or_says_why_none_will_do():
    lineage = inbred(6, 200)
    losses = losing(6, noise=0.001)
    both = [
        past.model_copy(update={"readings": {**past.readings, **there.readings}})
        for past, there in zip(losses, lineage, strict=True)
    ]
    held = ahead(both, with_target(0.05)).prescription
    assert held.fixation_share == pytest.approx(1 - math.sqrt((1 - 1 / (200 * 0.05)) / (1 - 1 / 200)), abs=1e-3)
    beyond = ahead(both, with_target(0.004)).prescription
    assert beyond.fixation_share is None
    assert "0.004 cannot be held at an effective size of 200 tokens" in beyond.infeasible
    assert ahead(both).prescription.fixation_share is None


def test_the_curve_of_inbreeding_depression_needs_six_generations():
    assert ahead(losing(5)).depression is None
    found = ahead(losing(8, noise=0.002)).depression
    assert len(found.curve) == 9 + POLICY.horizon
    measured = [past.comparisons[0].effect for past in losing(8, noise=0.002)[1:]]
    assert found.curve[1:9] == pytest.approx(measured, abs=0.05)


# ---- ancestry


def test_the_line_of_descent_follows_the_newest_parents():
    lineage = [assessed(0), assessed(1), assessed(2, parents=(0,)), assessed(3, parents=(0, 1)), assessed(4)]
    assert [past.generation.index for past in line_of_descent(lineage)] == [0, 1, 3, 4]
    assert [past.generation.index for past in line_of_descent(lineage[:3])] == [0, 2]


def test_the_healthy_ancestor_is_one_that_it_descends_from():
    lineage = [
        assessed(0, severity=Severity.HEALTHY),
        assessed(1, severity=Severity.HEALTHY),
        assessed(2, parents=(0,), severity=Severity.HEALTHY),
        assessed(3, parents=(1,)),
        assessed(4),
    ]
    assert healthy_ancestor(lineage).generation.index == 1


@given(st.floats(0.0, 0.9), st.integers(1, 4))
@settings(max_examples=10)
def test_the_same_lineage_has_the_same_outlook_and_it_survives_json(real, steps):
    lineage = losing(steps, real=real, noise=0.01)
    found = ahead(lineage)
    assert found == ahead(lineage)
    whole = lineage[-1].model_copy(update={"outlook": found})
    assert Assessment.from_dict(whole.to_dict()) == whole
