"""Oracles: the table of the module, and what the run had drawn and could still draw, counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from building import make_assessment, make_comparison
from collapse_guard.assessment import conclude
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Losses
from collapse_guard.measurement.loss_readings import loss_readings
from collapse_guard.records import (
    Decision,
    Generation,
    Mixture,
    Outlook,
    Prescription,
    Severity,
)
from collapse_guard.reinjection.controller import Run, steer

RULE = Policy().reinjection
RUN = Run(step=40, fetched=1000, end=5000, real_share=0.1, real_items=9999, real_drawn=100)
SEVERITIES = list(Severity)


def assessed(index, severity, *, asked=None, needed=None, infeasible="", share=0.0, **changes):
    harm = make_comparison("perplexity", effect=0.2, low=0.0, high=0.25, margin=0.1, watch=0.05)
    prescription = Prescription(real_share=needed, even_share=needed, assurance=0.9, horizon=10, infeasible=infeasible)
    mixture = None if asked is None else Mixture.with_real(asked)
    fields = {"prescription": mixture, "outlook": Outlook(prescription=prescription), "real": share, **changes}
    return make_assessment("bot", index, comparisons=[harm], severity=severity, **fields)


def decided(severity, *, run=RUN, before=None, rule=RULE, history=(), **settings):
    known = {key: settings.pop(key) for key in ("asked", "needed", "infeasible") if key in settings}
    look = assessed(len(history), severity, **{"asked": 0.4, "needed": 0.3, **known})
    return steer(look, run, before=before, history=history, rule=rule, **settings)


@pytest.mark.parametrize("severity", [Severity.WATCH, Severity.COLLAPSED])
def test_on_a_transition_the_share_is_raised_to_what_is_asked_from_what_nobody_has_fetched(severity):
    decision = decided(severity)
    assert (decision.real_before, decision.real_after, decision.from_index) == (0.1, 0.4, 1000)
    assert (decision.step, decision.severity, decision.indicator) == (40, severity, "perplexity")
    assert decision.bad_end == pytest.approx(5.0)
    assert decision.needed == 0.3
    assert decision.rule == f"{severity}: the real share is raised from 10% to 40%"
    assert not decision.halt


@given(severity=st.sampled_from(SEVERITIES), before=st.none() | st.sampled_from(SEVERITIES))
def test_it_acts_on_transitions_to_watch_and_collapsed_only(severity, before):
    rank = {Severity.WATCH: 1, Severity.COLLAPSED: 2}
    acts = rank.get(severity, 0) > rank.get(before, 0)
    assert (decided(severity, before=before) is not None) == acts


def test_a_share_that_is_larger_already_stays():
    decision = decided(Severity.WATCH, run=RUN._replace(real_share=0.6))
    assert (decision.real_after, decision.from_index) == (0.6, None)
    assert decision.rule.endswith("the real share stays at 60%")


def test_a_dry_run_says_the_same_and_changes_nothing():
    real, dry = decided(Severity.WATCH), decided(Severity.WATCH, dry_run=True)
    assert dry == real.model_copy(update={"dry_run": True, "from_index": None})


class TestLimits:
    def test_passes_bound_the_share_for_the_rest_of_the_run(self):
        decision = decided(Severity.WATCH, run=RUN._replace(real_most=1500), needed=0.2)
        assert (decision.budget_left, decision.affordable) == (1400, 0.35)
        assert decision.real_after == 0.35
        assert decision.rule.endswith("raised from 10% to 35%; 40% is asked for, but budget and passes allow no more")
        assert not decision.halt

    def test_a_budget_counts_what_earlier_generations_had(self):
        rule = Policy(reinjection={"budget": 3000}).reinjection
        history = [
            assessed(0, Severity.HEALTHY, items=5000, share=1.0),
            assessed(1, Severity.HEALTHY, items=4000, share=0.4),
        ]
        decision = decided(Severity.WATCH, rule=rule, history=history, needed=0.2)
        assert decision.budget_left == 3000 - 1600 - 100
        assert decision.affordable == pytest.approx(1300 / 4000)

    def test_a_budget_of_more_than_there_is_bounds_nothing(self):
        rule = Policy(reinjection={"budget": 10_000}).reinjection
        assert decided(Severity.WATCH, rule=rule).budget_left is None

    def test_without_an_end_nothing_is_bounded(self):
        decision = decided(Severity.WATCH, run=RUN._replace(end=None, real_most=1500))
        assert (decision.budget_left, decision.affordable, decision.real_after) == (1400, 1.0, 0.4)

    def test_less_than_is_needed_is_no_use_and_the_healthy_ancestor_is_named(self):
        history = [
            assessed(0, Severity.HEALTHY),
            assessed(1, Severity.HEALTHY),
            assessed(2, Severity.COLLAPSED),
        ]
        decision = decided(Severity.COLLAPSED, run=RUN._replace(real_most=500), history=history)
        assert decision.halt
        assert decision.roll_back_to == 1
        assert decision.real_after == 0.1
        assert "a real share of 30% is needed, but budget and passes leave enough for 10%" in decision.rule

    def test_where_no_share_helps_the_reason_is_shown(self):
        decision = decided(Severity.COLLAPSED, infeasible="vendi fell to nothing", needed=None)
        assert (decision.halt, decision.rule) == (True, "vendi fell to nothing")
        assert decision.roll_back_to is None


def test_without_a_prescription_the_share_stays():
    decision = decided(Severity.WATCH, asked=None, needed=None)
    assert (decision.real_after, decision.from_index, decision.needed) == (0.1, None, None)


def test_decisions_survive_a_round_trip():
    decision = decided(Severity.WATCH)
    assert Decision.from_dict(decision.to_dict()) == decision


class TestLevel:
    """Lineages that are looked at nine times: how often is one acted on that did not change?"""

    policy = Policy(decides=("perplexity",))
    documents, tokens = tuple(map(str, range(200))), np.full(200, 30)

    def acts(self, harm, seed, noise=0.05):
        rng = np.random.default_rng(seed)
        hardness = 5 + rng.normal(0, 0.5, 200)

        def assessed(generation, rise, history, look):
            rates = hardness + rise + rng.normal(0, noise, 200)
            losses = Losses(documents=self.documents, nll=rates * self.tokens, n_tokens=self.tokens)
            readings = {reading.indicator: reading for reading in loss_readings(losses, None)}
            return conclude(generation, readings, {}, history=history, policy=self.policy, look=look)

        history = [assessed(Generation(lineage="bot", index=0), 0.0, [], None)]
        decisions = []
        for index in (1, 2, 3):
            generation, before = Generation(lineage="bot", index=index, parents=(index - 1,)), None
            for look in range(3):
                newest = assessed(generation, harm, history, look)
                decisions.append(steer(newest, RUN, before=before, history=history, rule=RULE))
                before = newest.verdict.severity
            history.append(newest)
        return any(decision is not None for decision in decisions)

    @pytest.mark.slow
    def test_an_unchanged_lineage_is_acted_on_no_more_often_than_promised_and_one_beyond_the_level_is(self):
        """Documents so noisy that their mean passes the policy's level again and again, though nothing changes."""
        watch = self.policy.margin("perplexity", "founder").effects()[1]
        false = sum(self.acts(0.0, seed, noise=0.25) for seed in range(40))
        assert false <= stats.binom.ppf(0.999, 40, self.policy.watch_alpha)
        assert sum(self.acts(5 * watch, seed) for seed in range(10)) == 10
