"""Readings with a replicate for each prompt: paired on common prompts, and two samples where there are too few."""

import numpy as np
import pytest

from building import make_reading
from collapse_guard.comparison.compare import compare, obstacle

NAME = "distinct_within_prompts"


def of_prompts(values, first=0):
    replicates = tuple(map(float, values))
    return make_reading(
        NAME,
        float(np.mean(replicates)),
        n=len(replicates),
        n_minimum=20,
        replicates=replicates,
        weights=(1.0,) * len(replicates),
        keys=tuple(f"{number:04}" for number in range(first, first + len(replicates))),
        group="prompt",
    )


def against(reading, reference):
    assert obstacle(reading, reference) == ""
    return compare(reading, reference, baseline="founder", baseline_generation=0, margin=0.1, watch=0.05)


def test_the_same_prompts_are_paired_in_any_order(rng):
    before = rng.uniform(0.2, 0.9, size=60)
    after = before - 0.03 + 0.01 * rng.normal(size=60)
    founder, reading = of_prompts(before), of_prompts(after)
    comparison = against(reading, founder)
    assert comparison.method == "bets on paired prompts; interval: paired t on prompts"
    assert comparison.effect == pytest.approx(np.mean(after - before), rel=1e-9)
    assert comparison.standard_error == pytest.approx(np.std(after - before, ddof=1) / 60**0.5, rel=1e-9)
    shuffled = rng.permutation(60)
    columns = {name: tuple(getattr(reading, name)[place] for place in shuffled) for name in ("keys", "replicates")}
    assert against(reading.model_copy(update=columns), founder) == comparison


def test_prompts_that_both_have_are_paired_where_they_are_enough(rng):
    before, after = rng.uniform(0.2, 0.9, size=(2, 50))
    comparison = against(of_prompts(after, first=30), of_prompts(before))
    assert comparison.n == comparison.n_reference == 20
    assert comparison.effect == pytest.approx(np.mean(after[:20]) - np.mean(before[30:]), rel=1e-9)


def test_other_prompts_are_two_samples(rng):
    before, after = rng.uniform(0.2, 0.9, size=(2, 50))
    comparison = against(of_prompts(after, first=31), of_prompts(before))
    assert (comparison.n, comparison.n_reference, comparison.e_beyond_margin) == (50, 50, None)
    assert comparison.effect == pytest.approx(after.mean() - before.mean(), rel=1e-9)
    error = np.sqrt((after.var(ddof=1) + before.var(ddof=1)) / 50)
    assert comparison.standard_error == pytest.approx(error, rel=1e-9)
    assert comparison.replicate == "prompt"
