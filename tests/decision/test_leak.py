"""A founder that finds its evaluation documents no harder than its training documents is watched for a leak."""

import math

import numpy as np
import pytest

from building import make_reading
from collapse_guard.assessment import conclude
from collapse_guard.decision.leak import gap_of, leak_of
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Generation, ReasonKind, Severity

FIRST, SECOND = Generation(lineage="newsbot", index=0), Generation(lineage="newsbot", index=1, parents=(0,))
POLICY = Policy()


def documents(indicator, mean=4.5, *, n=1000, spread=0.3, seed=0, **changes):
    """A reading of n documents whose token-weighted mean is exactly this."""
    rng = np.random.default_rng(seed)
    tokens, rates = rng.integers(20, 80, n).astype(float), rng.normal(mean, spread, n)
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
