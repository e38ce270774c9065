"""Rare words: against counters, known expectations under resampling, and the oracles of science.md section 4."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators import HillIndex, MissingMass, hill_index
from collapse_guard.indicators.tails.lost_ngrams import LostNgrams, lost_ngrams
from collapse_guard.indicators.tails.rare import UNKNOWN, RareMass, count_types, rare_coverage, rare_mass
from collapse_guard.indicators.tails.words import missing_mass

COUNTS = [10, 5, 3, 2, 2, 1, 1, 1, 1]
"""The counts of science.md section 4."""
GROUP = 4096
types = st.lists(st.integers(UNKNOWN, 9), max_size=40)
rare_sets = st.sets(st.integers(0, 9))


@given(types, rare_sets)
def test_both_are_what_a_counter_says(ids, rare):
    counts, seen = count_types(np.array(ids, dtype=np.int64), 10), Counter(ids)
    mass = sum(seen[r] for r in rare) / len(ids) if ids and rare else math.nan
    coverage = sum(r in seen for r in rare) / len(rare) if rare else math.nan
    assert rare_mass(counts, sorted(rare)) == pytest.approx(mass, nan_ok=True)
    assert rare_coverage(counts, sorted(rare)) == pytest.approx(coverage, nan_ok=True)


def test_unknown_words_are_occurrences_but_no_type():
    counts = count_types([3, UNKNOWN, UNKNOWN, UNKNOWN], 4)
    assert counts.tolist() == [0, 0, 0, 1, 3]
    assert rare_mass(counts, [3]) == 1 / 4
    assert rare_coverage(counts, [2, 3]) == 1 / 2


def test_coverage_of_resampled_words_has_its_known_expectation(rng):
    """A type of probability q is absent from M draws with probability (1 - q)^M: 0.606455 for q = 0.0005, M = 1000."""
    rare = np.arange(1, 401)
    p = np.concatenate([[1 - 400 * 0.0005], np.full(400, 0.0005)])
    draws = [count_types(rng.choice(401, size=1000, p=p), 401) for _ in range(100)]
    coverage = np.array([rare_coverage(counts, rare) for counts in draws])
    mass = np.array([rare_mass(counts, rare) for counts in draws])
    assert abs(coverage.mean() - (1 - 0.606455)) < 4 * coverage.std(ddof=1) / 10 < 0.02
    assert abs(mass.mean() - 0.2) < 4 * mass.std(ddof=1) / 10 < 0.02


def test_nothing_rare_or_nothing_said_is_not_a_number():
    assert math.isnan(rare_coverage(count_types([1], 4), []))
    assert math.isnan(rare_mass(count_types([1], 4), []))
    assert math.isnan(rare_mass(count_types([], 4), [1]))
    assert rare_coverage(count_types([], 4), [1]) == 0.0


@pytest.mark.parametrize("ids", [[4], [-2], [0, 1, 99]])
def test_ids_out_of_range_are_refused(ids):
    with pytest.raises(InputError, match="`types` must be from 0 to 3, or -1 for unknown words"):
        count_types(ids, 4)


def test_the_metric_counts_batches_of_any_shape():
    metric = RareMass(rare=torch.tensor([2, 3]), n_types=4)
    metric.update(torch.tensor([[0, 2], [UNKNOWN, 3]]))
    metric.update(torch.tensor([1]))
    assert metric.compute().item() == pytest.approx(2 / 5)


def zipf(size, exponent=1.0, shift=0.0):
    weights = (np.arange(1, size + 1) + shift) ** -exponent
    return weights / weights.sum()


def test_missing_mass_of_the_known_counts():
    """science.md section 4: Good's coverage of them is .846154."""
    assert missing_mass(COUNTS) == pytest.approx(1 - 0.846154, abs=1e-6)
    assert missing_mass(torch.tensor(COUNTS).reshape(3, 3)) == missing_mass(COUNTS) == 4 / 26


def test_missing_mass_has_the_expectation_of_good(rng):
    """E f1 / N is the unseen mass after N - 1 occurrences, sum p (1 - p)^(N - 1), for any source."""
    p, n = zipf(500), 300
    found = np.array([missing_mass(rng.multinomial(n, p)) for _ in range(400)])
    assert abs(found.mean() - (p * (1 - p) ** (n - 1)).sum()) < 4 * found.std(ddof=1) / 20 < 0.01


def test_missing_mass_of_nothing_and_of_words_that_all_differ():
    assert math.isnan(missing_mass([]))
    assert math.isnan(missing_mass([0, 0]))
    assert missing_mass([1, 0, 1]) == 1.0
    assert missing_mass([4]) == 0.0


@pytest.mark.parametrize("counts", [[1, -1], [0.5], ["a"]])
def test_counts_that_count_nothing_are_refused(counts):
    with pytest.raises(InputError, match="`counts` must be integers of at least 0"):
        missing_mass(counts)


def test_unknown_words_with_one_id_for_all_would_hide_what_is_missing():
    words, bucket = MissingMass(), MissingMass()
    words.update(torch.tensor([7, 7, 2**63 - 1, -(2**63)]))
    bucket.update(torch.tensor([7, 7, UNKNOWN, UNKNOWN]))
    assert words.compute() == 0.5
    assert bucket.compute() == 0.0


@settings(max_examples=50)
@given(st.lists(st.integers(-3, 9), min_size=1, max_size=40), st.integers(-(2**62), 2**62))
def test_words_may_be_named_by_any_ids(ids, offset):
    plain, renamed = MissingMass(), MissingMass()
    plain.update(torch.tensor(ids))
    renamed.update(offset - torch.tensor(ids).flip(0))
    assert plain.compute() == renamed.compute() == sum(c == 1 for c in Counter(ids).values()) / len(ids)


def test_counters_do_not_stop_at_two_to_the_24():
    """field.md section 10: float32 counters past 2**24 add nothing any more."""
    metric = MissingMass()
    metric.update(torch.tensor([7]))
    for _ in range(25):
        metric.merge_state(metric.clone())
    metric.update(torch.tensor([8]))
    assert metric.compute().item() == 1 / (2**25 + 1)


def test_words_that_are_no_ids_are_refused():
    with pytest.raises(InputError, match="`words` must be integer ids"):
        HillIndex().update(torch.tensor([1.0, 2.0]))


def test_lost_ngrams_is_one_minus_found_over_expected():
    p, m = np.array([0.5, 0.25, 0.01]), 8
    expected = sum(1 - (1 - share) ** m for share in p)
    assert lost_ngrams([3, 0, 0], p, m) == pytest.approx(1 - 1 / expected, rel=1e-12)
    assert lost_ngrams([0, 0, 0], p, m) == 1.0
    assert lost_ngrams([1, 1, 1], p, m) == pytest.approx(1 - 3 / expected, rel=1e-12)
    assert lost_ngrams([1, 1, 1], p, m) < 0 < lost_ngrams([2, 2, 0], p, 1000)


@pytest.mark.parametrize("m", [256, 4096, 65536])
def test_of_the_source_itself_nothing_is_lost_at_any_size(rng, m):
    """field.md section 10: plain coverage differs with n between generations; this does not."""
    p = zipf(20_000)
    frozen = np.arange(5, 4000)
    found = np.array([lost_ngrams(rng.multinomial(m, p)[frozen], p[frozen], m) for _ in range(30)])
    half = p.copy()
    half[frozen[::2]] = 0.0
    lost = lost_ngrams(rng.multinomial(m, half / half.sum())[frozen], p[frozen], m)
    assert abs(found.mean()) < 4 * found.std(ddof=1) / math.sqrt(30)
    assert lost > 0.2


def test_ngrams_that_chance_chose_seem_lost_unless_another_half_gives_their_shares(rng):
    p = zipf(50_000)
    chosen, other = rng.multinomial(100_000, p), rng.multinomial(100_000, p)
    frozen = chosen >= 2
    draws = [rng.multinomial(GROUP, p)[frozen] for _ in range(20)]
    naive = np.mean([lost_ngrams(found, chosen[frozen] / 100_000, GROUP) for found in draws])
    halves = np.mean([lost_ngrams(found, other[frozen] / 100_000, GROUP) for found in draws])
    assert naive > 0.1
    assert abs(halves) < 0.03


def test_documents_as_units_allow_for_text_that_repeats_itself(rng):
    """Half of the words of a document repeat one of its words: word by word the source itself seems to lose a lot."""
    p, length = zipf(20_000), 64

    def documents(count):
        new = rng.choice(len(p), size=(count, length), p=p)
        earlier = np.take_along_axis(new, rng.integers(0, length // 8, size=(count, length)), axis=1)
        return np.where(rng.random((count, length)) < 0.5, earlier, new)

    frozen = np.arange(50, 4000)
    wild, size = documents(4000), 100
    of_words = np.bincount(wild.ravel(), minlength=len(p))[frozen] / wild.size
    of_documents = np.bincount(np.concatenate([np.unique(row) for row in wild]), minlength=len(p))[frozen] / len(wild)
    by_words, by_documents = [], []
    for _ in range(30):
        counts = np.bincount(documents(size).ravel(), minlength=len(p))[frozen]
        by_words.append(lost_ngrams(counts, of_words, size * length))
        by_documents.append(lost_ngrams(counts, of_documents, size))
    assert np.mean(by_words) > 0.15
    assert abs(np.mean(by_documents)) < 4 * np.std(by_documents, ddof=1) / math.sqrt(30) + 0.01


def test_the_metric_takes_documents_as_units_too():
    metric = LostNgrams([0.5, 0.9, 0.2])
    metric.update(torch.tensor([0, 0, UNKNOWN, 1, 0]), m=2)
    metric.update(torch.tensor([0]), m=1)
    expected = 3 - 0.5**3 - 0.1**3 - 0.8**3
    assert metric.compute().item() == pytest.approx(1 - 2 / expected, rel=1e-12)


def test_the_expectation_keeps_its_digits_for_rare_ngrams():
    """1 - (1 - p)^m computed as it stands has lost all digits at p = 1e-17; exactly it is m p here."""
    assert lost_ngrams([1], [1e-17], 1000) == pytest.approx(1 - 1e14, rel=1e-9)


def test_one_ngram_that_is_all_of_the_text():
    assert lost_ngrams([5], [1.0], 5) == 0.0


def test_without_an_expectation_nothing_is_lost_or_kept():
    assert math.isnan(lost_ngrams([0, 0], [0.5, 0.2], 0))
    assert math.isnan(lost_ngrams([], [], 100))
    assert math.isnan(lost_ngrams([0], [0.0], 100))


@pytest.mark.parametrize("shares", [[0.5, -0.1], [1.1], [math.nan], [[0.5]]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match="`probabilities` must be 1-D shares"):
        LostNgrams(shares)


def test_counts_of_another_frozen_set_are_refused():
    with pytest.raises(InputError, match="one entry for each of the 2 `probabilities`"):
        lost_ngrams([1, 2, 3], [0.5, 0.5], 6)


def test_other_ngrams_count_as_looked_at():
    metric, other = LostNgrams([0.1, 0.1]), LostNgrams([0.1, 0.1])
    metric.update(torch.tensor([[0, UNKNOWN], [UNKNOWN, UNKNOWN]]))
    other.update(torch.tensor([0]))
    assert metric.compute().item() == pytest.approx(1 - 1 / (2 * (1 - 0.9**4)), rel=1e-12)
    assert other.compute().item() == pytest.approx(1 - 1 / (2 * (1 - 0.9)), rel=1e-12)


@pytest.mark.parametrize(("k", "alpha"), [(10, 1.971319), (50, 1.993947), (100, 1.996953)])
def test_hill_index_of_pareto_quantiles(k, alpha):
    """science.md section 4: mid-quantiles of a Pareto law with alpha = 2, n = 1000."""
    quantiles = ((np.arange(1000) + 0.5) / 1000) ** (-1 / 2)
    assert hill_index(quantiles, k) == pytest.approx(alpha, abs=1e-6)
    assert hill_index(np.append(np.random.default_rng(0).permutation(quantiles), 0.0), k) == hill_index(quantiles, k)


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=30), st.integers(1, 1000))
def test_hill_index_does_not_depend_on_the_scale(values, factor):
    scaled = hill_index(np.array(values) * factor, k=3)
    assert scaled == pytest.approx(hill_index(values, k=3), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("values", [[3, 2], [3, 2, 0, 0], [5, 5, 5, 1], [math.inf, 2.0, 1.0], [math.nan, 3, 2, 1], []])
def test_hill_index_is_undefined_for_few_equal_or_infinite_values(values):
    assert math.isnan(hill_index(values, k=2))


def test_hill_index_of_no_ranks_is_refused():
    for make in (lambda: hill_index([1, 2], k=0), lambda: HillIndex(k=0)):
        with pytest.raises(InputError, match="`k` must be a whole number of at least 1"):
            make()


def mean_log_hill(rng, p):
    values = np.log([hill_index(rng.multinomial(GROUP, p / p.sum())) for _ in range(40)])
    return values.mean(), values.std(ddof=1) / math.sqrt(40)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 2.7])
def test_fifty_ranks_follow_the_temperature_both_ways_in_a_group(rng, shift):
    p = zipf(50_000, shift=shift)
    healthy, error = mean_log_hill(rng, p)
    assert error < 0.02
    for temperature in (0.8, 1.25):
        moved = mean_log_hill(rng, p ** (1 / temperature))[0] - healthy
        assert moved == pytest.approx(math.log(temperature), abs=0.4 * abs(math.log(temperature)))


def test_hill_index_does_not_see_what_happens_to_the_tail(rng):
    """As its docstring says: a cut tail and even noise are for other indicators."""
    p = zipf(50_000)
    healthy, error = mean_log_hill(rng, p)
    cut, noisy = np.where(np.cumsum(p) < 0.9, p, 0.0), 0.9 * p + 0.1 / len(p)
    for changed in (cut, noisy):
        assert abs(mean_log_hill(rng, changed)[0] - healthy) < 6 * error
