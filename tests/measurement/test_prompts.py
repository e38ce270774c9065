"""Samples with prompts: what is read of them stays the same, and how sure it is counts prompts and not samples."""

import math
from functools import partial

import numpy as np
import pytest

from collapse_guard.assessment import assess
from collapse_guard.comparison.compare import contrast_of
from collapse_guard.comparison.contrast import interval
from collapse_guard.comparison.rarefaction import rarefied_log_ratio
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.diversity import DistinctBetweenPrompts, DistinctWithinPrompts
from collapse_guard.indicators.groups import equal_groups, group_samples
from collapse_guard.indicators.samples import PromptedSamples
from collapse_guard.measurement.intake import intake_of
from collapse_guard.measurement.measure import measure
from collapse_guard.measurement.prompts import FEWEST_PROMPTS, Prompts, variance_by_prompts
from collapse_guard.measurement.replicates import groups_of_units
from collapse_guard.measurement.sample_readings import group_readings
from collapse_guard.records.census import census_of
from collapse_guard.wildtype import WildType

N_PROMPTS, PER_PROMPT = 25, 10
WORDS = [f"{onset}{vowel}{coda}" for onset in "bdfgklmnprst" for vowel in "aeiou" for coda in "nrst"]


@pytest.fixture(scope="module")
def wild_type():
    rng = np.random.default_rng(3)
    documents = [" ".join(rng.choice(WORDS, 30)) for _ in range(300)]
    return WildType.fit(documents, vocabulary_size=300, group_tokens=256, group_samples=16)


def answers(rng, n_prompts=N_PROMPTS, per_prompt=PER_PROMPT, length=16):
    """Samples of ids: each prompt has a vocabulary of its own size, so that its samples are alike in their variety."""
    sizes = np.repeat(rng.integers(3, 60, size=n_prompts), per_prompt)
    prompts = Prompts.of([str(rng.integers(10**9)) for _ in range(n_prompts)] * per_prompt)
    order = np.argsort(prompts.numbers, kind="stable")
    samples = [None] * len(order)
    for place, size in zip(order, sizes, strict=True):
        samples[place] = rng.integers(size, size=length)
    return samples, prompts


def alarms(read, n, seed, draw=answers):
    """Share of pairs of generations of the same kind whose 95% interval says that something changed."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        low, high = interval(read(draw(rng), draw(rng)), 0.95)
        found.append(not low <= 0.0 <= high)
    return np.mean(found)


def variety(one, two, *, by_prompts):
    readings = []
    for samples, prompts in (one, two):
        groups = groups_of_units(
            samples, 160, "tokens", "samples", prompts=prompts.of_dependent if by_prompts else None
        )
        readings += group_readings("tokens", groups, None, {"self_distinct_1"})
    return contrast_of(*readings)


def test_intervals_hold_their_level_where_samples_of_a_prompt_are_alike():
    """Counting samples, as was done before, raises an alarm in most pairs that did not change at all."""
    assert alarms(partial(variety, by_prompts=False), 40, seed=1) > 0.3
    assert alarms(partial(variety, by_prompts=True), 80, seed=2) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 80)


def few_or_many(rng):
    """Half of the prompts have one answer, half of them hardly ever the same twice."""
    pool = np.where(rng.random(N_PROMPTS) < 0.5, 1, 1000)
    prompts = np.repeat(np.arange(N_PROMPTS), PER_PROMPT)
    return [f"{prompt} {rng.integers(pool[prompt])}" for prompt in prompts], prompts


def copies(one, two, *, by_prompts):
    inflated = tuple(variance_by_prompts(*side) if by_prompts else 1.0 for side in (one, two))
    return rarefied_log_ratio(observed=census_of(one[0]), reference=census_of(two[0]), inflated=inflated)


def test_shares_of_different_samples_hold_their_level_too():
    assert alarms(partial(copies, by_prompts=False), 100, seed=3, draw=few_or_many) > 0.3
    assert alarms(partial(copies, by_prompts=True), 200, seed=4, draw=few_or_many) <= 0.05 + 3 * math.sqrt(
        0.05 * 0.95 / 200
    )


def test_the_spread_of_prompts_is_the_error_of_their_diversity():
    """Of 200 generations: the spread of the value, against the error that each of them states."""
    rng = np.random.default_rng(5)
    for metric in (DistinctWithinPrompts, DistinctBetweenPrompts):
        found = []
        for _ in range(150):
            samples, prompts = answers(rng, n_prompts=30, per_prompt=3)
            rates = metric.read(PromptedSamples(samples, prompts.numbers, prompts.keys, None))
            found.append((rates.value, rates.sums.var(ddof=1) / len(rates.sums)))
        values, variances = np.array(found).T
        assert math.sqrt(variances.mean()) == pytest.approx(values.std(ddof=1), rel=0.2)


def test_pseudo_values_are_those_of_the_jackknife():
    """The definition: P times the value less P - 1 times that without the prompt."""
    samples, prompts = answers(np.random.default_rng(6), n_prompts=6, per_prompt=2)
    numbers = prompts.numbers

    def value(left):
        kept = [place for place in range(len(samples)) if numbers[place] in left]
        renumbered = np.unique(numbers[kept], return_inverse=True)[1]
        return DistinctBetweenPrompts.formula([samples[place] for place in kept], renumbered)

    rates = DistinctBetweenPrompts.read(PromptedSamples(samples, numbers, prompts.keys, None))
    everyone = set(range(6))
    expected = [6 * value(everyone) - 5 * value(everyone - {prompt}) for prompt in range(6)]
    assert rates.sums == pytest.approx(expected, rel=1e-9)
    assert rates.value == pytest.approx(value(everyone), rel=1e-12)


def test_no_two_groups_share_a_prompt():
    samples, prompts = answers(np.random.default_rng(7))
    where = {sample.tobytes(): number for sample, number in zip(samples, prompts.numbers, strict=True)}
    groups = equal_groups(samples, 200, apart=prompts.numbers)
    assert {sum(map(len, group)) for group in groups} == {200}
    # The last sample of a group may be cut.
    used = [{where[part.tobytes()] for part in group[:-1]} for group in groups]
    assert sum(map(len, used)) == len(set.union(*used))
    numbers = [
        set(prompts.numbers[group].tolist())
        for group in group_samples([s.tobytes() for s in samples], 10, apart=prompts.numbers)
    ]
    assert sum(map(len, numbers)) == len(set.union(*numbers))


def texts(rng, n):
    return [" ".join(rng.choice(WORDS, 30)) for _ in range(n)]


def test_prompts_move_no_value_and_one_sample_of_each_changes_nothing(wild_type):
    samples = texts(np.random.default_rng(8), 240)
    plain = measure(wild_type, Evidence(samples=samples))
    single = measure(wild_type, Evidence(samples=samples, prompts=[f"prompt {i}" for i in range(240)]))
    several = measure(wild_type, Evidence(samples=samples, prompts=[f"prompt {i % 30}" for i in range(240)]))
    assert {name: single[name] for name in plain} == plain
    assert {name: several[name].value for name in plain} == pytest.approx(
        {name: one.value for name, one in plain.items()}, rel=1e-9, nan_ok=True
    )
    assert several["distinct_2"].replicates != plain["distinct_2"].replicates
    assert np.mean(several["distinct_2"].replicates) == pytest.approx(plain["distinct_2"].value, rel=1e-9)


def test_few_prompts_are_conditions(wild_type):
    samples = texts(np.random.default_rng(9), 240)
    few = measure(wild_type, Evidence(samples=samples, prompts=[f"{i % (FEWEST_PROMPTS - 1)}" for i in range(240)]))
    plain = measure(wild_type, Evidence(samples=samples))
    assert {name: few[name] for name in plain} == plain
    assert few["distinct_within_prompts"].problem == "19 prompts can be read, 20 are needed"


def test_prompts_that_fill_too_few_groups_say_how_many_would_do(wild_type):
    """Ten samples of a prompt fill a group of tokens, and what is left of them is dropped."""
    samples = texts(np.random.default_rng(10), 240)
    prompts = [f"{i}" if i < 20 else "the same" for i in range(240)]
    problem = measure(wild_type, Evidence(samples=samples, prompts=prompts))["distinct_2"].problem
    assert problem.startswith("the samples of 21 prompts fill ")
    assert problem.endswith("prompts would do")


def test_each_part_is_of_the_samples_that_are_not_empty(wild_type):
    written = texts(np.random.default_rng(11), 60)
    samples = [text for pair in zip(written, ["", " "] * 30, strict=True) for text in pair]
    prompts = [f"{i // 2 % 20}" for i in range(120)]
    ends = [i % 2 == 1 for i in range(120)]
    readings = measure(wild_type, Evidence(samples=samples, prompts=prompts, truncated=ends))
    alone = measure(wild_type, Evidence(samples=written, prompts=prompts[::2]))
    for name in ("distinct_within_prompts", "distinct_between_prompts", "sample_length", "distinct_2"):
        assert readings[name] == alone[name]
    assert (readings["truncated_samples"].value, readings["truncated_samples"].n) == (0.5, 120)
    assert readings["sample_length"].value == np.mean([len(ids) for ids in wild_type.encode(written)])
    assert "truncated_samples" not in alone


def test_prompts_and_ends_are_counted(wild_type):
    evidence = Evidence(
        samples=["ban", "ben bar", ""],
        prompts=["Who?", "Who?", "Why?"],
        truncated=[True, None, False],
        sources={"samples": "s.jsonl", "prompts": "s.jsonl, column `prompt`"},
    )
    samples, prompts = intake_of(wild_type, evidence)
    assert str(prompts) == "s.jsonl, column `prompt`: 3 prompts, 2 different"
    assert str(samples).endswith(", 33% cut before their end")
    lengths = [len(ids) for ids in wild_type.encode(["ban", "ben bar"])]
    assert samples.quantiles == pytest.approx([np.quantile(lengths, q) for q in (0.05, 0.25, 0.75, 0.95)])


def test_samples_that_are_rows_may_have_prompts(rng):
    rows = rng.normal(size=(400, 3))
    wild_type = WildType.fit_arrays(rows, group_samples=10)
    samples = np.repeat(rng.normal(size=(30, 3)), 10, axis=0) + 0.01 * rng.normal(size=(300, 3))
    plain = measure(wild_type, Evidence(samples=samples))["total_variance"]
    prompted = measure(wild_type, Evidence(samples=samples, prompts=[str(i // 10) for i in range(300)]))
    assert prompted["total_variance"].value == pytest.approx(plain.value, rel=1e-9)
    assert np.var(prompted["total_variance"].replicates) < np.var(plain.replicates)


def test_a_reason_says_whether_samples_are_alike_within_prompts_or_between_them(wild_type):
    """The end of each sample is its own. What comes before is one text for both of a prompt, or the first of all."""
    rng = np.random.default_rng(12)
    names = ("distinct_within_prompts", "distinct_between_prompts")
    policy = Policy(decides=names)
    prompts = [f"prompt {i % 120}" for i in range(240)]
    founder = assess(wild_type, Evidence(samples=texts(rng, 240), prompts=prompts), policy=policy)

    def verdict(beginnings):
        own = [" ".join(text.split()[:10]) for text in texts(rng, 240)]
        samples = [f"{beginning} {end}" for beginning, end in zip(beginnings, own, strict=True)]
        return assess(wild_type, Evidence(samples=samples, prompts=prompts), policy=policy, history=[founder]).verdict

    alike_within, healthy = verdict(texts(rng, 120) * 2), verdict([""] * 240)
    alike_between = verdict([text for text in texts(rng, 2) for _ in range(120)])
    assert {reason.indicator for reason in alike_within.reasons if reason.severity == "COLLAPSED"} == {names[0]}
    assert {reason.indicator for reason in alike_between.reasons if reason.severity == "COLLAPSED"} == {names[1]}
    assert healthy.severity == "HEALTHY"
