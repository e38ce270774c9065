"""A founder cannot collapse: however far it is from the wild type, it gets one WATCH, and drift judges the others."""

import math

import numpy as np
import pytest

from building import make_comparison, make_reading
from collapse_guard.assessment import conclude
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.verdict import decide
from collapse_guard.records import Generation, ReasonKind, Severity

POLICY = Policy()
FIRST, SECOND = Generation(lineage="newsbot", index=0), Generation(lineage="newsbot", index=1, parents=(0,))


def distance(indicator, **changes):
    """A distance to the wild type that is shown to be within its margin of a factor of 5."""
    fields = {"baseline": "wild_type", "baseline_generation": None, "margin": math.log(5.0), "watch": math.log(2.0)}
    return make_comparison(indicator, **{"effect": 0.0, **fields, **changes})


def far(indicator, effect):
    return distance(indicator, effect=effect)


def verdict(*comparisons, generation=FIRST):
    return decide(comparisons, generation=generation, policy=POLICY)


def test_a_founder_far_from_the_wild_type_gets_one_watch_that_names_its_indicators_worst_first():
    found = verdict(far("distinct_2", -2.0), far("vendi", -3.0), distance("distinct_4"), far("unique_samples", -1.0))
    assert found.severity is found.known is Severity.WATCH
    first, *rest = found.reasons
    assert (first.kind, first.severity) == (ReasonKind.FAR_FROM_REAL, Severity.WATCH)
    assert (first.indicator, *first.others) == ("vendi", "distinct_2", "unique_samples")
    assert [(one.kind, one.indicator) for one in rest] == [(ReasonKind.WITHIN_MARGIN, "distinct_4")]
    assert first.sentence == (
        "the founder is far from the wild type: vendi is 4.979 against 100.0 (-95.0%, -95.1% to -94.9%); distinct_2 is "
        "13.53 against 100.0 (-86.5%, -86.7% to -86.2%); unique_samples is 36.79 against 100.0 (-63.2%, -63.9% to "
        "-62.5%); this is said of the founder, its size and its decoding, and is not charged to later generations"
    )
    assert first.definitions == (4, 6)


@pytest.mark.parametrize(
    ("effect", "severity"), [(-0.5, Severity.HEALTHY), (-1.0, Severity.WATCH), (-9.0, Severity.WATCH)]
)
def test_no_distance_of_a_founder_is_a_collapse_and_the_same_one_of_a_later_generation_is(effect, severity):
    assert verdict(far("vendi", effect)).severity is severity
    later = verdict(far("vendi", effect), generation=SECOND).severity
    assert later is (Severity.COLLAPSED if effect == -9.0 else severity)


def test_one_that_may_be_far_is_watched_and_one_without_a_number_is_undecided():
    unsure = distance("vendi", effect=-1.5, standard_error=0.3, p_beyond_watch=1.0)
    [first, *_] = verdict(unsure).reasons
    assert (first.kind, first.severity) == (ReasonKind.FAR_FROM_REAL, Severity.WATCH)
    assert first.sentence.startswith("the founder may be far from the wild type: vendi is ")
    broken = distance("vendi", p_beyond_margin=math.nan, p_within_margin=math.nan, p_beyond_watch=math.nan)
    assert [one.severity for one in verdict(broken, far("distinct_2", -9.0)).reasons] == [
        Severity.UNDECIDED,
        Severity.WATCH,
    ]


def reading(values, indicator="distinct_2"):
    return make_reading(indicator, float(np.mean(values)), replicates=tuple(values), group="4096 tokens")


def test_later_generations_are_judged_by_their_drift_from_it():
    rng = np.random.default_rng(0)
    real, founder, same, worse = (reading(mean + 0.004 * rng.normal(size=20)) for mean in (0.6, 0.05, 0.05, 0.03))
    reference, history = {"distinct_2": real}, []
    for index, (given, severity) in enumerate(
        [(founder, Severity.WATCH), (same, Severity.HEALTHY), (worse, Severity.COLLAPSED)]
    ):
        generation = Generation(lineage="newsbot", index=index, parents=tuple(range(index - 1, index)) if index else ())
        history.append(conclude(generation, {"distinct_2": given}, reference, history=history, policy=POLICY))
        assert history[-1].verdict.severity is severity
