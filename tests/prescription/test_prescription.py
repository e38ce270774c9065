"""From a verdict and what a lineage needs to the mixture that is asked for: the table of `prescribe`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import make_assessment, make_comparison
from collapse_guard.decision.policy import Policy
from collapse_guard.prescription.control import Observation, target_share
from collapse_guard.prescription.prescribe import budget_left, prescribe
from collapse_guard.records import (
    Direction,
    Inbreeding,
    Interval,
    Outlook,
    Prescription,
    Reason,
    ReasonKind,
    Severity,
)

RULE = Policy().reinjection
SHARES = st.floats(0.0, 1.0)


def past(index, severity, share, *, items=None, fixation=None, comparisons=()):
    ahead = None if fixation is None else Outlook(inbreeding=inbred(fixation))
    fields = {"severity": severity, "real": share, "items": items, "outlook": ahead}
    return make_assessment("newsbot", index, comparisons=comparisons, **fields)


def inbred(fixation, size=100.0):
    exact = {"low": fixation, "high": fixation}
    return Inbreeding(
        fixation=Interval(value=fixation, **exact), of="tokens", size=Interval(value=size, low=size, high=size)
    )


def needs(share, **changes):
    fields = {"real_share": share, "even_share": share, "assurance": 0.9, "horizon": 10}
    return Prescription(**{**fields, **changes})


def asked(severity, share, needed=None, *, comparisons=(), history=(), rule=RULE, items=None, fixation=None):
    now = past(len(history) + 1, severity, share, items=items, comparisons=tuple(comparisons))
    ahead = Outlook(prescription=needed, inbreeding=None if fixation is None else inbred(fixation))
    known = None if needed is None and fixation is None else ahead
    mixture = prescribe(now, history=history, ahead=known, rule=rule)
    return None if mixture is None else mixture.real


def harmful(*, indicator="perplexity", **changes):
    fields = {"baseline": "wild_type", "effect": 0.245, "low": 0.0, "high": 0.0, "margin": 0.095, "watch": 0.049}
    return make_comparison(indicator, **{**fields, "direction": Direction.UP, **changes})


@pytest.mark.parametrize("severity", [Severity.COLLAPSED, Severity.WATCH])
def test_after_a_collapse_or_a_watch_the_lineage_gets_what_it_needs_and_at_least_a_step_more(severity):
    assert asked(severity, 0.1, needs(0.6)) == pytest.approx(0.6)
    assert asked(severity, 0.6, needs(0.6)) == pytest.approx(0.6 + RULE.release)
    assert asked(severity, 0.98, needs(0.6)) == 1.0


def test_a_leak_asks_for_no_more_real_data():
    leak = Reason(kind=ReasonKind.LEAKED, severity=Severity.WATCH, sentence="evaluation documents were trained on")
    far = Reason(kind=ReasonKind.BEYOND_WATCH, severity=Severity.WATCH, sentence="by hand")
    for reasons, share in (((leak,), 0.3), ((leak, far), 0.3 + RULE.release)):
        now = make_assessment("newsbot", 1, real=0.3, reasons=reasons)
        mixture = prescribe(now, history=(), ahead=None, rule=RULE)
        assert mixture.real == pytest.approx(share)


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
    founder = past(0, Severity.COLLAPSED, 1.0, comparisons=(harmful(),))
    assert prescribe(founder, history=(), ahead=Outlook(prescription=needs(0.5)), rule=RULE) is None


def test_the_worse_the_bad_end_of_the_interval_the_larger_the_step():
    steps = {1.0: 1, 2.5: 2.5, 30.0: 4}
    for times, step in steps.items():
        harm = harmful(effect=0.06, low=0.05, high=0.049 * times)
        assert asked(Severity.WATCH, 0.1, needs(0.0), comparisons=[harm]) == pytest.approx(0.1 + step * RULE.release)
    both = harmful(direction=Direction.BOTH, effect=-0.06, low=-0.049 * 3, high=0.01)
    assert asked(Severity.WATCH, 0.1, needs(0.0), comparisons=[both]) == pytest.approx(0.1 + 3 * RULE.release)
    shown = harmful(effect=0.5, high=9.0, decides=False)
    assert asked(Severity.WATCH, 0.1, needs(0.0), comparisons=[shown]) == pytest.approx(0.1 + RULE.release)


class TestBudget:
    rule = Policy(reinjection={"budget": 1000}).reinjection

    def test_the_next_generation_gets_at_most_what_is_left_of_it(self):
        history = (past(0, Severity.HEALTHY, 1.0, items=1000), past(1, Severity.WATCH, 0.3, items=1000))
        asks = asked(Severity.COLLAPSED, 0.5, needs(0.6), history=history, items=1000, rule=self.rule)
        assert asks == pytest.approx(0.2)
        assert budget_left(history[1].generation, history[:1], self.rule) == 700

    def test_it_can_be_used_up(self):
        asks = asked(Severity.COLLAPSED, 1.0, needs(0.6), items=5000, rule=self.rule)
        assert asks == 0.0

    def test_it_cannot_bound_what_is_not_recorded(self):
        assert asked(Severity.COLLAPSED, 0.5, needs(0.6), rule=self.rule) == pytest.approx(0.6)
        unknown = past(1, Severity.WATCH, 0.3).generation
        assert budget_left(unknown, (), self.rule) is None
        assert budget_left(past(1, Severity.WATCH, 0.3, items=10).generation, (), RULE) is None


class TestATarget:
    rule = Policy(reinjection={"target_fixation": 0.1}).reinjection

    def test_is_steered_to_whatever_the_verdict(self):
        history = [past(t, Severity.HEALTHY, 0.0, fixation=f) for t, f in enumerate((0.0, 0.05))]
        for severity in (Severity.HEALTHY, Severity.UNDECIDED):
            asks = asked(severity, 0.0, needs(0.0), history=history, fixation=0.098, rule=self.rule)
            assert asks == pytest.approx(
                target_share(0.1, [Observation(0.0, 0.05), Observation(0.0, 0.098)], size=100, rule=self.rule)
            )
            assert asks > 0

    def test_never_asks_for_less_than_the_lineage_needs(self):
        history = [past(0, Severity.HEALTHY, 1.0, fixation=0.0)]
        assert asked(Severity.HEALTHY, 0.2, needs(0.3), history=history, fixation=0.01, rule=self.rule) == 0.3

    def test_is_steered_to_by_the_bad_end_of_each_interval(self):
        def wide(index, share, high):
            one = past(index, Severity.HEALTHY, share, fixation=0.05)
            fixation = Interval(value=0.05, low=0.0, high=high)
            found = one.outlook.inbreeding.model_copy(update={"fixation": fixation})
            return one.model_copy(update={"outlook": Outlook(inbreeding=found)})

        first = target_share(0.1, [Observation(0.0, 0.098)], size=100, rule=self.rule)
        line = [past(0, Severity.HEALTHY, 1.0, fixation=0.0), wide(1, 0.0, 0.098), wide(2, first, 0.12)]
        asks = prescribe(line[-1], history=line[:-1], ahead=line[-1].outlook, rule=self.rule)
        expected = target_share(0.1, [Observation(0.0, 0.098), Observation(first, 0.12)], size=100, rule=self.rule)
        assert asks.real == pytest.approx(expected)
        assert expected != pytest.approx(
            target_share(0.1, [Observation(0.0, 0.05), Observation(first, 0.12)], size=100, rule=self.rule)
        )

    def test_never_asks_for_less_than_the_verdict_does(self):
        asks = asked(Severity.COLLAPSED, 0.2, needs(0.6), fixation=0.01, rule=self.rule)
        assert asks == pytest.approx(0.6)

    def test_says_nothing_where_the_size_is_not_known(self):
        assert asked(Severity.HEALTHY, 0.0, needs(0.0), rule=self.rule) is None


@pytest.mark.slow
@given(SHARES, SHARES, st.sampled_from([Severity.COLLAPSED, Severity.WATCH, Severity.UNDECIDED]))
def test_the_share_is_never_lowered_but_after_healthy_generations(share, needed, severity):
    asks = asked(severity, share, needs(needed))
    assert asks is None or share <= asks <= 1.0
