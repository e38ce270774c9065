"""decide(): its table, its order, its totality, and the error budget it promises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison import compare
from collapse_guard.policy import Policy
from collapse_guard.prescription import prescribe
from collapse_guard.records import (
    Assessment,
    Comparison,
    Direction,
    Generation,
    Mixture,
    Reading,
    Reason,
    ReasonKind,
    Severity,
    Verdict,
)
from collapse_guard.verdict import decide, holm

POLICY = Policy()


def comparison(**changes):
    fields = {
        "indicator": "perplexity",
        "baseline": "founder",
        "baseline_generation": 0,
        "observed": 100.0,
        "reference": 95.0,
        "effect": 0.05,
        "standard_error": 0.01,
        "degrees_of_freedom": 99.0,
        "low": 0.03,
        "high": 0.07,
        "level": 0.95,
        "direction": Direction.UP,
        "margin": 0.095,
        "watch": 0.049,
        "p_beyond_margin": 1.0,
        "p_beyond_watch": 1.0,
        "p_within_margin": 1e-6,
        "method": "paired t on documents",
        "n": 100,
        "n_reference": 100,
    }
    return Comparison(**{**fields, **changes})


def generation(index=1):
    return Generation(lineage="newsbot", index=index, parents=tuple(range(index - 1, index)) if index else ())


@pytest.mark.parametrize(
    ("p_beyond", "p_within", "p_watch", "severity", "kind"),
    [
        (1e-9, 1.0, 1e-9, Severity.COLLAPSED, ReasonKind.BEYOND_MARGIN),
        (0.04, 0.96, 1e-9, Severity.UNDECIDED, ReasonKind.NOT_SHOWN),
        (0.30, 0.70, 0.01, Severity.UNDECIDED, ReasonKind.NOT_SHOWN),
        (0.99, 0.01, 1e-9, Severity.WATCH, ReasonKind.BEYOND_WATCH),
        (0.99, 0.01, 0.90, Severity.HEALTHY, ReasonKind.WITHIN_MARGIN),
    ],
)
def test_the_table_of_one_comparison(p_beyond, p_within, p_watch, severity, kind):
    one = comparison(p_beyond_margin=p_beyond, p_within_margin=p_within, p_beyond_watch=p_watch)
    verdict = decide([one], generation=generation(), policy=POLICY)
    assert verdict.severity is severity
    assert verdict.reasons[0].kind is kind
    assert "perplexity" in verdict.reasons[0].sentence


def test_the_worst_reason_decides_and_stands_first():
    bad = comparison(indicator="vendi", p_beyond_margin=1e-12, p_within_margin=1.0)
    verdict = decide([comparison(), bad, comparison(indicator="distinct_2")], generation=generation(), policy=POLICY)
    assert verdict.severity is Severity.COLLAPSED
    assert verdict.reasons[0].indicator == "vendi"
    assert len(verdict.reasons) == 3


def test_what_does_not_decide_is_ignored():
    shown = comparison(p_beyond_margin=1e-12, p_within_margin=1.0, decides=False)
    assert decide([comparison(), shown], generation=generation(), policy=POLICY).severity is Severity.HEALTHY


def test_an_obstacle_keeps_a_verdict_from_passing_but_not_from_collapsing():
    gap = Reason(kind=ReasonKind.MISSING, severity=Severity.UNDECIDED, indicator="vendi", sentence="vendi is missing")
    assert (
        decide([comparison()], generation=generation(), policy=POLICY, obstacles=[gap]).severity is Severity.UNDECIDED
    )
    bad = comparison(p_beyond_margin=1e-12, p_within_margin=1.0)
    assert decide([bad], generation=generation(), policy=POLICY, obstacles=[gap]).severity is Severity.COLLAPSED


def test_a_nan_p_value_is_undecided():
    broken = comparison(p_beyond_margin=math.nan, p_within_margin=math.nan, p_beyond_watch=math.nan, effect=math.nan)
    assert decide([broken], generation=generation(), policy=POLICY).severity is Severity.UNDECIDED


def test_reasons_tell_ratios_in_percent_and_differences_in_their_unit():
    told = {
        unit: decide([comparison(effect_unit=unit, low=-1e-9)], generation=generation(), policy=POLICY)
        .reasons[0]
        .sentence
        for unit in ("log ratio", "nats per token", "share of samples")
    }
    assert "it changed by +5.1 % (95% interval ±0.0 % to +7.3 %); within the margin of +10.0 %" in told["log ratio"]
    assert "perplexity on these documents changed by +5.1 %" in told["nats per token"]
    assert "it changed by +0.05 (95% interval -1e-09 to +0.07); within the margin of +0.095" in told["share of samples"]


def test_holm_is_that_of_the_published_example_and_never_below_the_raw_p():
    assert holm([0.3, 0.001, 0.04, 0.012, 0.021]) == pytest.approx([0.3, 0.005, 0.08, 0.048, 0.063])
    assert holm([]) == []


def reading(values, indicator="distinct_2"):
    return Reading(
        indicator=indicator,
        family="diversity",
        value=float(np.mean(values)),
        unit="share",
        direction=Direction.DOWN,
        n=len(values) * 64,
        n_minimum=320,
        replicates=tuple(values),
        group="4096 tokens",
    )


def judged(founder, values, policy=POLICY, index=1):
    margin, watch = policy.margin("distinct_2", "founder").effects()
    against = compare(
        reading(values), reading(founder), baseline="founder", baseline_generation=0, margin=margin, watch=watch
    )
    return decide([against], generation=generation(index), policy=policy).severity


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
@settings(deadline=None, max_examples=200)
def test_a_worse_reading_never_gives_a_milder_verdict(seed, first, second):
    """The same noise, moved further toward collapse."""
    rng = np.random.default_rng(seed)
    founder, noise = 0.6 + 0.02 * rng.normal(size=10), 0.02 * rng.normal(size=10)
    mild, hard = sorted((first, second))
    assert judged(founder, 0.6 - 0.6 * hard + noise).rank >= judged(founder, 0.6 - 0.6 * mild + noise).rank


def test_a_lineage_at_its_margin_gets_a_false_collapsed_at_most_alpha_of_the_time():
    """The promise: nine indicators, ten generations, harm exactly at the margin, the founder shared by all
    comparisons."""
    rng, policy, lineages = np.random.default_rng(4), Policy(alpha=0.05), 300
    margin, watch = policy.margin("distinct_2", "founder").effects()
    alarms = 0
    for _ in range(lineages):
        founders = [reading(0.6 + 0.02 * rng.normal(size=15)) for _ in range(9)]
        alarms += any(
            decide(
                [
                    compare(
                        reading(0.6 / 1.1 + 0.02 * rng.normal(size=15)),
                        founder,
                        baseline="founder",
                        margin=margin,
                        watch=watch,
                    )
                    for founder in founders
                ],
                generation=generation(t),
                policy=policy,
            ).severity
            is Severity.COLLAPSED
            for t in range(1, 11)
        )
    assert alarms <= stats.binom(lineages, 0.05).ppf(0.999)


# ---- prescription


def verdict_of(severity, index):
    return Verdict(severity=severity, reasons=(), lineage="newsbot", generation=index, wild_type="", policy="")


def past(index, severity, share):
    made = Generation(lineage="newsbot", index=index, mixture=Mixture.with_real(share))
    return Assessment(generation=made, readings={}, comparisons=(), verdict=verdict_of(severity, index))


def asked(severity, share, comparisons=(), history=()):
    index = len(history) + 1
    made = Generation(lineage="newsbot", index=index, mixture=Mixture.with_real(share))
    return prescribe(
        verdict_of(severity, index), comparisons, generation=made, history=history, rule=POLICY.reinjection
    )


def test_after_a_collapse_the_synthetic_share_is_cut_to_bring_the_worst_indicator_to_its_watch_level():
    harms = [comparison(effect=0.245, watch=0.049), comparison(effect=0.098, watch=0.049, indicator="tail_loss")]
    assert asked(Severity.COLLAPSED, 0.0, harms).real == pytest.approx(0.8)
    assert asked(Severity.COLLAPSED, 0.5, harms).real == pytest.approx(0.9)


def test_an_indicator_that_fell_to_nothing_asks_for_real_data_only():
    gone = comparison(indicator="rare_coverage", direction=Direction.DOWN, effect=-math.inf)
    assert asked(Severity.COLLAPSED, 0.0, [gone]).real == 1.0


def test_the_share_is_released_slowly_only_after_enough_healthy_generations_and_never_to_zero():
    rule = POLICY.reinjection
    history = [past(1, Severity.COLLAPSED, 0.0), past(2, Severity.HEALTHY, 0.8)]
    assert asked(Severity.HEALTHY, 0.8, history=history).real == pytest.approx(0.8)
    history.append(past(3, Severity.HEALTHY, 0.8))
    assert asked(Severity.HEALTHY, 0.8, history=history).real == pytest.approx(0.8 - rule.release)
    assert asked(Severity.HEALTHY, rule.minimum, history=history).real == pytest.approx(rule.minimum)


def test_undecided_keeps_the_share_and_the_founder_gets_no_opinion():
    assert asked(Severity.UNDECIDED, 0.3).real == pytest.approx(0.3)
    assert asked(Severity.HEALTHY, 0.0) is None
    founder = Generation(lineage="newsbot", index=0, mixture=Mixture(real=1.0))
    verdict = verdict_of(Severity.COLLAPSED, 0)
    assert prescribe(verdict, [comparison(effect=1.0)], generation=founder, history=(), rule=POLICY.reinjection) is None
