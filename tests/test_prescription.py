"""From a verdict and what a lineage needs to the mixture that is asked for: the table of `prescription.py`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.policy import Policy
from collapse_guard.prescription import prescribe
from collapse_guard.records import (
    Assessment,
    Comparison,
    Direction,
    Generation,
    Mixture,
    Prescription,
    Severity,
    Verdict,
)

RULE = Policy().reinjection
SHARES = st.floats(0.0, 1.0)


def verdict_of(severity, index):
    return Verdict(severity=severity, reasons=(), lineage="newsbot", generation=index, wild_type="", policy="")


def past(index, severity, share):
    made = Generation(lineage="newsbot", index=index, mixture=Mixture.with_real(share))
    return Assessment(generation=made, readings={}, comparisons=(), verdict=verdict_of(severity, index))


def needs(share, **changes):
    fields = {"real_share": share, "even_share": share, "assurance": 0.9, "horizon": 10}
    return Prescription(**{**fields, **changes})


def asked(severity, share, needed=None, *, comparisons=(), history=()):
    index = len(history) + 1
    made = Generation(lineage="newsbot", index=index, mixture=Mixture.with_real(share))
    verdict = verdict_of(severity, index)
    mixture = prescribe(verdict, comparisons, generation=made, history=history, needed=needed, rule=RULE)
    return None if mixture is None else mixture.real


def harmful(**changes):
    fields = dict.fromkeys(("observed", "reference", "standard_error", "degrees_of_freedom", "low", "high"), 0.0)
    fields |= {"indicator": "perplexity", "baseline": "wild_type", "effect": 0.245, "level": 0.95, "margin": 0.095}
    fields |= {"watch": 0.049, "direction": Direction.UP, "method": "", "n": 9, "n_reference": 9}
    fields |= {"p_beyond_margin": 0.0, "p_beyond_watch": 0.0, "p_within_margin": 1.0}
    return Comparison(**{**fields, **changes})


@pytest.mark.parametrize("severity", [Severity.COLLAPSED, Severity.WATCH])
def test_after_a_collapse_or_a_watch_the_lineage_gets_what_it_needs_and_at_least_a_step_more(severity):
    assert asked(severity, 0.1, needs(0.6)) == pytest.approx(0.6)
    assert asked(severity, 0.6, needs(0.6)) == pytest.approx(0.6 + RULE.release)
    assert asked(severity, 0.98, needs(0.6)) == 1.0


def test_the_larger_of_two_needs_counts():
    assert asked(Severity.COLLAPSED, 0.0, needs(0.3, fixation_share=0.5)) == pytest.approx(0.5)
    assert asked(Severity.COLLAPSED, 0.0, needs(0.7, fixation_share=0.5)) == pytest.approx(0.7)


def test_where_no_share_is_enough_all_is_real():
    assert asked(Severity.COLLAPSED, 0.2, needs(None, infeasible="it fell to nothing")) == 1.0
    assert asked(Severity.COLLAPSED, 0.2, needs(0.4, infeasible="it fell to nothing")) == 1.0


def test_without_a_founder_the_synthetic_share_is_cut_to_bring_the_worst_indicator_to_its_watch_level():
    harms = [harmful(), harmful(effect=0.098, indicator="tail_loss"), harmful(effect=9.0, decides=False)]
    assert asked(Severity.COLLAPSED, 0.0, comparisons=harms) == pytest.approx(0.8)
    assert asked(Severity.COLLAPSED, 0.5, comparisons=harms) == pytest.approx(0.9)
    gone = harmful(indicator="rare_coverage", direction=Direction.DOWN, effect=-math.inf)
    assert asked(Severity.COLLAPSED, 0.0, comparisons=[gone]) == 1.0


def test_the_share_is_released_slowly_only_after_enough_healthy_generations():
    history = [past(1, Severity.COLLAPSED, 0.0), past(2, Severity.HEALTHY, 0.8)]
    assert asked(Severity.HEALTHY, 0.8, needs(0.1), history=history) == pytest.approx(0.8)
    history.append(past(3, Severity.HEALTHY, 0.8))
    assert asked(Severity.HEALTHY, 0.8, needs(0.1), history=history) == pytest.approx(0.8 - RULE.release)


def test_it_is_released_neither_below_what_is_needed_nor_below_the_minimum():
    history = [past(index, Severity.HEALTHY, 0.8) for index in (1, 2, 3)]
    assert asked(Severity.HEALTHY, 0.8, needs(0.79), history=history) == pytest.approx(0.79)
    assert asked(Severity.HEALTHY, 0.8, needs(0.9), history=history) == pytest.approx(0.8)
    assert asked(Severity.HEALTHY, RULE.minimum, needs(0.0), history=history) == pytest.approx(RULE.minimum)
    assert asked(Severity.HEALTHY, 0.8, history=history) == pytest.approx(0.8 - RULE.release)


def test_undecided_keeps_the_share_and_a_healthy_lineage_without_real_data_gets_no_opinion():
    assert asked(Severity.UNDECIDED, 0.3, needs(0.9)) == pytest.approx(0.3)
    assert asked(Severity.HEALTHY, 0.0, needs(0.0)) is None


def test_the_founder_gets_no_opinion():
    founder = Generation(lineage="newsbot", index=0, mixture=Mixture(real=1.0))
    verdict = verdict_of(Severity.COLLAPSED, 0)
    assert prescribe(verdict, [harmful()], generation=founder, history=(), needed=needs(0.5), rule=RULE) is None


@given(SHARES, SHARES, st.sampled_from([Severity.COLLAPSED, Severity.WATCH, Severity.UNDECIDED]))
def test_the_share_is_never_lowered_but_after_healthy_generations(share, needed, severity):
    asks = asked(severity, share, needs(needed))
    assert asks is None or share <= asks <= 1.0
