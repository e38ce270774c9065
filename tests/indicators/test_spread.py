"""Spread: published and closed-form values, NumPy as a library oracle, the n by n kernel as the slow definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.spread.cosines import MeanDistance, Vendi, Vendi2, mean_distance, vendi, vendi_2
from collapse_guard.indicators.spread.variance import EffectiveRank, TotalVariance, effective_rank, total_variance

ORDERS = [0.5, 1.0, 2.0, math.inf]


def rows_with_kernel(kernel):
    """Unit rows whose cosines are the kernel."""
    return np.linalg.cholesky(np.array(kernel))


def slow_vendi(x, q):
    """The definition: entropy of the eigenvalues of the n by n cosine matrix; zero rows are equal to each other."""
    n = len(x)
    kernel = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            lengths = np.linalg.norm(x[i]), np.linalg.norm(x[j])
            kernel[i, j] = float(lengths[0] == lengths[1]) if 0 in lengths else x[i] @ x[j] / math.prod(lengths)
    values = np.linalg.eigvalsh(kernel / n)
    values = values[values > 1e-12]
    if q == 1:
        return math.exp(-(values * np.log(values)).sum())
    return 1 / values.max() if math.isinf(q) else (values**q).sum() ** (1 / (1 - q))


@pytest.mark.parametrize(
    ("kernel", "values"),
    [
        ([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], [2.420348, 2.1573, 1.948052, 1.578947]),
        ([[1, 0.5], [0.5, 1]], [None, 1.754765, 1.6, 1.333333]),
    ],
)
def test_vendi_has_its_published_values(kernel, values):
    x = rows_with_kernel(kernel)
    for q, value in zip(ORDERS, values, strict=True):
        if value is not None:
            assert vendi(x, q) == pytest.approx(value, abs=5e-5), q


@pytest.mark.parametrize("q", [0.0, *ORDERS, 3.5])
def test_vendi_of_orthogonal_samples_is_their_number_and_of_equal_ones_is_one(q):
    assert vendi(np.eye(6), q) == pytest.approx(6.0)
    assert vendi(np.ones((6, 3)), q) == 1.0


def test_rounding_never_takes_a_value_out_of_its_range(rng):
    for row in rng.normal(size=(50, 3)):
        equal = np.tile(row, (7, 1))
        metric = TotalVariance(3)
        metric.update(torch.from_numpy(1e6 * equal))
        assert min(vendi(equal, q) for q in ORDERS) >= 1.0
        assert metric.compute().item() >= 0.0


def test_vendi_of_order_2_is_one_over_the_mean_squared_cosine(rng):
    x = rng.normal(size=(30, 8))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert vendi(x, 2) == pytest.approx(1 / np.mean((unit @ unit.T) ** 2), rel=1e-12)


@settings(max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(ORDERS), st.integers(0, 2**16))
def test_vendi_is_its_slow_definition_for_tall_and_wide_samples(n, d, q, seed):
    x = np.random.default_rng(seed).normal(size=(n, d)) * np.random.default_rng(seed).integers(0, 2, size=(n, 1))
    assert vendi(x, q) == pytest.approx(slow_vendi(x, q), rel=1e-9)


@settings(max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**16))
def test_vendi_2_is_vendi_of_order_2_without_eigenvalues(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.integers(0, 2, size=(n, 1))
    assert vendi_2(x) == pytest.approx(vendi(x, q=2), rel=1e-9)
    assert vendi_2(x) == pytest.approx(slow_vendi(x, 2), rel=1e-9)
    metrics = Vendi2(d), Vendi(d, q=2)
    for metric in metrics:
        for part in np.array_split(x, 3):
            metric.update(torch.from_numpy(part))
    assert metrics[0].compute().item() == pytest.approx(metrics[1].compute().item(), rel=1e-9)


def test_vendi_2_has_the_values_of_section_4():
    assert vendi_2(rows_with_kernel([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])) == pytest.approx(1.948052, abs=5e-7)
    assert vendi_2(rows_with_kernel([[1, 0.5], [0.5, 1]])) == pytest.approx(1.6)
    assert (vendi_2(np.eye(7)), vendi_2(np.ones((7, 3)))) == pytest.approx((7.0, 1.0))


def slow_mean_distance(x):
    """Over all pairs of different rows; rows of zeros are equal to each other and at a right angle to the others."""
    distances = []
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            lengths = np.linalg.norm(a), np.linalg.norm(b)
            cosine = float(lengths[0] == lengths[1]) if 0 in lengths else a @ b / math.prod(lengths)
            distances += [1 - cosine] if i != j else []
    return np.mean(distances)


@settings(max_examples=50)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**16))
def test_mean_distance_is_its_double_loop(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.integers(0, 2, size=(n, 1))
    assert mean_distance(x) == pytest.approx(slow_mean_distance(x), abs=1e-12)


def test_mean_distance_leaves_out_the_zero_self_distances_that_the_diversity_package_averages_in(rng):
    assert mean_distance(np.eye(4)) == 1.0
    assert mean_distance([[1.0, 0.0], [-1.0, 0.0]]) == 2.0
    values = np.array([mean_distance(rng.normal(size=(4, 3))) for _ in range(2000)])
    # Directions in all ways alike: the expectation is 1 at any n; with self distances it would be 0.75.
    assert abs(values.mean() - 1.0) < 4 * values.std() / math.sqrt(2000) < 0.1


def test_mean_distance_of_equal_directions_is_zero_whatever_rounding_says(rng):
    for row in rng.normal(size=(50, 3)):
        assert mean_distance(np.outer(rng.uniform(1, 9, size=7), row)) == pytest.approx(0.0, abs=1e-14)
        metric = MeanDistance(3)
        metric.update(torch.from_numpy(np.tile(row, (7, 1))))
        assert metric.compute().item() >= 0.0


def test_numbers_of_a_list_are_not_rounded_to_float32():
    assert total_variance([[0.1], [0.7]]) == pytest.approx(0.18, rel=1e-14)


def test_rows_of_zeros_are_equal_to_each_other_and_to_nothing_else():
    assert vendi([[0.0, 0.0]] * 5) == 1.0
    assert vendi([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]) == pytest.approx(3.0)
    assert vendi([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0], [1.0, 0.0]]) == pytest.approx(2.0)


@pytest.mark.parametrize("q", [-1.0, math.nan])
def test_an_order_below_zero_is_refused(q):
    with pytest.raises(InputError, match="`q` must be at least 0, but got"):
        vendi(np.eye(2), q)
    with pytest.raises(InputError, match="`q` must be at least 0, but got"):
        Vendi(2, q=q)


def rows_with_singular_values(values, rng):
    """Centred rows: columns of u are orthogonal to each other and to the ones."""
    n, d = 20, len(values)
    u = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, d))]))[0][:, 1:]
    v = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return u * values @ v.T + rng.normal(size=d)


def test_effective_rank_of_singular_values_3_2_1_has_its_closed_form(rng):
    assert effective_rank(rows_with_singular_values([3.0, 2.0, 1.0], rng)) == pytest.approx(2.749459, abs=1e-6)
    assert effective_rank(rows_with_singular_values([5.0] * 4, rng)) == pytest.approx(4.0)
    assert effective_rank(rows_with_singular_values([5.0, 0.0, 0.0], rng)) == pytest.approx(1.0)


@settings(max_examples=50)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 2**16))
def test_effective_rank_is_the_entropy_of_numpy_singular_values(n, d, seed):
    x = np.random.default_rng(seed).normal(loc=3.0, size=(n, d))
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    p = s[s > 1e-10] / s.sum()
    assert effective_rank(x) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=1e-6)
    assert 1.0 <= effective_rank(x) <= min(n - 1, d) + 1e-9


def test_effective_rank_does_not_change_with_scale_place_or_rotation(rng):
    x = rng.normal(size=(40, 5)) * [5, 4, 3, 2, 1]
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert effective_rank(7.0 * x @ turn + 100.0) == pytest.approx(effective_rank(x), rel=1e-9)


def test_equal_samples_have_no_effective_rank_and_no_variance():
    x = np.full((50, 3), 0.1)
    metric = EffectiveRank(3)
    metric.update(torch.from_numpy(x))
    assert math.isnan(effective_rank(x))
    assert math.isnan(metric.compute())
    assert total_variance(x) == pytest.approx(0.0, abs=1e-30)


@settings(max_examples=50)
@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 2**16))
def test_total_variance_is_the_trace_of_numpy_cov(n, d, seed):
    x = np.random.default_rng(seed).normal(loc=-2.0, size=(n, d))
    assert total_variance(x) == pytest.approx(np.trace(np.atleast_2d(np.cov(x.T))), rel=1e-12)


def test_total_variance_is_unbiased_at_any_sample_size(rng):
    """E tr S = tr Sigma = 1 + 4 + 9 for n = 3 as for any n."""
    values = np.array([total_variance(rng.normal(size=(3, 3)) * [1, 2, 3]) for _ in range(4000)])
    assert abs(values.mean() - 14.0) < 4 * values.std(ddof=1) / math.sqrt(4000) < 1.0


def test_a_large_mean_does_not_drown_the_spread(rng):
    x = rng.normal(size=(500, 4))
    far = TotalVariance(4)
    far.update(torch.from_numpy(x + 1e5))
    assert total_variance(x + 1e5) == pytest.approx(total_variance(x), rel=1e-9)
    assert far.compute().item() == pytest.approx(total_variance(x), rel=1e-4)


@pytest.mark.parametrize(
    ("function", "fewest"), [(total_variance, 2), (effective_rank, 2), (vendi, 1), (vendi_2, 1), (mean_distance, 2)]
)
def test_too_few_rows_are_not_a_number(function, fewest):
    for n in range(fewest):
        assert math.isnan(function(np.ones((n, 3)))), n


@pytest.mark.parametrize("function", [total_variance, effective_rank, vendi, vendi_2, mean_distance])
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_never_hidden(function, poison, rng):
    x = rng.normal(size=(10, 3))
    x[4, 1] = poison
    x[5:] = 0.0
    assert math.isnan(function(x))


@pytest.mark.parametrize("x", [np.zeros(4), np.zeros((2, 2, 2))])
def test_what_has_no_rows_is_refused(x):
    with pytest.raises(InputError, match=r"`x` must have the shape \(n, d\)"):
        vendi(x)


def test_rows_of_another_dimension_are_refused_by_a_metric():
    for metric in (TotalVariance(3), EffectiveRank(3), Vendi(3), Vendi2(3), MeanDistance(3)):
        with pytest.raises(InputError, match=r"must have the shape \(n, 3\).*got \(5, 4\)"):
            metric.update(torch.zeros(5, 4))
