"""The preset for training by reinforcement: what rewards move in any case is no collapse, and what they cost is."""

import numpy as np
import pytest

from collapse_guard.assessment import assess
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.records import Severity
from collapse_guard.wildtype import WildType

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "nrst"]
N_PROMPTS, EACH = 40, 8


@pytest.fixture(scope="module")
def wild_type():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 30)) for _ in range(400)]
    return WildType.fit(texts, vocabulary_size=300, group_tokens=256, group_samples=16)


def answers(rng, words, length=30):
    """Answers to each prompt, which is the same number in each generation, drawn from words."""
    return [" ".join(rng.choice(words, length)) for _ in range(N_PROMPTS * EACH)]


def rollouts(samples, cut=0.0):
    n = len(samples)
    prompts = [f"question {number // EACH}" for number in range(n)]
    return Evidence(samples=samples, prompts=prompts, truncated=[number < cut * n for number in range(n)])


@pytest.fixture(scope="module")
def judged(wild_type):
    policy = Policy.preset("rl")
    rng = np.random.default_rng(1)
    founder = assess(wild_type, rollouts(answers(rng, WORDS)), policy=policy)

    def judge(evidence):
        return assess(wild_type, evidence, history=[founder], policy=policy)

    return judge


@pytest.mark.slow
def test_another_style_format_and_length_are_no_collapse(judged):
    rng = np.random.default_rng(2)
    favoured, opening = WORDS[: len(WORDS) * 2 // 3], " ".join(WORDS[:4])
    assessment = judged(rollouts([f"{opening} {text}" for text in answers(rng, favoured, length=45)]))
    by_default = {"reverse_perplexity", "distinct_2", "rare_mass", "lost_ngrams", "repetition"}
    assert by_default & assessment.readings.keys() == by_default
    assert assessment.verdict.severity in (Severity.HEALTHY, Severity.WATCH)
    assert not by_default & {reason.indicator for reason in assessment.verdict.reasons}


def narrowed(rng):
    """One answer to each prompt."""
    return rollouts([text for text in answers(rng, WORDS)[::EACH] for _ in range(EACH)])


def alike(rng):
    """The same two answers to all prompts."""
    return rollouts(answers(rng, WORDS)[:2] * (N_PROMPTS * EACH // 2))


def looping(rng):
    return rollouts([" ".join(text.split()[:3] * 10) for text in answers(rng, WORDS)])


HARMS = {
    "one answer to a prompt": (narrowed, "distinct_within_prompts"),
    "two answers to all prompts": (alike, "distinct_between_prompts"),
    "loops": (looping, "entropy_2"),
    "no end": (lambda rng: rollouts(answers(rng, WORDS), cut=0.6), "truncated_samples"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_rewards_cost_is_a_collapse_that_is_named(judged, harm):
    make, indicator = HARMS[harm]
    assessment = judged(make(np.random.default_rng(3)))
    assert assessment.verdict.severity is Severity.COLLAPSED
    worst = {reason.indicator for reason in assessment.verdict.reasons if reason.severity is Severity.COLLAPSED}
    assert indicator in worst
