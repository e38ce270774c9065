"""What is said of an indicator that cannot decide: what keeps a generation from passing, and what is a remark."""

import math

import numpy as np
import pytest

from building import make_reading
from collapse_guard import Evidence, WildType, assess
from collapse_guard.decision.obstacles import obstacles_of
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import Direction, Generation, ReasonKind, Severity
from collapse_guard.records.outlook import Interval

POLICY = Policy(decides=("distinct_2", "vendi"))
REQUIRES = POLICY.model_copy(update={"required": ("distinct_2",)})
FIRST, SECOND = Generation(lineage="newsbot", index=0), Generation(lineage="newsbot", index=2, parents=(1,))
VALUES = (0.6, 0.62, 0.58, 0.61, 0.59, 0.6)
FEW = "60 samples fill 1 groups of 64 samples, 5 are needed: 320 samples would do"


def reading(indicator="distinct_2", values=VALUES, **changes):
    value = float(np.mean(values)) if len(values) else math.nan
    fields = {"direction": Direction.DOWN, "scale": "log_ratio", "n": 384, "n_minimum": 320, "group": "64 samples"}
    return make_reading(indicator, value, replicates=tuple(values), **{**fields, **changes})


def few(indicator="distinct_2", **changes):
    return reading(indicator, VALUES[:1], n=60, **{"problem": FEW, **changes})


def on_documents(n, indicator="perplexity", rates=None, **changes):
    rates = np.linspace(4.0, 5.0, n) if rates is None else rates
    keys, weights = tuple(f"document {i}" for i in range(n)), tuple(np.linspace(10.0, 20.0, n))
    return reading(indicator, rates, keys=keys, weights=weights, direction=Direction.UP, group="document", **changes)


def means(n, indicator="perplexity"):
    return on_documents(n, indicator, np.linspace(0.1, 0.12, n))


def obstacles(readings, reference=(), *, drift=(), generation=SECOND, policy=POLICY):
    given = [{one.indicator: one for one in several} for several in (readings, reference, drift)]
    return obstacles_of(generation, given[0], given[1], drift=given[2], policy=policy)


def told(*given, **more):
    return [(one.kind, one.severity, (one.indicator, *one.others)) for one in obstacles(*given, **more)]


def undecided(kind, *names):
    return (kind, Severity.UNDECIDED, names)


def test_nothing_where_it_can_be_compared_or_nobody_expects_it():
    assert told([reading()], [reading()], drift=[reading()]) == []
    assert told([reading()], drift=[reading()]) == []
    assert told([reading()], [reading()], generation=FIRST) == []


def test_what_is_only_told_is_no_obstacle_whether_it_is_there_or_not():
    # Samples of text are worth so many real documents: a value with an interval, and nothing to compare.
    policy = Policy(decides=("distinct_2", "real_equivalent"))
    worth = make_reading("real_equivalent", 2100.0, interval=Interval(value=2100.0, low=1900.0, high=2300.0))
    for here, there in ([worth, worth], [None, worth], [worth, None]):
        sides = [[reading(), *([one] if one else [])] for one in (here, there)]
        assert told(sides[0], drift=sides[1], policy=policy) == []
    of_rows = reading("real_equivalent", interval=worth.interval)
    assert told([reading()], drift=[reading(), of_rows], policy=policy) == [
        undecided(ReasonKind.MISSING, "real_equivalent")
    ]


def test_the_wild_type_is_no_baseline_of_a_later_generation_where_the_founder_was_not_measured():
    given = [reading(), reading("vendi"), reading("distinct_4")]
    policy = Policy(decides=("distinct_2", "vendi", "distinct_4"))
    [found] = obstacles(given, given, drift=[reading("tail_loss")], policy=policy)
    assert (found.kind, found.severity) == (ReasonKind.NO_BASELINE, Severity.UNDECIDED)
    assert (found.indicator, found.others) == ("distinct_2", ("vendi", "distinct_4"))
    assert found.sentence.startswith("distinct_2, vendi and distinct_4 are not judged: the founder of this lineage")
    assert obstacles(given, given, generation=FIRST, policy=policy) == []


def test_it_is_required_and_was_not_measured():
    policy = POLICY.model_copy(update={"required": ("vendi", "mauve")})
    found = obstacles([reading()], drift=[reading()], policy=policy)
    assert told([reading()], drift=[reading()], policy=policy) == [
        undecided(ReasonKind.MISSING, "vendi"),
        undecided(ReasonKind.MISSING, "mauve"),
    ]
    assert found[1].sentence == "mauve is required by the policy, but was not measured"


def test_the_founder_had_it():
    found = obstacles([reading()], drift=[reading(), reading("vendi")])
    assert [(one.kind, one.indicator) for one in found] == [(ReasonKind.MISSING, "vendi")]
    assert found[0].sentence == "vendi was measured at the founder, but not in this generation"
    assert told([reading()], drift=[reading(), few("vendi")]) == [], "the founder's could not be read either"


class TestNothingIsJudged:
    @pytest.mark.parametrize("readings", [[], [reading("distinct_4")]], ids=["none", "what does not decide"])
    @pytest.mark.parametrize("reference", [[reading("distinct_4")], [reading()]], ids=["nor there", "only there"])
    def test_where_nothing_that_decides_was_measured(self, readings, reference):
        [found] = obstacles(readings, reference)
        assert (found.kind, found.severity, found.indicator) == (ReasonKind.MISSING, Severity.UNDECIDED, "")
        assert found.sentence == "no deciding indicator was measured: give losses or samples"

    @pytest.mark.parametrize("generation", [FIRST, SECOND])
    def test_where_nothing_can_be_read(self, generation):
        *remarks, last = obstacles([few(), few("vendi")], [few(), few("vendi")], generation=generation)
        assert [one.kind for one in remarks] == [ReasonKind.NOT_READ]
        assert (last.kind, last.severity, last.indicator) == (ReasonKind.MISSING, Severity.UNDECIDED, "")
        assert last.sentence == f"no deciding indicator could be judged: distinct_2 and vendi are not judged: {FEW}"

    def test_where_all_say_nothing(self):
        same = [reading(values=(1.0,) * 6)]
        assert [one.severity for one in obstacles(same, drift=same)] == [Severity.HEALTHY, Severity.UNDECIDED]

    def test_but_not_where_one_is(self):
        assert [one.severity for one in obstacles([reading(), few("vendi")], drift=[reading(), few("vendi")])] == [
            Severity.HEALTHY
        ]


def test_what_a_founder_of_an_earlier_version_lacks_is_a_remark_and_keeps_no_lineage_from_passing():
    """Its samples were read for other indicators, so more samples would not give it a baseline; founding anew would."""
    policy = Policy(decides=("distinct_2", "reverse_perplexity"))
    new = make_reading("reverse_perplexity", 90.0, replicates=(4.5, 4.6), keys=("a", "b"), weights=(1.0, 1.0))
    [found] = obstacles([reading(), new], [new], drift=[reading()], policy=policy)
    assert (found.kind, found.severity, found.indicator) == (
        ReasonKind.NOT_READ,
        Severity.HEALTHY,
        "reverse_perplexity",
    )
    assert "found the lineage anew" in found.sentence
    of_losses = obstacles([reading(), new], [new], drift=[make_reading("perplexity", 90.0)], policy=policy)
    assert any(one.kind is ReasonKind.NO_BASELINE and one.severity is Severity.UNDECIDED for one in of_losses)


class TestUnread:
    @pytest.mark.parametrize(
        ("n", "kind"),
        [
            (0, ReasonKind.NOT_A_NUMBER),
            (1, ReasonKind.TOO_FEW),
            (319, ReasonKind.TOO_FEW),
            (320, ReasonKind.NOT_A_NUMBER),
        ],
    )
    def test_here_and_not_at_the_baseline_is_undecided(self, n, kind):
        broken = reading(values=(), n=n)
        for generation in (FIRST, SECOND):
            [found] = obstacles([broken], [reading()], generation=generation)
            assert (found.kind, found.severity, found.indicator) == (kind, Severity.UNDECIDED, "distinct_2")
            assert found.sentence == "distinct_2 is not a number"
            [found] = obstacles([broken.model_copy(update={"problem": "384 are needed"})], [reading()])
            assert found.sentence == "distinct_2: 384 are needed"

    @pytest.mark.parametrize("generation", [FIRST, SECOND])
    @pytest.mark.parametrize("reference", [[], [few()]], ids=["no baseline", "nor at the baseline"])
    def test_on_both_sides_is_a_remark_unless_it_is_required(self, generation, reference):
        seen = [reading("vendi")]
        baselines = {"drift": seen if generation.index else (), "generation": generation}
        found = obstacles([few(), *seen], [*reference, *seen], **baselines)
        assert [(one.kind, one.severity) for one in found] == [(ReasonKind.NOT_READ, Severity.HEALTHY)]
        assert found[0].sentence == f"distinct_2 is not judged: {FEW}"
        [found] = obstacles([few(), *seen], [*reference, *seen], **baselines, policy=REQUIRES)
        assert (found.kind, found.severity) == (ReasonKind.TOO_FEW, Severity.UNDECIDED)

    @pytest.mark.parametrize("drift", [[], [few()]], ids=["no baseline", "unread at the baseline"])
    def test_only_at_the_baseline_is_a_remark_unless_it_is_required(self, drift):
        why = f"at the baseline, {FEW}" if drift else "nothing of it was read at the founder"
        drift = [*drift, reading("vendi")]
        [found] = obstacles([reading(), reading("vendi")], drift=drift)
        assert (found.kind, found.severity, found.indicator) == (ReasonKind.NOT_READ, Severity.HEALTHY, "distinct_2")
        assert found.sentence.startswith(f"distinct_2 is not judged: {why}")
        [found] = obstacles([reading(), reading("vendi")], drift=drift, policy=REQUIRES)
        assert (found.kind, found.severity) == (ReasonKind.MISSING, Severity.UNDECIDED)
        assert found.sentence.startswith("distinct_2 is required by the policy, but cannot be judged: ")

    def test_what_a_founder_alone_has_is_the_baseline_of_later_generations(self):
        for reference in ([reading("vendi")], [reading("vendi"), few()]):
            [found] = obstacles([reading(), reading("vendi")], reference, generation=FIRST)
            assert (found.kind, found.severity, found.indicator) == (
                ReasonKind.BASELINE,
                Severity.HEALTHY,
                "distinct_2",
            )
            assert found.sentence.startswith("distinct_2 is 0.6")
        [found] = obstacles([reading(scale="share")], generation=FIRST, policy=Policy(decides=("distinct_2",)))
        assert found.sentence.startswith("distinct_2 is 60.00%"), "in the unit that its changes are told in"

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    @pytest.mark.parametrize("generation", [FIRST, SECOND])
    def test_losses_that_are_not_finite_are_undecided_whatever_the_baseline_is(self, bad, generation):
        policy = Policy(decides=("perplexity", "vendi"))
        rates = np.r_[np.linspace(4.0, 5.0, 89), bad]
        broken = on_documents(90, rates=rates, problem="1 of 90 losses are not finite")
        for drift in ([reading("vendi")], [broken, reading("vendi")]):
            found = obstacles(
                [broken, reading("vendi")], [reading("vendi")], drift=drift, generation=generation, policy=policy
            )
            assert [(one.severity, one.indicator) for one in found] == [(Severity.UNDECIDED, "perplexity")]

    def test_those_of_one_cause_are_told_together(self):
        policy = Policy(decides=("distinct_2", "vendi", "effective_rank", "perplexity"))
        given = [few(), few("vendi"), few("effective_rank", problem="other"), on_documents(90)]
        found = obstacles(given, drift=given, policy=policy)
        assert [(one.indicator, one.others) for one in found] == [("distinct_2", ("vendi",)), ("effective_rank", ())]
        assert [one.sentence for one in found] == [
            f"distinct_2 and vendi are not judged: {FEW}",
            "effective_rank is not judged: other",
        ]


class TestTwoReadings:
    def test_that_were_measured_differently_are_undecided(self):
        [found] = obstacles([reading(group="128 samples")], drift=[reading()])
        assert (found.kind, found.severity, found.indicator) == (ReasonKind.MISSING, Severity.UNDECIDED, "distinct_2")
        assert "128 samples" in found.sentence

    def test_are_those_of_drift_before_those_of_distance(self):
        assert told([reading()], [reading(group="128 samples")], drift=[reading()]) == []

    def test_of_a_baseline_of_0_leave_nothing_to_lose(self):
        gone, seen = reading(values=(0.0,) * 6), reading("vendi")
        [found] = obstacles([reading(), seen], drift=[gone, seen])
        assert (found.kind, found.severity) == (ReasonKind.NOT_READ, Severity.HEALTHY)
        assert found.sentence == "distinct_2 is not judged: it is 0 at the baseline, so none can be lost"
        [found] = obstacles([reading(), seen], drift=[gone, seen], policy=REQUIRES)
        assert found.severity is Severity.UNDECIDED
        for direction in ("up", "both"):
            changes = {"direction": direction}
            [found] = obstacles([reading(**changes), seen], drift=[reading(values=(0.0,) * 6, **changes), seen])
            assert found.severity is Severity.UNDECIDED, "what rose from nothing is no remark"

    @pytest.mark.parametrize("value", [0.01, 0.5, 1.0])
    def test_with_one_value_in_every_group_say_nothing(self, value):
        same, seen = reading(values=(value,) * 6), reading("vendi")
        [found] = obstacles([same, seen], drift=[same, seen])
        assert (found.kind, found.severity, found.indicator) == (
            ReasonKind.UNINFORMATIVE,
            Severity.HEALTHY,
            "distinct_2",
        )
        assert "in every 64 samples, here and at the baseline, so it tells nothing" in found.sentence
        [found] = obstacles([same, seen], drift=[same, seen], policy=REQUIRES)
        assert found.severity is Severity.UNDECIDED
        assert obstacles([reading(values=(value / 2,) * 6), seen], drift=[same, seen]) == [], "two values say much"


class TestImplausibleLosses:
    policy = Policy(decides=("vendi", "tail_loss", "perplexity"))

    @pytest.mark.parametrize("generation", [FIRST, SECOND])
    def test_are_told_once_of_all_indicators_that_rest_on_them(self, generation):
        given = [means(90), means(90, "tail_loss"), means(90, "cvar_loss"), reading("vendi")]
        drift = given if generation.index else []
        found = obstacles(given, [reading("vendi")], drift=drift, generation=generation, policy=self.policy)
        assert [(one.kind, one.severity) for one in found] == [(ReasonKind.IMPLAUSIBLE, Severity.UNDECIDED)]
        assert (found[0].indicator, found[0].others) == ("tail_loss", ("perplexity",)), "in the order of the policy"
        assert found[0].sentence.startswith("the losses look like means per token")

    def test_are_those_of_the_founder_too(self):
        [found] = obstacles([on_documents(90)], drift=[means(90)], policy=self.policy)
        assert found.sentence.startswith("the founder's losses look like means per token")

    def test_are_no_obstacle_where_nothing_rests_on_losses(self):
        seen = [means(90), reading("vendi")]
        assert obstacles(seen, drift=seen, policy=POLICY) == []
        required = POLICY.model_copy(update={"required": ("perplexity",)})
        assert told(seen, drift=seen, policy=required) == [undecided(ReasonKind.IMPLAUSIBLE, "perplexity")]

    def test_a_collapse_near_the_factor_of_a_unit_gets_a_hint(self):
        noise = np.random.default_rng(0).normal(0.0, 0.2, 90)
        worse = on_documents(90, rates=np.linspace(4.0, 5.0, 90) / math.log(2.0) * np.exp(noise))
        seen = [on_documents(90), reading("vendi")]
        [found] = obstacles([worse, reading("vendi")], drift=seen, policy=self.policy)
        assert (found.kind, found.severity, found.indicator) == (ReasonKind.NEAR_A_UNIT, Severity.HEALTHY, "")


class TestFolds:
    policy = Policy(decides=("perplexity",), rotate_folds=3)

    def test_that_are_too_small_are_undecided(self):
        losses = on_documents(45)
        [found] = obstacles([losses], drift=[losses], policy=self.policy)
        assert found.severity is Severity.UNDECIDED
        assert found.sentence.startswith("perplexity: ")
        assert "in fold 2 of 3" in found.sentence

    def test_are_for_drift_alone(self):
        losses = on_documents(45)
        assert obstacles([losses], [losses], generation=FIRST, policy=self.policy) == []
        assert obstacles([on_documents(90)], drift=[on_documents(90)], policy=self.policy) == []


class TestFewSamplesAreNoExcuse:
    """Where the wild type can be read, more samples would do: a collapse must not pass because nobody could look."""

    def test_neither_here_nor_at_the_founder(self):
        found = told([few(), reading("vendi")], [reading(), reading("vendi")], drift=[few(), reading("vendi")])
        assert found == [undecided(ReasonKind.TOO_FEW, "distinct_2")]

    def test_only_at_the_founder(self):
        [found] = obstacles([reading(), reading("vendi")], [reading()], drift=[few(), reading("vendi")])
        assert (found.kind, found.severity, found.indicator) == (ReasonKind.MISSING, Severity.UNDECIDED, "distinct_2")
        assert found.sentence == (f"distinct_2 cannot be judged: at the baseline, {FEW}; {FOUND_ANEW}")

    def test_where_the_wild_type_cannot_be_read_either_it_is_a_remark(self):
        [found] = obstacles([few(), reading("vendi")], [few()], drift=[few(), reading("vendi")])
        assert (found.kind, found.severity) == (ReasonKind.NOT_READ, Severity.HEALTHY)

    @pytest.mark.slow
    @pytest.mark.parametrize("n", [(150, 150), (150, 700), (700, 150)], ids=str)
    def test_a_collapse_in_too_few_samples_for_groups_is_not_healthy(self, n):
        def texts(how_many, seed, types):
            drawn = np.random.default_rng(seed).zipf(1.3, size=(how_many, 30)) % types
            return [" ".join(f"w{word}" for word in row) for row in drawn]

        wild_type = WildType.fit(texts(4000, 0, 5000), group_samples=128)
        founder = assess(wild_type, Evidence(samples=texts(n[0], 1, 5000)))
        verdict = assess(wild_type, Evidence(samples=texts(n[1], 2, 8)), history=[founder]).verdict
        assert verdict.severity in (Severity.UNDECIDED, Severity.COLLAPSED)
