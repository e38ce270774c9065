"""What moved samples beside a collapse is said, and a few other prompts are no comparison."""

import pytest

from building import make_assessment, make_comparison, make_reading
from collapse_guard.assessment import conclude
from collapse_guard.decision.confounders import lengths_moved, other_prompts
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.verdict import decide
from collapse_guard.records import Generation, Reason, ReasonKind, Severity

POLICY = Policy(decides=("distinct_2", "perplexity"))
GENERATION = Generation(lineage="newsbot", index=1, parents=(0,), wild_type="w")


def reasons(*comparisons):
    return decide(comparisons, generation=GENERATION, policy=POLICY).reasons


def fallen(name="distinct_2", **changes):
    return make_comparison(name, effect=-0.3, replicate="4096 tokens", **changes)


def longer(effect=0.4, **changes):
    return make_comparison("sample_length", None, 40.0, effect=effect, decides=False, **changes)


def moved(*comparisons):
    return [reason for reason in reasons(*comparisons) if reason.kind is ReasonKind.LENGTHS_MOVED]


def test_lengths_that_moved_are_named_beside_what_they_move():
    cut = make_comparison("truncated_samples", 0.8, 0.1, decides=False)
    (remark,) = moved(fallen(), longer(), cut)
    assert remark.severity is Severity.HEALTHY
    assert remark.indicator == "distinct_2"
    assert remark.sentence.startswith(
        "samples have 59.67 tokens on average against the founder's 40.00 (+49.2%), and 80.00% of them were cut "
        "before their end against 10.00%: distinct_2 may have moved because of that alone"
    )
    assert reasons(fallen(), longer())[0].severity is Severity.COLLAPSED


@pytest.mark.parametrize(
    "comparisons",
    [
        (fallen(),),
        (fallen(), longer(0.05)),
        (fallen(), longer(0.4, standard_error=0.3)),
        (fallen(), longer(baseline="wild_type", baseline_generation=None)),
        (make_comparison("distinct_2", effect=0.0, replicate="4096 tokens"), longer()),
        (make_comparison("perplexity", effect=0.3, replicate="document"), longer()),
    ],
    ids=["no lengths", "hardly", "perhaps", "wild type", "healthy", "losses"],
)
def test_lengths_are_not_named_where_they_explain_nothing(comparisons):
    assert moved(*comparisons) == []


def test_what_is_healthy_is_not_named_with_the_rest():
    healthy = Reason(kind=ReasonKind.WITHIN_MARGIN, severity=Severity.HEALTHY, indicator="distinct_4", sentence="ok")
    ill = Reason(kind=ReasonKind.BEYOND_MARGIN, severity=Severity.COLLAPSED, indicator="repetition", sentence="no")
    both = [make_comparison(name, effect=-0.3, replicate="4096 tokens") for name in ("distinct_4", "repetition")]
    (remark,) = lengths_moved([*both, longer()], [healthy, ill])
    assert (remark.indicator, remark.others) == ("repetition", ())


def prompted(first, n, value=0.8):
    """Readings of samples of n prompts, one of which is the last."""
    of_groups = make_reading(
        "distinct_2", value, replicates=[value, value + 0.01, value - 0.01] * 4, group="4096 tokens"
    )
    of_prompts = make_reading(
        "distinct_between_prompts",
        0.9,
        n=n,
        n_minimum=20,
        replicates=[0.9] * n,
        weights=[1.0] * n,
        keys=[f"{number:04}" for number in range(first, first + n)],
        group="prompt",
        problem="" if n >= 20 else f"{n} prompts can be read, 20 are needed",
    )
    return {reading.indicator: reading for reading in (of_groups, of_prompts)}


def verdict(here, there, policy=POLICY):
    founder = make_assessment(readings=there, wild_type="w")
    return conclude(GENERATION, here, {}, history=[founder], policy=policy).verdict


def test_the_same_prompts_need_no_remark():
    assert other_prompts(prompted(0, 40), prompted(0, 40)) == []
    assert other_prompts({}, prompted(0, 40)) == []
    assert other_prompts(prompted(0, 40), {}) == []


def test_many_other_prompts_are_a_remark():
    (remark,) = other_prompts(prompted(30, 40), prompted(0, 40))
    assert (remark.kind, remark.severity) == (ReasonKind.OTHER_PROMPTS, Severity.HEALTHY)
    assert remark.sentence.startswith("the samples answer 40 prompts, of which 10 are among the founder's 40: if ")
    assert verdict(prompted(30, 40, value=0.3), prompted(0, 40)).severity is Severity.COLLAPSED


@pytest.mark.parametrize(("here", "there"), [((1, 5), (0, 5)), ((0, 40), (0, 5)), ((0, 5), (0, 40))])
def test_a_few_other_prompts_cannot_be_compared(here, there):
    """What was asked for changed, so that a fall is no collapse; and losses do not depend on prompts."""
    found = verdict(prompted(*here, value=0.3), prompted(*there))
    (reason,) = (one for one in found.reasons if one.kind is ReasonKind.OTHER_PROMPTS)
    assert found.severity is reason.severity is Severity.UNDECIDED
    assert reason.is_about("distinct_2")
    assert "so few stand for themselves alone" in reason.sentence
    assert verdict(prompted(0, 5, value=0.3), prompted(0, 5)).severity is Severity.COLLAPSED
