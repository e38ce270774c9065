"""Genetics: against the exact law of Wright-Fisher resampling (science.md sections 0.1 and 6.1), and against pairs."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.distinct import Distinct
from collapse_guard.indicators.genetics.fitness import RelativeFitness, relative_fitness
from collapse_guard.indicators.genetics.inbreeding import (
    EffectiveSize,
    FixationIndex,
    Homozygosity,
    effective_size,
    fixation_index,
    homozygosity,
)

COUNTS = [10, 5, 3, 2, 2, 1, 1, 1, 1]
N, CHAINS, GENERATIONS = 100, 400, 20
S_0 = 0.04746418
"""Sum of squares of Zipf(1) over V = 200 (science.md section 6.1)."""


def zipf(size):
    weights = 1.0 / np.arange(1, size + 1)
    return weights / weights.sum()


@pytest.fixture(scope="module")
def drift():
    """Unbiased homozygosity of the training sample of each generation of each chain: generation x chain.

    Each generation is fitted exactly to N samples of the last one, as in Shumailov et al.'s discrete world.
    """
    rng = np.random.default_rng(7)
    p = np.tile(zipf(200), (CHAINS, 1))
    found = []
    for _ in range(GENERATIONS + 1):
        counts = rng.multinomial(N, p)
        found.append([homozygosity(chain) for chain in counts])
        p = counts / N
    return np.array(found)


def law(t):
    return 1 - (1 - 1 / N) ** t * (1 - S_0)


def test_the_start_is_that_of_science_md():
    assert (zipf(200) ** 2).sum() == pytest.approx(S_0, abs=1e-8)
    assert [law(t) for t in (1, 5, 20)] == pytest.approx([0.056990, 0.094148, 0.220914], abs=1e-6)


@pytest.mark.parametrize("t", [0, 1, 5, 20])
def test_mean_homozygosity_of_resampled_generations_keeps_to_the_law(drift, t):
    """S_t = 1 - (1 - 1/n)^t (1 - S_0): science.md section 0.1, exactly and without any constant to fit."""
    error = drift[t].std(ddof=1) / math.sqrt(CHAINS)
    assert abs(drift[t].mean() - law(t)) < 4 * error < 0.02


@pytest.mark.parametrize("t", [1, 5, 20])
def test_mean_fixation_index_of_resampled_generations_is_wrights(drift, t):
    """F_t = 1 - (1 - 1/n)^t."""
    found = np.array([fixation_index(s, reference=S_0) for s in drift[t]])
    assert abs(found.mean() - (1 - (1 - 1 / N) ** t)) < 4 * found.std(ddof=1) / math.sqrt(CHAINS) < 0.02


def test_effective_size_of_drift_is_the_size_of_the_training_set(drift):
    """Over the chains: n_e is a ratio, so of means, with the error that chance leaves of the difference."""
    assert [effective_size(law(t + 1), parent=law(t)) for t in (0, 7)] == pytest.approx([N, N], rel=1e-9)
    steps = drift[-1] - drift[0]
    total = effective_size(float(drift[-1].mean()), parent=float(drift[0].mean()))
    per_generation = 1 / (1 - (1 - 1 / total) ** (1 / GENERATIONS))
    relative_error = steps.std(ddof=1) / math.sqrt(CHAINS) / steps.mean()
    assert per_generation == pytest.approx(N, rel=4 * relative_error)
    assert relative_error < 0.05


def test_homozygosity_of_the_known_counts():
    """science.md section 4: the unbiased form; the plug-in form would be .215976."""
    assert homozygosity(COUNTS) == pytest.approx(0.184615, abs=1e-6)


@pytest.mark.parametrize("size", [2, 10, 1000])
def test_homozygosity_does_not_depend_on_the_size_of_the_sample(rng, size):
    """The plug-in form is .52 too large for 2 tokens; field.md section 10: n differs between generations."""
    p = zipf(50)
    found = np.array([homozygosity(rng.multinomial(size, p)) for _ in range(2000)])
    assert abs(found.mean() - (p**2).sum()) < 4 * found.std(ddof=1) / math.sqrt(2000)


@given(st.lists(st.integers(0, 4), max_size=25))
def test_homozygosity_is_the_share_of_pairs_that_are_equal(tokens):
    pairs = [a == b for a, b in combinations(tokens, 2)]
    found = homozygosity(np.bincount(np.array(tokens, dtype=np.int64), minlength=5))
    assert found == pytest.approx(sum(pairs) / len(pairs) if pairs else math.nan, rel=1e-12, nan_ok=True)


def test_homozygosity_of_billions_does_not_overflow():
    """c (c - 1) of 4e9 is beyond int64."""
    assert homozygosity([4 * 10**9, 4 * 10**9]) == pytest.approx(0.5, rel=1e-8)
    assert homozygosity([4 * 10**9]) == 1.0


def test_too_few_tokens_have_no_homozygosity():
    assert math.isnan(homozygosity([]))
    assert math.isnan(homozygosity([1]))
    assert homozygosity([1, 1]) == 0.0


def test_pairs_do_not_cross_sequences():
    """field.md section 10: n-grams across document borders."""
    metric = Homozygosity(n=2, vocabulary_size=5)
    metric.update([torch.tensor([1, 2]), torch.tensor([1, 2]), torch.tensor([1, 3])])
    assert metric.compute().item() == pytest.approx(1 / 3, rel=1e-12)


def test_fixation_index_from_none_to_all():
    assert fixation_index(0.05, reference=0.05) == 0.0
    assert fixation_index(1.0, reference=0.05) == 1.0
    assert fixation_index(0.0, reference=0.5) == -1.0
    assert fixation_index(0.06, reference=0.0) == 0.06


def test_fixation_index_is_undefined_without_diversity_or_tokens():
    assert math.isnan(fixation_index(1.0, reference=1.0))
    assert math.isnan(fixation_index(math.nan, reference=0.1))
    assert math.isnan(fixation_index(0.1, reference=math.nan))


def test_effective_size_of_the_known_diversities():
    """science.md section 4: H from .95 to .94 gives 95."""
    assert effective_size(1 - 0.94, parent=1 - 0.95) == pytest.approx(95, rel=1e-9)
    assert effective_size(1.0, parent=0.3) == 1.0


def test_effective_size_is_undefined_where_diversity_did_not_fall():
    assert math.isnan(effective_size(0.05, parent=0.05))
    assert math.isnan(effective_size(0.04, parent=0.05))
    assert math.isnan(effective_size(1.0, parent=1.0))
    assert math.isnan(effective_size(math.nan, parent=0.05))


@pytest.mark.parametrize("value", [-0.1, 1.1, 95.0])
def test_what_is_no_homozygosity_is_refused(value):
    for call, name in (
        (lambda: fixation_index(value, reference=0.1), "homozygosity"),
        (lambda: FixationIndex(value, vocabulary_size=5), "reference"),
        (lambda: EffectiveSize(value, vocabulary_size=5), "parent"),
    ):
        with pytest.raises(InputError, match=f"`{name}` must be a homozygosity, from 0 to 1"):
            call()


def test_relative_fitness_is_perplexity_over_perplexity():
    assert relative_fitness([3.0, 5.0], [2, 2], [2.0, 2.0], [2, 2]) == pytest.approx(math.exp(1) / math.exp(2))
    assert relative_fitness([4.0], [4], [4.0], [4]) == 1.0
    assert relative_fitness([2.0], [2], [4.0], [2]) == pytest.approx(math.e)


def test_relative_fitness_at_its_ends():
    assert relative_fitness([math.inf], [1], [1.0], [1]) == 0.0
    assert relative_fitness([1.0], [1], [math.inf], [1]) == math.inf
    assert relative_fitness([1.0], [1], [5000.0], [1]) == math.inf
    assert math.isnan(relative_fitness([], [], [], []))
    assert math.isnan(relative_fitness([math.inf], [1], [math.inf], [1]))


def test_relative_fitness_is_not_a_mean_of_batches():
    """field.md section 10: mean of exp(loss); a long document counts by its tokens, in whichever batch it stands."""
    nats, tokens, founder = torch.tensor([2.0, 54.0]), torch.tensor([1, 9]), torch.tensor([2.0, 27.0])
    whole, parts = RelativeFitness(), RelativeFitness()
    whole.update(nats, tokens, founder)
    for i in range(2):
        parts.update(nats[i : i + 1], tokens[i : i + 1], founder[i : i + 1])
    assert whole.compute().item() == parts.compute().item() == pytest.approx(math.exp(2.9 - 5.6))


def test_all_read_the_same_table_as_distinct_does():
    collection = MetricCollection(
        {
            "distinct": Distinct(1, vocabulary_size=9),
            "s": Homozygosity(vocabulary_size=9),
            "f": FixationIndex(0.1, vocabulary_size=9),
            "other_f": FixationIndex(0.2, vocabulary_size=9),
            "pairs": Homozygosity(2, vocabulary_size=9),
        }
    )
    for tokens in ([1, 2, 1], [1, 1, 2]):
        collection.update([torch.tensor(tokens)])
    s = (4 * 3 + 2 * 1) / (6 * 5)
    found = {name: value.item() for name, value in collection.compute().items()}
    assert found == pytest.approx(
        {"distinct": 2 / 6, "s": s, "f": (s - 0.1) / 0.9, "other_f": (s - 0.2) / 0.8, "pairs": 2 / 12}
    )
    assert len(collection.compute_groups) == 2
