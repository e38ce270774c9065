"""A leak is a WATCH: training texts that hold evaluation documents, or a founder that finds these no harder than its
training documents. Such a founder is no baseline of losses."""

import math

import numpy as np
import pytest

from building import make_reading
from collapse_guard.assessment import conclude, replay
from collapse_guard.decision.leak import gap_of, is_leaking, leak_of
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import Generation, ReasonKind, Severity, TrainingCheck

FIRST, SECOND = Generation(lineage="newsbot", index=0), Generation(lineage="newsbot", index=1, parents=(0,))
POLICY = Policy()


def documents(indicator, mean=4.5, *, n=1000, spread=0.3, seed=0, **changes):
    """A reading of n documents whose token-weighted mean is exactly this."""
    tokens = np.random.default_rng(9).integers(20, 80, n).astype(float)
    rates = np.random.default_rng(seed).normal(mean, spread, n)
    rates += mean - rates @ tokens / tokens.sum()
    named = {"keys": tuple(map(str, range(n))), "weights": tuple(tokens), "group": "document", "direction": "up"}
    return make_reading(indicator, math.exp(mean), replicates=tuple(rates), **{**named, **changes})


def readings(gap, **changes):
    return {
        "perplexity": documents("perplexity", 4.5 + gap, seed=1, **changes),
        "training_perplexity": documents("training_perplexity", 4.5, seed=2, **changes),
    }


def said(given, generation=FIRST, policy=POLICY):
    return [(one.kind, one.severity) for one in leak_of(generation, given, policy)]


LEAKED, HARDER = (ReasonKind.LEAKED, Severity.WATCH), (ReasonKind.WITHIN_MARGIN, Severity.HEALTHY)
UNKNOWN = (ReasonKind.NOT_READ, Severity.HEALTHY)


@pytest.mark.parametrize(
    ("gap", "found"), [(-0.3, LEAKED), (-0.01, LEAKED), (0.0, LEAKED), (0.01, LEAKED), (0.1, HARDER), (1.0, HARDER)]
)
def test_evaluation_documents_should_be_harder_than_training_documents(gap, found):
    assert said(readings(gap)) == [found]


@pytest.mark.parametrize("gap", [0.03, 0.045])
def test_between_the_two_nothing_is_said_of_a_leak(gap):
    assert LEAKED not in said(readings(gap))


def test_few_documents_show_nothing():
    for gap in (-0.02, 0.0, 0.02):
        assert said(readings(gap, n=40)) == [UNKNOWN]


def test_they_should_be_harder_by_five_percent_whatever_the_policy_watches_for():
    for policy in (POLICY, Policy(drift={"perplexity": {"margin": 0.5, "watch": 0.2}})):
        assert said(readings(0.1), policy=policy) == [HARDER]
        assert said(readings(0.02), policy=policy) == [LEAKED]


def test_the_sentence_tells_the_gap_and_both_causes():
    [easier] = leak_of(FIRST, readings(-0.2), POLICY)
    assert easier.sentence.startswith(
        "the founder's perplexity of evaluation documents is -18.1% beside that of training documents (-20"
    )
    assert "they are easier, as documents are that it was trained on" in easier.sentence
    [same] = leak_of(FIRST, readings(0.0), POLICY)
    assert "they are hardly harder, as documents are that it was trained on" in same.sentence
    assert "an underfit model, or one that saw each document once, shows this too" in same.sentence


def test_it_is_said_of_founders_whose_losses_can_be_read():
    given = readings(0.0)
    assert said(given, SECOND) == []
    for name in given:
        assert said({name: given[name]}) == []
        broken = {**given, name: given[name].model_copy(update={"problem": "12 documents were scored"})}
        [one] = leak_of(FIRST, broken, POLICY)
        assert (one.kind, one.severity) == UNKNOWN
        assert "12 documents were scored" in one.sentence
        means = given[name].model_copy(update={"replicates": tuple(x / 50 for x in given[name].replicates)})
        [one] = leak_of(FIRST, {**given, name: means}, POLICY)
        assert (one.kind, one.severity) == UNKNOWN
        assert "means per token" in one.sentence


def test_the_interval_is_that_of_two_independent_means_and_holds_its_level():
    rng, covered = np.random.default_rng(5), 0
    for _ in range(400):
        one, other = (
            make_reading("perplexity", replicates=tuple(rng.gamma(4.0, 1.0, n)), weights=tuple(rng.integers(10, 90, n)))
            for n in (60, 90)
        )
        gap = gap_of(one, other, 0.9)
        assert gap.low < gap.value < gap.high
        assert gap.high - gap.value == pytest.approx(gap.value - gap.low)
        covered += gap.low < 0.0 < gap.high
    assert 0.85 <= covered / 400 <= 0.95


def test_a_leak_is_a_watch_of_the_verdict():
    found = conclude(FIRST, readings(0.0), {}, history=[], policy=POLICY).verdict
    assert found.severity is Severity.WATCH
    assert found.reasons[0].kind is ReasonKind.LEAKED
    assert conclude(FIRST, readings(0.2), {}, history=[], policy=POLICY).verdict.severity is Severity.HEALTHY


def check(**found):
    """320 training texts, of which 290 are of the pool; of the other 30, some are of 200 evaluation documents."""
    copies = found.get("copies", 0)
    hashes, shown = tuple(f"{i:03}" for i in range(min(copies, 200))), ("'we the people'",) if copies else ()
    counts = {"texts": 320, "words": 9000, "of_pool": 290, "pieces": 30, "leaking": copies, "evaluation": 200}
    return TrainingCheck(**{**counts, "found": hashes, "examples": shown, **found})


@pytest.mark.parametrize("generation", [FIRST, SECOND])
def test_training_texts_that_hold_evaluation_documents_are_a_leak_of_any_generation(generation):
    [leak] = leak_of(generation, {}, POLICY, check(copies=28))
    assert (leak.kind, leak.severity) == LEAKED
    assert leak.sentence == (
        "28 of 320 training texts that were looked at hold evaluation documents (28 of 200, such as 'we the people'): "
        "its losses on these are too low to be compared. Train on `wild_type.pool`, or leave these out"
    )
    assert leak_of(generation, {}, POLICY, check()) == leak_of(generation, {}, POLICY) == []


def test_as_many_as_fresh_documents_hold_by_chance_are_told_and_are_no_leak():
    few = check(copies=1)
    [one] = leak_of(FIRST, {}, POLICY, few)
    assert (one.kind, one.severity) == HARDER
    assert one.sentence.endswith("no more than fresh documents of the same kind may by chance")
    fresh = {"of_pool": 0, "pieces": 320}
    assert not is_leaking(check(copies=19, **fresh))
    assert is_leaking(check(copies=24, evaluation=2000, **fresh))


def test_chance_makes_a_leak_of_fresh_documents_as_rarely_as_it_says():
    rng = np.random.default_rng(3)
    for n in (2, 10, 100, 1000):
        copies, times = np.unique(rng.binomial(n, 0.04, 4000), return_counts=True)
        found = [is_leaking(check(copies=int(k), pieces=n, texts=n, of_pool=0, evaluation=10**6)) for k in copies]
        leaks = times[found].sum()
        assert leaks <= 4000 * 0.005 + 3 * math.sqrt(4000 * 0.005)


def test_a_tenth_of_the_evaluation_documents_is_a_leak_however_many_texts_they_are_in():
    many = {"texts": 100_000, "of_pool": 0, "pieces": 100_000}
    assert is_leaking(check(copies=20, **many))
    assert not is_leaking(check(copies=19, **many))
    assert not is_leaking(check(copies=2, evaluation=10, **many))


def test_texts_without_a_leak_make_a_remark_of_losses_that_are_hardly_harder():
    [told] = leak_of(FIRST, readings(0.0), POLICY, check())
    assert (told.kind, told.severity) == HARDER
    assert "but none of 320 training texts that were looked at hold one: an underfit model" in told.sentence
    for few in (None, check(texts=99, of_pool=69)):
        assert [(one.kind, one.severity) for one in leak_of(FIRST, readings(0.0), POLICY, few)] == [LEAKED]
    both = leak_of(FIRST, readings(0.0), POLICY, check(copies=28))
    assert [(one.kind, one.severity) for one in both] == [LEAKED, LEAKED]


def test_evaluation_documents_that_are_easier_stay_a_leak_whatever_texts_were_looked_at():
    assert [(one.kind, one.severity) for one in leak_of(FIRST, readings(-0.2), POLICY, check())] == [LEAKED]


def founded(mean, leak=None, **losses):
    return conclude(
        FIRST,
        {"perplexity": documents("perplexity", mean, seed=1), **losses},
        {},
        history=[],
        policy=POLICY,
        training_check=leak,
    )


def second(mean, founder, leak=None, **others):
    given = {"perplexity": documents("perplexity", mean, seed=3), **others}
    return conclude(SECOND, given, {}, history=[founder], policy=POLICY, training_check=leak)


def test_worse_losses_than_those_of_a_leaked_founder_are_no_collapse():
    """The founder knew the evaluation documents, perplexity 39; trained on the pool alone it is 137."""
    low, high = math.log(39), math.log(137)
    for clean in (None, check()):
        assert second(high, founded(low, clean)).verdict.severity is Severity.COLLAPSED
    beside = second(high, founded(low, check(copies=28)))
    assert beside.verdict.severity is Severity.WATCH
    worst = beside.verdict.reasons[0]
    assert (worst.kind, worst.severity, worst.indicator) == (*LEAKED, "perplexity")
    assert worst.sentence.startswith(
        "the founder was trained on evaluation documents, so what is worse than its own on these is no sign of "
        "collapse: perplexity is 137.0 against 39.00 (+251%"
    )
    assert worst.sentence.endswith(f"Train on `wild_type.pool` alone, and {FOUND_ANEW}")
    assert not any(one.decides for one in beside.comparisons)


def test_losses_that_only_look_like_a_leak_of_the_founder_are_no_baseline_either():
    suspect = founded(4.5, training_perplexity=documents("training_perplexity", 4.5, seed=2))
    found = second(5.5, suspect).verdict
    assert found.severity is Severity.WATCH
    assert "the founder may have been trained on evaluation documents" in found.reasons[0].sentence


def test_losses_that_are_no_worse_pass_beside_a_leaked_founder():
    assert second(4.5, founded(4.5, check(copies=28))).verdict.severity is Severity.HEALTHY


def test_samples_still_decide_beside_a_leaked_founder():
    def distinct(mean):
        named = {"replicates": tuple(np.random.default_rng(7).normal(mean, 0.01, 40)), "n": 40, "n_minimum": 8}
        return make_reading("distinct_2", mean, **named, group="4096 tokens")

    founder = founded(math.log(39), check(copies=28), distinct_2=distinct(0.8))
    found = second(math.log(137), founder, distinct_2=distinct(0.3)).verdict
    assert found.severity is Severity.COLLAPSED
    assert found.reasons[0].indicator == "distinct_2"


def test_a_leak_of_a_later_generation_is_a_watch_over_losses_that_look_well():
    found = second(4.0, founded(4.5, check()), check(copies=28)).verdict
    assert found.severity is Severity.WATCH
    assert [one.kind for one in found.reasons if one.severity is Severity.WATCH] == [ReasonKind.LEAKED]


def test_what_was_seen_of_the_training_texts_stays_where_a_generation_is_decided_on_again():
    founder = founded(math.log(39), check(copies=28))
    later = second(math.log(137), founder, check())
    for again, before in zip(replay([founder, later], POLICY), (founder, later), strict=True):
        assert again.training_check == before.training_check
        assert again.verdict == before.verdict
