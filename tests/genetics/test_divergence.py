"""F_ST: pairs counted one by one, the published two-allele form, and what simulated drift does."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.divergence import hudson_fst
from collapse_guard.genetics.inbreeding import inbreeding
from collapse_guard.worlds import wright_fisher

SAMPLES = st.lists(st.integers(0, 4), min_size=2, max_size=25)


def counted(items, types=5):
    return np.bincount(np.array(items, dtype=np.int64), minlength=types)


def differ(pairs):
    pairs = list(pairs)
    return sum(a != b for a, b in pairs) / len(pairs)


def slow_fst(own, other):
    """By the definition: all pairs within and between, one by one."""
    between = differ(product(own, other))
    within = (differ(combinations(own, 2)) + differ(combinations(other, 2))) / 2
    return 1 - within / between if between else math.nan


@given(own=SAMPLES, other=SAMPLES)
def test_fst_is_pairs_counted_one_by_one(own, other):
    found = float(hudson_fst(counted(own), counted(other)))
    assert found == pytest.approx(slow_fst(own, other), abs=1e-9, nan_ok=True)
    assert not found > 1.0


@given(a=st.tuples(st.integers(1, 50), st.integers(1, 50)), b=st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_fst_of_two_alleles_is_equation_10_of_bhatia(a, b):
    (p, n), (q, m) = ((x / (x + y), x + y) for x, y in (a, b))
    gap = (p - q) ** 2 - p * (1 - p) / (n - 1) - q * (1 - q) / (m - 1)
    assert hudson_fst(a, b) == pytest.approx(gap / (p * (1 - q) + q * (1 - p)), abs=1e-9)


@given(own=SAMPLES, other=SAMPLES, order=st.permutations(range(5)), absent=st.integers(0, 3))
def test_fst_knows_neither_order_nor_names_nor_absent_types(own, other, order, absent):
    a, b = counted(own), counted(other)
    found = hudson_fst(a, b)
    again = hudson_fst(a[list(order)], b[list(order)])
    assert again == pytest.approx(found, abs=1e-12, nan_ok=True)
    assert hudson_fst(b, a) == pytest.approx(found, abs=1e-12, nan_ok=True)
    padded = hudson_fst(np.append(a, [0] * absent), np.append(b, [0] * absent))
    assert padded == pytest.approx(found, abs=1e-12, nan_ok=True)


@given(own=SAMPLES, other=SAMPLES, times=st.integers(10**5, 10**6))
def test_fst_of_large_samples_does_not_depend_on_their_sizes(own, other, times):
    """Scaling either sample changes no share, and the correction for pairs is of order 1/N."""
    a, b = counted(own) * 10**5, counted(other) * 10**5
    if (a * b).sum() < a.sum() * b.sum():
        assert hudson_fst(a * times, b) == pytest.approx(float(hudson_fst(a, b)), abs=1e-3)


def test_two_samples_of_one_source_have_none_on_average_at_any_size():
    rng, p = np.random.default_rng(2), np.array([0.4, 0.3, 0.2, 0.1])
    for own, other in ((5, 400), (60, 60)):
        a, b = rng.multinomial(own, p, size=20_000), rng.multinomial(other, p, size=20_000)
        between = 1 - (a / own * b / other).sum(1)
        numerator = hudson_fst(a, b) * between
        assert abs(numerator.mean()) < 5 * numerator.std() / np.sqrt(20_000)


def test_fst_of_drift_is_half_of_the_fixation_index():
    """Ratio of averages over lineages: (1 - E H_t / H_0) / 2 = F_t / 2."""
    source, n, t = wright_fisher.zipf(6), 10, 7
    rng = np.random.default_rng(3)
    shares = np.tile(source, (20_000, 1))
    for _ in range(t):
        shares = rng.multinomial(n, shares) / n
    counts, reference = rng.multinomial(50, shares), rng.multinomial(2000, source, size=20_000)
    between = 1 - (counts / 50 * reference / 2000).sum(1)
    half = float(inbreeding(t, samples=n)) / 2
    # The mean of (F_ST - half) H_between is 0 where the ratio of averages is half.
    excess = (hudson_fst(counts, reference) - half) * np.where(between > 0, between, 0.0)
    assert abs(np.nanmean(excess)) < 5 * np.nanstd(excess) / np.sqrt(20_000)
    assert not np.isnan(excess).any()


def test_samples_without_a_common_type():
    assert hudson_fst([4, 0], [0, 7]) == 1.0
    assert hudson_fst([2, 2, 0], [0, 0, 9]) == pytest.approx(1 - (2 / 3) / 2)


@pytest.mark.parametrize(
    ("own", "other"),
    [([4, 0], [9, 0]), ([1, 0], [3, 3]), ([3, 3], [0, 1]), ([0, 0], [3, 3]), ([3, 3], [0, 0]), ([], [])],
)
@pytest.mark.filterwarnings("error")
def test_fst_is_undefined_where_there_are_no_pairs_or_no_difference(own, other):
    assert math.isnan(hudson_fst(np.array(own, dtype=np.int64), np.array(other, dtype=np.int64)))


def test_rows_are_generations():
    generations, reference = np.array([[5, 5, 0], [9, 1, 0], [0, 0, 1]]), np.array([4, 4, 2])
    found = hudson_fst(generations, reference)
    assert found[:2].tolist() == [float(hudson_fst(row, reference)) for row in generations[:2]]
    assert math.isnan(found[2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hudson_fst([1, -1], [1, 2]), "`counts` must hold finite numbers of at least 0, but got -1"),
        (lambda: hudson_fst([1, 0.5], [1, 2]), "`counts` must hold whole numbers, one for each type, but got 0.5"),
        (lambda: hudson_fst(3, [1, 2]), "`counts` must hold whole numbers, one for each type, but got the number 3"),
        (lambda: hudson_fst([1, 1], [1, -2]), "`reference_counts` must hold finite numbers of at least 0, but got -2"),
        (lambda: hudson_fst([1, 1], [1, 2, 3]), r"`reference_counts` must hold the same types .*\(3,\) and \(2,\)"),
        (lambda: hudson_fst(np.ones((2, 2)), np.ones((3, 2))), r"in rows that broadcast.*\(3, 2\) and \(2, 2\)"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
