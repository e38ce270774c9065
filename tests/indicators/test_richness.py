"""Richness: the oracles of science.md section 4, exact fractions, scipy, and what stays put when the sample grows."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.errors import InputError
from collapse_guard.indicators.tails.richness import (
    chao1,
    ead,
    good_turing_coverage,
    hill_number,
    rarefaction,
    rarefied_distinct,
)

COUNTS = [10, 5, 3, 2, 2, 1, 1, 1, 1]
"""The counts of science.md section 4."""
SIZES = (1_000, 8_000, 64_000)
some_counts = st.lists(st.integers(0, 12), max_size=12)


def zipf(size):
    weights = 1.0 / np.arange(1, size + 1)
    return weights / weights.sum()


@pytest.mark.parametrize(("n", "types"), [(5, 3.589632), (10, 5.516705), (26, 9.0), (1, 1.0), (0, 0.0)])
def test_rarefaction_of_the_known_counts(n, types):
    """science.md section 4."""
    assert rarefaction(COUNTS, n) == pytest.approx(types, abs=1e-6)


@given(some_counts, st.integers(0, 60))
def test_rarefaction_is_the_exact_fraction(counts, n):
    total = sum(counts)
    found = rarefaction(counts, n)
    if n > total:
        assert math.isnan(found)
        return
    exact = sum(1 - Fraction(math.comb(total - c, n), math.comb(total, n)) for c in counts)
    assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-15)


def test_rarefaction_keeps_the_digits_of_rare_types_in_large_samples():
    """A type that occurs once of 10,000,000 is in n of them with probability n / N; log-gammas leave 1 digit of it."""
    rare = rarefaction([1] * 1000 + [10_000_000 - 1000], n=100) - 1.0
    assert rare == pytest.approx(1000 * 100 / 10_000_000, rel=1e-10)


def test_rarefaction_of_large_counts_is_that_of_the_hypergeometric_law(rng):
    counts = rng.multinomial(1_000_000, zipf(300))
    n = 5000
    exact = sum(1.0 - stats.hypergeom.pmf(0, 1_000_000, c, n) for c in counts.tolist())
    assert rarefaction(counts, n) == pytest.approx(exact, rel=1e-9)


def test_rarefaction_of_a_sample_is_unbiased_for_the_source(rng):
    p, n = zipf(300), 100
    found = np.array([rarefaction(rng.multinomial(1000, p), n) for _ in range(200)])
    assert abs(found.mean() - (1 - (1 - p) ** n).sum()) < 4 * found.std(ddof=1) / math.sqrt(200) < 1.0


def test_rarefied_forms_stay_put_where_plain_distinct_falls(rng):
    """field.md section 10: pooled distinct-n falls with the number of tokens."""
    p = zipf(5000)
    samples = [rng.multinomial(size, p) for size in SIZES]
    plain = [int((counts > 0).sum()) / size for counts, size in zip(samples, SIZES, strict=True)]
    rarefied = [rarefied_distinct(counts, 1000) for counts in samples]
    assert plain[0] > 1.5 * plain[1] > 4 * plain[2]
    assert rarefied[0] == pytest.approx(plain[0], rel=1e-12)
    assert max(rarefied) / min(rarefied) < 1.1


def test_ead_stays_put_for_uniform_draws_and_moves_less_than_distinct_for_words(rng):
    """field.md section 10: pooled distinct-n falls with the number of tokens. EAD is exact for uniform draws alone."""
    for p, drift in ((np.full(5000, 1 / 5000), 1.05), (zipf(5000), 2.5)):
        kinds = [int((rng.multinomial(size, p) > 0).sum()) for size in SIZES]
        adjusted = [ead(kind, size, 5000) for kind, size in zip(kinds, SIZES, strict=True)]
        plain = [kind / size for kind, size in zip(kinds, SIZES, strict=True)]
        assert max(adjusted) / min(adjusted) < drift
        assert max(plain) / min(plain) > 5.0


@pytest.mark.parametrize(
    ("kinds", "units", "size", "value"), [(300, 500, 1000, 0.762154), (2000, 10_000, 50_257, 0.220555)]
)
def test_ead_of_the_known_numbers(kinds, units, size, value):
    """science.md section 4."""
    assert ead(kinds, units, size) == pytest.approx(value, abs=1e-6)


def test_ead_of_as_many_types_as_expected_is_one():
    """science.md section 4: 500 uniform draws of 1000 show 393.621055 types."""
    assert ead(394, 500, 1000) == pytest.approx(394 / 393.621055, rel=1e-8)


def test_ead_keeps_its_digits_for_vocabularies_of_ngrams():
    """V = 50257**4 bigrams of bigrams: ((V - 1) / V) ** C is 1.0 in float64, and the plain form divides by 0."""
    assert ead(999, 1000, 50_257**4) == pytest.approx(0.999, rel=1e-12)


def test_ead_of_nothing_is_no_number_and_of_one_type_is_one():
    assert math.isnan(ead(0, 0, 10))
    assert ead(1, 7, 1) == 1.0


@pytest.mark.parametrize("numbers", [(5, 4, 10), (5, 10, 4), (-1, 4, 10), (0, 0, 0)])
def test_ead_of_counts_that_cannot_be_is_refused(numbers):
    with pytest.raises(InputError, match="`n_distinct` must be from 0"):
        ead(*numbers)


def test_chao1_of_the_known_counts():
    """science.md section 4: 13, and 11 with the correction of bias (that of scikit-bio)."""
    assert chao1(COUNTS) == 11.0
    assert chao1(COUNTS, bias_corrected=False) == 13.0


def test_chao1_where_nothing_occurs_once_or_twice():
    assert chao1([5, 3]) == chao1([5, 3], bias_corrected=False) == 2.0
    assert chao1([1, 1, 1, 5]) == 4 + 3.0
    assert math.isnan(chao1([1, 1, 5], bias_corrected=False))
    assert math.isnan(chao1([]))


def test_chao1_is_a_lower_bound_that_is_close_for_equal_frequencies(rng):
    found = [chao1(rng.multinomial(300, np.full(200, 1 / 200))) for _ in range(100)]
    assert np.mean(found) == pytest.approx(200, rel=0.05)
    assert np.mean([chao1(rng.multinomial(300, zipf(200))) for _ in range(100)]) < 180


def test_good_turing_coverage_of_the_known_counts():
    """science.md section 4."""
    assert good_turing_coverage(COUNTS) == pytest.approx(0.846154, abs=1e-6)
    assert math.isnan(good_turing_coverage([]))


def test_hill_numbers_of_the_known_counts():
    """science.md section 4: the exponential of 1.829579 nats, and 1 / .215976."""
    assert hill_number(COUNTS) == pytest.approx(6.231260, abs=1e-6)
    assert hill_number(COUNTS, q=2) == pytest.approx(4.630137, abs=1e-6)
    assert hill_number(COUNTS, q=0) == pytest.approx(9.0)
    assert hill_number(COUNTS, q=math.inf) == pytest.approx(2.6, rel=1e-12)


def test_hill_number_of_order_one_is_that_of_scipy(rng):
    counts = rng.multinomial(500, zipf(100))
    assert hill_number(counts) == pytest.approx(math.exp(stats.entropy(counts)), rel=1e-12)
    assert hill_number(torch.tensor(counts), q=1 + 1e-7) == pytest.approx(hill_number(counts), rel=1e-6)


def test_hill_numbers_of_large_orders_do_not_underflow():
    assert hill_number(COUNTS, q=1e4) == pytest.approx(2.6, rel=1e-3)
    assert hill_number([1] * 1000, q=1e4) == pytest.approx(1000.0)


@given(some_counts.filter(any), st.floats(0, 20), st.floats(0, 20))
def test_hill_numbers_fall_with_the_order_and_are_those_of_shares(counts, a, b):
    low, high = sorted((a, b))
    assert hill_number(counts, high) <= hill_number(counts, low) * (1 + 1e-6)
    assert hill_number([7 * c for c in counts], a) == pytest.approx(hill_number(counts, a), rel=1e-6)


def test_numbers_out_of_range_are_refused():
    for call, name in (
        (lambda: rarefaction([1], -1), "n"),
        (lambda: hill_number([1], -0.5), "q"),
        (lambda: hill_number([1], math.nan), "q"),
        (lambda: chao1([-1]), "counts"),
        (lambda: rarefaction([1.5], 1), "counts"),
    ):
        with pytest.raises(InputError, match=f"`{name}` must be"):
            call()
    assert math.isnan(rarefied_distinct([1], 0))
    assert math.isnan(rarefied_distinct([1], 2))
    assert math.isnan(hill_number([0]))
