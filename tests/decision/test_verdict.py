"""decide(): its table, its order, its totality, and the error budget it promises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from building import make_assessment, make_comparison, make_reading
from collapse_guard.assessment import conclude
from collapse_guard.comparison.compare import compare
from collapse_guard.decision.alerts import AlertRule
from collapse_guard.decision.baselines import on_fold
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.verdict import cycle_of, decide, judge, lineage_p
from collapse_guard.records import (
    Direction,
    Generation,
    Reason,
    ReasonKind,
    Severity,
)

POLICY = Policy()


def comparison(**changes):
    """Harm that is shown to be within its margin."""
    shown = {"p_beyond_margin": 1.0, "p_beyond_watch": 1.0, "p_within_margin": 1e-6, "margin": 0.095, "watch": 0.049}
    named = changes.pop("indicator", "perplexity")
    return make_comparison(named, **{"effect": 0.05, "low": 0.03, "high": 0.07, **shown, **changes})


def generation(index=1):
    return Generation(lineage="newsbot", index=index, parents=tuple(range(index - 1, index)) if index else ())


@pytest.mark.parametrize(
    ("p_beyond", "p_within", "p_watch", "severity", "kind"),
    [
        (1e-9, 1.0, 1e-9, Severity.COLLAPSED, ReasonKind.BEYOND_MARGIN),
        (0.04, 0.96, 1e-9, Severity.UNDECIDED, ReasonKind.NOT_SHOWN),
        (0.30, 0.70, 0.01, Severity.UNDECIDED, ReasonKind.NOT_SHOWN),
        (0.99, 0.01, 1e-9, Severity.WATCH, ReasonKind.BEYOND_WATCH),
        (0.99, 0.01, 0.06, Severity.HEALTHY, ReasonKind.WITHIN_MARGIN),  # 0.06 * 1 * 2 over the lineage
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
    assert [reason.indicator for reason in verdict.reasons[1:]] == ["perplexity", "distinct_2", ""]
    assert verdict.reasons[-1].kind is ReasonKind.SEED_NOISE


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


def reading(values):
    return make_reading("distinct_2", float(np.mean(values)), replicates=tuple(values), group="4096 tokens")


def judged(founder, values, policy=POLICY, index=1):
    margin, watch = policy.margin("distinct_2", "founder").effects()
    against = compare(
        reading(values), reading(founder), baseline="founder", baseline_generation=0, margin=margin, watch=watch
    )
    return decide([against], generation=generation(index), policy=policy).severity


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
@settings(max_examples=200)
def test_a_worse_reading_never_gives_a_milder_verdict(seed, first, second):
    """The same noise, moved further toward collapse."""
    rng = np.random.default_rng(seed)
    founder, noise = 0.6 + 0.02 * rng.normal(size=10), 0.02 * rng.normal(size=10)
    mild, hard = sorted((first, second))
    assert judged(founder, 0.6 - 0.6 * hard + noise).rank >= judged(founder, 0.6 - 0.6 * mild + noise).rank


@pytest.mark.slow
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


@given(st.integers(0, 2**32 - 1), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.sampled_from(list(Direction)))
@settings(max_examples=100)
def test_harder_documents_never_give_a_milder_verdict(seed, first, second, direction):
    """The same for paired documents, where an e-value decides."""
    rng = np.random.default_rng(seed)
    founder = rng.normal(5.0, 0.5, 60)
    noise = rng.normal(0.0, 0.05, 60)
    worse = {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.BOTH: 1.0}[direction]
    mild, hard = sorted((abs(first), abs(second)))
    ranks = [
        decide(
            [paired(founder + noise + worse * shift, founder, direction=direction)],
            generation=generation(),
            policy=POLICY,
        ).severity.rank
        for shift in (mild, hard)
    ]
    # Noise of one sign may be undone by a small shift of the other, where both sides are harm.
    if direction is not Direction.BOTH or mild > abs(noise.mean()):
        assert ranks[1] >= ranks[0]


def document_reading(rates, direction=Direction.UP):
    documents = {"keys": tuple(f"document {i}" for i in range(len(rates))), "weights": (30.0,) * len(rates)}
    value = float(np.exp(np.mean(rates)))
    return make_reading(
        "perplexity", value, direction=direction, replicates=tuple(rates), group="document", **documents
    )


def paired(rates, founder, *, policy=POLICY, direction=Direction.UP):
    limits = policy.limits("perplexity", "founder", direction=direction)
    return compare(
        document_reading(rates, direction),
        document_reading(founder, direction),
        baseline="founder",
        baseline_generation=0,
        margin=limits.margin,
        watch=limits.watch,
        alert_level=policy.alert_level(1) / len(policy.decides),
    )


def test_a_comparison_names_the_method_that_decides_and_that_of_its_interval(rng):
    founder = rng.gamma(4.0, 1.0, 60)
    found = paired(founder + rng.normal(0.3, 0.1, 60), founder)
    assert found.method == "bets on paired documents; interval: paired t on documents"
    assert found.p_beyond_margin == pytest.approx(1 / found.e_beyond_margin)


def concluded(founder, later, policy):
    """The severities of a lineage whose generations have these losses, decided one after the other."""
    history, severities = [], []
    for index, rates in enumerate([founder, *later]):
        readings = {"perplexity": document_reading(rates)}
        assessment = conclude(generation(index), readings, {}, history=history, policy=policy)
        history.append(assessment)
        severities.append(assessment.verdict.severity)
    return severities


ROTATING = Policy(decides=("perplexity",), rotate_folds=10)


def test_where_folds_rotate_evidence_accumulates_over_generations():
    """A harm that each fold of 30 documents is too small to show alone is shown after some generations."""
    rng = np.random.default_rng(7)
    founder = rng.normal(5.0, 0.5, 300)
    later = [founder + 0.2 + rng.normal(0.0, 0.3, 300) for _ in range(10)]
    rotating, product = (
        concluded(founder, later, ROTATING.model_copy(update={"accumulate": a})) for a in ("cusum", "product")
    )
    assert rotating[1] is product[1] is Severity.UNDECIDED
    assert rotating[-1] is product[-1] is Severity.COLLAPSED
    assert product.index(Severity.COLLAPSED) <= rotating.index(Severity.COLLAPSED), "harm began at once"


def test_each_generation_of_a_cycle_is_judged_on_documents_that_no_other_one_was_judged_on():
    rates = list(np.linspace(4.0, 5.0, 400))
    seen = []
    for index in range(1, 11):
        cut = on_fold({"perplexity": document_reading(rates)}, index, ROTATING)["perplexity"]
        assert len(cut.keys) == len(cut.replicates) == len(cut.weights)
        assert all(rates[int(key.split()[1])] == rate for key, rate in zip(cut.keys, cut.replicates, strict=True))
        seen += cut.keys
    assert sorted(seen) == sorted(document_reading(rates).keys)
    assert [cycle_of(t, 10) for t in (0, 1, 10, 11)] == [-1, 0, 0, 1]


def test_a_fold_of_too_few_documents_is_undecided_and_says_so():
    founder = np.linspace(4.0, 5.0, 60)
    policy = ROTATING
    history = [conclude(generation(0), {"perplexity": document_reading(founder)}, {}, history=[], policy=policy)]
    judged = conclude(generation(1), {"perplexity": document_reading(founder)}, {}, history=history, policy=policy)
    assert judged.verdict.severity is Severity.UNDECIDED
    assert "of 60 documents are in fold 1 of 10, 20 are needed" in judged.verdict.reasons[0].sentence


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", ["cusum", "product"])
def test_rotating_folds_keep_alpha_although_verdicts_change_the_training(accumulate):
    """An adversary who knows the documents that were judged makes the model fail on just these from then on, and leaves
    all others at the margin. On folds that no verdict has seen that helps nobody; were all judged on one fold, every
    lineage would be called collapsed."""
    policy = ROTATING.model_copy(update={"accumulate": accumulate})
    margin = policy.limits("perplexity", "founder", direction=Direction.UP).margin
    judged_by = [
        [int(key.split()[1]) for key in on_fold({"": document_reading(np.zeros(300))}, t, policy)[""].keys]
        for t in range(1, 11)
    ]
    lineages, alarms = 25, 0
    for seed in range(lineages):
        rng = np.random.default_rng(seed)
        founder = rng.normal(5.0, 0.5, 300)
        later = [founder + margin + rng.normal(0.0, 0.1, 300) for _ in range(10)]
        for t, rates in enumerate(later):
            rates[[document for fold in judged_by[:t] for document in fold]] += 0.5
        alarms += Severity.COLLAPSED in concluded(founder, later, policy)
    assert alarms <= stats.binom(lineages, policy.alpha).ppf(0.9999)


def test_a_look_in_the_run_pays_for_itself():
    one = comparison(p_beyond_margin=0.004)
    alone, first, second = (
        lineage_p(one, (), "margin", since_founder=1, policy=POLICY, look=look) for look in (None, 0, 1)
    )
    assert (alone, first, second) == pytest.approx((0.004 * 2, 0.004 * 4, 0.004 * 12))


def past(index, severity, share):
    return make_assessment(index=index, severity=severity, real=share)


def test_a_verdict_says_what_is_news():
    worse = comparison(p_beyond_margin=1e-12, p_within_margin=1.0)
    founder = past(0, Severity.HEALTHY, 1.0)
    first = decide([worse], [founder], generation=generation(1), policy=POLICY)
    assert (first.alert.state, first.alert.event) == (Severity.COLLAPSED, "enter")
    collapsed = past(1, Severity.COLLAPSED, 0.0)
    again = decide([worse], [founder, collapsed], generation=generation(2), policy=POLICY)
    assert (again.alert.state, again.alert.event) == (Severity.COLLAPSED, "")


def test_reasons_say_n_the_power_and_the_definitions_they_speak_to():
    close = comparison(detectable=math.log(1.2), n=1234, replicate="document")
    [reason] = decide([close], generation=generation(), policy=POLICY).reasons[:1]
    assert "1,234 documents would find a collapse from +20.0% on (80% power)" in reason.sentence
    assert reason.definitions == (1, 2, 3)


def test_the_founders_distance_is_said_of_the_founder():
    far = comparison(baseline="wild_type", baseline_generation=None, p_beyond_margin=1e-12, p_within_margin=1.0)
    assert (
        "not charged to later generations" in decide([far], generation=generation(0), policy=POLICY).reasons[0].sentence
    )
    later = decide([far], generation=generation(3), policy=POLICY)
    assert "charged" not in later.reasons[0].sentence
    assert later.reasons[-1].kind is ReasonKind.BEYOND_MARGIN, "no founder: nothing is said of seeds"


def test_what_seeds_alone_do_is_in_force_and_told():
    noise = {"perplexity": SeedNoise(controls=5, mean=0.0, sd=0.08)}
    policy = Policy(decides=("perplexity",), seed_noise=noise)
    founder = np.linspace(4.0, 5.0, 300)
    worse = founder + 0.15 + np.random.default_rng(0).normal(0.0, 0.05, 300)
    for known, severity in ((policy, Severity.HEALTHY), (Policy(decides=("perplexity",)), Severity.COLLAPSED)):
        history = [conclude(generation(0), {"perplexity": document_reading(founder)}, {}, history=[], policy=known)]
        verdict = conclude(
            generation(1), {"perplexity": document_reading(worse)}, {}, history=history, policy=known
        ).verdict
        assert verdict.severity is severity
        told = " ".join(reason.sentence for reason in verdict.reasons)
        assert ("which is what another seed alone does" in told) == (known is policy)
        assert ("was not measured" in told) == (known is not policy)


def test_harm_that_no_seed_does_is_watched_below_the_watch_level():
    quiet = comparison(p_beyond_watch=1.0, seed_limit=0.04)
    verdict = decide([quiet], generation=generation(), policy=POLICY)
    assert (verdict.severity, verdict.reasons[0].kind) == (Severity.WATCH, ReasonKind.BEYOND_SEEDS)
    assert "within the margin of +10.0%, but more than another seed alone does, +4.1%" in verdict.reasons[0].sentence
    usual = comparison(p_beyond_watch=1.0, seed_limit=0.06)
    assert decide([usual], generation=generation(), policy=POLICY).severity is Severity.HEALTHY


def test_what_was_shown_is_shown_beside_what_could_not_be():
    """Perplexity is beyond its watch level, and another indicator is too uncertain: the gate must not pass, and the
    alert is about what is known."""
    watched, unsure = comparison(p_beyond_watch=1e-9), comparison(indicator="vendi", p_within_margin=0.5)
    verdict = decide([watched, unsure], generation=generation(), policy=POLICY)
    assert (verdict.severity, verdict.known) == (Severity.UNDECIDED, Severity.WATCH)
    assert (verdict.alert.state, verdict.alert.event) == (Severity.WATCH, "enter")
    alone = decide([unsure], generation=generation(), policy=POLICY)
    assert (alone.severity, alone.known) == (Severity.UNDECIDED, Severity.UNDECIDED)


def test_retrains_that_differ_in_their_seed_only_are_watched_as_rarely_as_promised():
    """Controls and later generations are alike: noise of the same spread. P(any WATCH in ten generations) <= alpha,
    with five indicators, although the noise goes beyond the policy's watch level all the time."""
    names = ("perplexity", "cvar_loss", "entropy", "tail_loss", "own_perplexity")
    lineages, k, alarms = 400, 8, 0
    for seed in range(lineages):
        rng = np.random.default_rng(seed)
        controls = 0.04 * rng.normal(size=(k, 5)) - 0.04 * (founder := rng.normal(size=5))
        noise = {
            name: SeedNoise(controls=k, mean=float(c.mean()), sd=float(c.std(ddof=1)))
            for name, c in zip(names, controls.T, strict=True)
        }
        policy = Policy(decides=names, seed_noise=noise)
        effects = 0.04 * rng.normal(size=(10, 5)) - 0.04 * founder
        limits = [policy.limits(name, "founder", direction=Direction.UP).seeds for name in names]
        alarms += bool((effects > limits).any())
    assert alarms <= stats.binom(lineages, 0.05).ppf(0.9999)
    assert alarms > 0, "the limit is not so wide that nothing is ever beyond it"


def test_a_verdict_in_the_run_pays_for_its_look():
    one = make_comparison(p_beyond_margin=0.012, p_within_margin=1.0)
    verdicts = [decide([one], generation=generation(), policy=POLICY, look=look).severity for look in (None, 1)]
    assert verdicts == [Severity.COLLAPSED, Severity.UNDECIDED]


def test_levels_are_reached_at_their_ends():
    def severity(p, p_watch, p_within):
        one = make_comparison(p_within_margin=p_within)
        return judge(one, p=p, p_watch=p_watch, policy=POLICY, since_founder=1).severity

    alpha, watch, beta = POLICY.alpha, POLICY.watch_alpha, 1.0 - POLICY.confidence
    assert severity(alpha, 1.0, 1.0) is Severity.COLLAPSED
    assert severity(alpha * 1.001, watch, beta) is Severity.WATCH
    assert severity(alpha * 1.001, watch * 1.001, beta) is Severity.HEALTHY
    assert severity(alpha * 1.001, watch, beta * 1.001) is Severity.UNDECIDED


@pytest.mark.parametrize("watch_alpha", [0.02, 0.3])
def test_a_watch_has_an_error_budget_of_its_own(watch_alpha):
    """p-values that are uniform, as at the watch level: in ten generations the budget is spent, and no more than it."""
    rng, lineages = np.random.default_rng(16), 4000
    policy = Policy(watch_alpha=watch_alpha)
    share = [
        lineage_p(comparison(p_beyond_watch=1e-6), (), "watch", since_founder=t, policy=policy) for t in range(1, 11)
    ]
    p = rng.uniform(size=(lineages, 10)) * np.array(share) / 1e-6
    one, spent = comparison(), math.fsum(watch_alpha * 1e-6 / part for part in share)
    severities = {
        q: judge(one, p=1.0, p_watch=q, policy=policy, since_founder=1).severity for q in p.min(axis=1).tolist()
    }
    alarms = sum(severity is Severity.WATCH for severity in severities.values())
    assert spent <= watch_alpha
    assert alarms <= stats.binom(lineages, watch_alpha).ppf(0.9999)
    assert alarms == pytest.approx(lineages * spent, abs=4 * math.sqrt(lineages * spent))


def test_an_uncertain_generation_beyond_its_watch_level_is_shown_by_the_budget_of_a_watch():
    unsure = make_comparison(p_beyond_margin=1.0, p_within_margin=0.5, p_beyond_watch=0.01)
    shown = [
        decide([unsure], generation=generation(), policy=Policy(watch_alpha=level)).known for level in (0.2, 0.001)
    ]
    assert shown == [Severity.WATCH, Severity.UNDECIDED]


def test_of_equal_severity_the_largest_harm_beyond_its_margin_stands_first_and_what_is_no_number_before_it():
    harms = {"perplexity": 0.02, "tail_loss": 0.06, "entropy": math.nan, "cvar_loss": 0.05}
    several = [
        make_comparison(name, effect=harm, margin=0.03 if name == "cvar_loss" else 0.1, p_beyond_margin=1e-12)
        for name, harm in harms.items()
    ]
    reasons = decide(several, generation=generation(), policy=POLICY).reasons
    assert [one.indicator for one in reasons][:4] == ["entropy", "cvar_loss", "tail_loss", "perplexity"]


def test_an_alert_goes_by_the_rule_of_the_policy():
    worse = make_comparison(p_beyond_margin=1e-12, p_within_margin=1.0)
    quiet = POLICY.model_copy(update={"alerts": AlertRule(warm_up=5)})
    assert decide([worse], generation=generation(), policy=quiet).alert.event == ""


def test_the_remark_on_seeds_names_the_indicators_that_no_control_measured_where_some_did():
    noise = {"perplexity": SeedNoise(controls=5, mean=0.0, sd=0.01)}
    several = [make_comparison(name) for name in ("perplexity", "vendi", "distinct_2")]
    for policy, named in ((POLICY.model_copy(update={"seed_noise": noise}), True), (POLICY, False)):
        remark = decide(several, generation=generation(), policy=policy).reasons[-1]
        assert remark.kind is ReasonKind.SEED_NOISE
        assert ("vendi, distinct_2" in remark.sentence) == named
        assert "perplexity" not in remark.sentence


def test_an_indicator_that_nobody_registered_speaks_to_no_definition():
    assert decide([make_comparison("mine")], generation=generation(), policy=POLICY).reasons[0].definitions == ()


@pytest.mark.parametrize(("effect", "kind"), [(-0.37, ReasonKind.BETTER), (-0.05, ReasonKind.WITHIN_MARGIN)])
def test_a_change_for_the_better_passes_and_is_told(effect, kind):
    better = make_comparison("perplexity", effect=effect, replicate="document")
    verdict = decide([better], generation=generation(), policy=POLICY)
    assert (verdict.severity, verdict.reasons[0].kind) == (Severity.HEALTHY, kind)
    assert ("another evaluation set, or a leak?" in verdict.reasons[0].sentence) == (kind is ReasonKind.BETTER)


@pytest.mark.parametrize("name", ["tail_gap", "worst_slice_loss", "reverse_tail_loss", "worst_slice_reverse"])
def test_a_contrast_that_fell_is_not_better_because_the_others_may_have_got_harder(name):
    fell = make_comparison(name, 0.1, 0.6, effect=-0.5, replicate="document")
    assert decide([fell], generation=generation(), policy=POLICY).reasons[0].kind is ReasonKind.WITHIN_MARGIN


@pytest.mark.parametrize("kind", [ReasonKind.IMPLAUSIBLE, ReasonKind.UNINFORMATIVE, ReasonKind.NOT_READ])
def test_what_was_put_aside_after_a_look_at_it_makes_no_other_indicator_alarm_sooner(kind):
    """Without the two that were put aside the p-value of the other is 0.03 of 0.05; with them it is 0.09."""
    one = comparison(indicator="vendi", p_beyond_margin=0.015, p_within_margin=1.0)
    aside = Reason(kind=kind, severity=Severity.HEALTHY, indicator="perplexity", others=("tail_loss",), sentence="no")
    severity = decide([one], generation=generation(), policy=POLICY, obstacles=[aside]).severity
    assert severity is (Severity.COLLAPSED if kind is ReasonKind.NOT_READ else Severity.UNDECIDED)


def test_losses_in_another_unit_neither_pass_nor_collapse_and_are_no_evidence_in_later_folds():
    founder = np.random.default_rng(0).normal(5.0, 0.5, 600)
    history = []
    for index, rates in enumerate([founder, founder / math.log(2.0), founder]):
        readings = {"perplexity": document_reading(rates)}
        history.append(conclude(generation(index), readings, {}, history=history, policy=ROTATING))
    assert [one.verdict.severity for one in history] == [Severity.HEALTHY, Severity.UNDECIDED, Severity.HEALTHY]
    [reason] = [one for one in history[1].verdict.reasons if one.kind is ReasonKind.IMPLAUSIBLE]
    assert "bits" in reason.sentence
    [bad] = history[1].comparisons
    assert bad.e_beyond_margin > 1e6, "it would have been evidence of harm in all generations of the cycle"


def test_reasons_are_in_the_order_of_harm_in_margins_whatever_their_units():
    near = make_comparison("perplexity", effect=0.03, standard_error=1e-4)
    none = make_comparison("empty_samples", 0.0, 0.0, margin=0.05, watch=0.02, standard_error=1e-4)
    verdict = decide([none, near], generation=Generation(lineage="newsbot", index=1), policy=Policy())
    order = [reason.indicator for reason in verdict.reasons if reason.indicator]
    assert order == ["perplexity", "empty_samples"]
