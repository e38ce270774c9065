"""Frechet distance: the closed form in one dimension, SciPy's matrix root, and the low-rank way."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from collapse_guard import Evidence, WildType
from collapse_guard.errors import InputError
from collapse_guard.indicators.distance.frechet import Frechet, frechet, frechet_to, frechet_to_rows
from collapse_guard.measurement.measure import measure


def slow(mean, covariance, mean_ref, covariance_ref):
    root = sqrtm(covariance @ covariance_ref).real
    return ((mean - mean_ref) ** 2).sum() + np.trace(covariance + covariance_ref - 2 * root)


def covariance_of(rng, d, n=None):
    x = rng.normal(size=(n or 3 * d, d)) * rng.uniform(0.5, 2.0, size=d)
    return np.atleast_2d(np.cov(x.T))


def test_two_gaussians_of_one_dimension_have_the_value_of_section_4():
    assert frechet([0.5], [[0.8**2]], [0.0], [[1.0]]) == pytest.approx(0.29, abs=1e-12)
    assert frechet([0.0], [[1.0]], [0.5], [[0.8**2]]) == pytest.approx(0.29, abs=1e-12)


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(0, 2**16))
def test_it_is_the_formula_with_the_matrix_root_of_scipy(d, seed):
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=d), covariance_of(rng, d), rng.normal(size=d), covariance_of(rng, d)
    assert frechet(*parts) == pytest.approx(slow(*parts), rel=1e-8)
    assert frechet(*parts[2:], *parts[:2]) == pytest.approx(frechet(*parts), rel=1e-9)
    assert frechet(*parts[:2], *parts[:2]) == pytest.approx(0.0, abs=1e-7)


def test_commuting_covariances_have_their_closed_form(rng):
    a, b = rng.uniform(0.1, 3.0, size=(2, 6))
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    value = frechet(np.zeros(6), turn * a @ turn.T, np.zeros(6), turn * b @ turn.T)
    assert value == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(2, 5), (5, 5), (6, 5), (20, 40), (100, 3)])
def test_from_few_vectors_it_is_that_of_their_mean_and_covariance(n, d, rng):
    x, mean, covariance = rng.normal(size=(n, d)), rng.normal(size=d), covariance_of(rng, d)
    own = np.atleast_2d(np.cov(x.T))
    assert frechet_to(x, mean, covariance) == pytest.approx(frechet(x.mean(axis=0), own, mean, covariance), rel=1e-6)
    assert frechet_to(x, mean, covariance) == pytest.approx(slow(x.mean(axis=0), own, mean, covariance), rel=1e-5)


@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (4, 30, 3), (30, 4, 3), (5, 9, 40), (9, 5, 40)])
def test_two_sets_of_vectors_are_as_far_as_their_means_and_covariances(n, m, d, rng):
    x, y = rng.normal(size=(n, d)) + 3.0, rng.normal(size=(m, d)) * rng.uniform(0.5, 2.0, size=d)
    covariance = np.atleast_2d(np.cov(y.T))
    assert frechet_to_rows(x, y) == pytest.approx(frechet_to(x, y.mean(axis=0), covariance), rel=1e-6)
    assert frechet_to_rows(x, y) == pytest.approx(frechet_to_rows(y, x), rel=1e-9)
    assert frechet_to_rows(y, y) == pytest.approx(0.0, abs=1e-9)


def test_of_more_columns_than_rows_it_is_read_without_a_matrix_of_all_pairs_of_columns(rng):
    d = 1200
    wild_type = WildType.fit_arrays(rng.normal(size=(50, d)), group_samples=10)
    samples = rng.normal(size=(60, d)) * np.linspace(0.1, 1.0, d)
    tracemalloc.start()
    reading = measure(wild_type, Evidence(samples=samples), only=["frechet"])["frechet"]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < d * d * 8 / 2
    geometry, groups = wild_type.geometry, samples[:60].reshape(6, 10, d)
    expected = [frechet_to(group, geometry.mean, geometry.covariance) for group in groups]
    assert reading.value == pytest.approx(np.mean(expected), rel=0.02)


def test_covariances_without_full_rank_give_no_complex_number_as_sqrtm_does(rng):
    low = covariance_of(rng, 30, n=4)
    assert frechet(np.zeros(30), low, np.zeros(30), low) == pytest.approx(0.0, abs=1e-5)
    assert frechet(np.zeros(30), np.zeros((30, 30)), np.zeros(30), low) == pytest.approx(np.trace(low))


def test_a_collapsed_sample_is_at_the_whole_variance_of_the_reference(rng):
    covariance = covariance_of(rng, 4)
    assert frechet_to(np.zeros((9, 4)), np.zeros(4), covariance) == pytest.approx(np.trace(covariance))


def test_it_is_biased_upwards_in_small_samples(rng):
    def mean_of(n):
        return np.mean([frechet_to(rng.normal(size=(n, 4)), np.zeros(4), np.eye(4)) for _ in range(200)])

    assert mean_of(10) > 2 * mean_of(40) > 4 * mean_of(400) > 0


def test_a_far_mean_costs_the_metric_no_digits(rng):
    x, mean, covariance = rng.normal(size=(300, 5)) + 1e6, np.full(5, 1e6), covariance_of(rng, 5)
    metric = Frechet(mean, covariance)
    for part in np.array_split(x, 7):
        metric.update(torch.from_numpy(part))
    assert metric.compute().item() == pytest.approx(slow(x.mean(axis=0), np.cov(x.T), mean, covariance), rel=1e-7)


def test_without_two_vectors_or_with_a_number_that_is_not_finite_it_is_undefined(rng):
    assert math.isnan(frechet_to(np.zeros((1, 2)), [0.0, 0.0], np.eye(2)))
    assert math.isnan(frechet_to([[math.nan, 0.0]] * 3, [0.0, 0.0], np.eye(2)))
    assert math.isnan(frechet_to_rows([[1.0, 0.0]] * 3, [[0.0, 0.0]]))
    assert math.isnan(frechet_to_rows([[1.0, 0.0]], [[0.0, 0.0]] * 3))
    assert math.isnan(frechet_to_rows([[1.0, 0.0]] * 3, [[math.inf, 0.0]] * 3))
    assert math.isnan(frechet([math.inf], [[1.0]], [0.0], [[1.0]]))
    assert math.isnan(frechet([0.0], [[math.nan]], [0.0], [[1.0]]))
    metric = Frechet([0.0], [[1.0]])
    metric.update(torch.tensor([[1.0]]))
    assert math.isnan(metric.compute())
    metric.update(torch.tensor([[math.nan]]))
    assert math.isnan(metric.compute())


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"`mean_ref` and `covariance_ref` must have the shapes \(d,\) and \(d, d\)"):
        frechet([0.0], [[1.0]], [0.0, 0.0], [[1.0]])
    with pytest.raises(InputError, match=r"`mean` and `covariance` must have the shapes \(1,\) and \(1, 1\)"):
        frechet([0.0, 0.0], np.eye(2), [0.0], [[1.0]])
    with pytest.raises(InputError, match=r"`generated` must have the shape \(n, 1\)"):
        frechet_to(np.zeros((3, 2)), [0.0], [[1.0]])
    with pytest.raises(InputError, match=r"`generated` must have the shape \(n, 1\)"):
        frechet_to_rows(np.zeros((3, 2)), np.zeros((3, 1)))
