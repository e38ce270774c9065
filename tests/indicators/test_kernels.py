"""Kernels: the double loop as slow definition, exact permutation counts, and the errors of random features."""

import itertools
import math

import numpy as np
import pytest
import torch

from collapse_guard.errors import InputError
from collapse_guard.indicators.distance.kernels import Mmd, RandomFeatures, feature_mmd2, mmd_test
from collapse_guard.indicators.spread.cosines import vendi


def gaussian(a, b, width):
    return math.exp(-sum((a - b) ** 2) / (2 * width**2))


def slow_mmd2(x, y, width, kernel=gaussian):
    m, n = len(x), len(y)
    within = sum(kernel(x[i], x[j], width) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    other = sum(kernel(y[i], y[j], width) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within + other - 2 * sum(kernel(a, b, width) for a in x for b in y) / (m * n)


def fast_mmd2(x, y, width):
    """The same for many rows, with one matrix for each pair of samples."""
    within, other, between = (
        np.exp(-(np.linalg.norm(a[:, None] - b, axis=2) ** 2) / (2 * width**2)) for a, b in ((x, x), (y, y), (x, y))
    )
    m, n = len(x), len(y)
    return (within.sum() - m) / (m * (m - 1)) + (other.sum() - n) / (n * (n - 1)) - 2 * between.mean()


def mmd2(*, generated, reference, bandwidth):
    return mmd_test(generated=generated, reference=reference, permutations=1, bandwidth=bandwidth).mmd2


@pytest.mark.parametrize(("m", "n", "d"), [(2, 2, 1), (7, 12, 3), (15, 5, 20)])
def test_mmd_is_its_double_loop(m, n, d, rng):
    x, y = rng.normal(size=(m, d)), rng.normal(size=(n, d)) + 0.5
    assert mmd2(generated=x, reference=y, bandwidth=1.7) == pytest.approx(slow_mmd2(x, y, 1.7), rel=1e-10)


def test_mmd_in_blocks_is_mmd_at_once(rng, monkeypatch):
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(40, 3))
    whole = mmd2(generated=x, reference=y, bandwidth=1.0)
    monkeypatch.setattr("collapse_guard.indicators.distance.kernels._ROWS", 16)
    assert mmd2(generated=x, reference=y, bandwidth=1.0) == pytest.approx(whole, rel=1e-12)


def test_mmd_of_samples_of_one_distribution_has_no_offset_as_torchdrift_has(rng):
    """Keeping the diagonal adds 1/(m - 1) + 1/(n - 1) = 0.04 here; without it the expectation is 0."""
    values = [
        mmd2(generated=rng.normal(size=(50, 2)), reference=rng.normal(size=(50, 2)), bandwidth=1.0) for _ in range(300)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(300) < 0.004
    assert min(values) < 0


def test_a_large_mean_costs_mmd_no_digits(rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    near, far = (mmd2(generated=x + at, reference=y + at, bandwidth=1.0) for at in (0.0, 1e6))
    assert far == pytest.approx(near, rel=1e-7)


def test_the_p_value_is_never_zero_as_that_of_torchdrift_can_be(rng):
    far = mmd_test(generated=rng.normal(size=(30, 2)) + 50, reference=rng.normal(size=(30, 2)), permutations=99)
    assert far.p_value == 1 / 100
    assert mmd_test(generated=np.zeros((9, 1)), reference=np.zeros((9, 1)), permutations=19).p_value == 1.0


def test_the_p_value_counts_the_permutations_that_are_as_far_apart(rng):
    """For 4 and 4 rows the share of all 70 splits is known: many permutations come near it."""
    rows = np.concatenate([rng.normal(size=(4, 1)) + 1.5, rng.normal(size=(4, 1))])
    splits = [list(chosen) for chosen in itertools.combinations(range(8), 4)]
    values = [slow_mmd2(rows[chosen], np.delete(rows, chosen, axis=0), 1.0) for chosen in splits]
    exact = np.mean(np.array(values) >= values[0] - 1e-12)
    found = mmd_test(generated=rows[:4], reference=rows[4:], permutations=4000, bandwidth=1.0)
    assert found.mmd2 == pytest.approx(values[0], rel=1e-9)
    assert abs(found.p_value - exact) < 5 * math.sqrt(exact * (1 - exact) / 4000)
    assert 0.01 < exact < 0.9


def test_under_the_null_it_rejects_as_often_as_its_level_says(rng):
    p_values = [
        mmd_test(generated=both[:15], reference=both[15:], permutations=19, seed=seed).p_value
        for seed, both in enumerate(rng.normal(size=(400, 40, 2)))
    ]
    # Binomial(400, 0.1): standard deviation 6.
    assert 40 - 24 <= sum(p <= 0.1 for p in p_values) <= 40 + 24


@pytest.mark.parametrize("n", [3, 300])
def test_a_test_of_several_blocks_has_the_statistic_and_the_median_of_the_definition(n, rng):
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n + 1, 3)) + 0.2
    found = mmd_test(generated=x, reference=y, permutations=3)
    both = np.concatenate([x, y])
    distances = np.linalg.norm(both[:, None] - both, axis=2)[np.triu_indices(len(both), 1)]
    assert found.bandwidth == pytest.approx(np.sort(distances)[len(distances) // 2], rel=1e-6)
    assert found.mmd2 == pytest.approx(fast_mmd2(x, y, found.bandwidth), rel=1e-9)


def test_the_seed_is_an_argument_and_the_global_generators_are_left_alone(rng):
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, again = (mmd_test(generated=x, reference=y, seed=3) for _ in range(2))
    RandomFeatures(2, 1.0, seed=3)
    assert first == again
    assert len({mmd_test(generated=x, reference=y, seed=seed).p_value for seed in range(9)}) > 1
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())


def test_features_have_length_one_and_their_products_are_the_gaussian_kernel(rng):
    x = rng.normal(size=(40, 5))
    features = RandomFeatures(5, 2.0, n_features=4000)(x).numpy()
    kernel = np.array([[gaussian(a, b, 2.0) for b in x] for a in x])
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, rtol=1e-12)
    # The error of a pair has a standard deviation of at most sqrt(1 / (2 r)) = 0.011; 780 pairs.
    assert np.abs(features @ features.T - kernel).max() < 5 * math.sqrt(1 / 8000)


def test_features_are_frozen_by_their_seed_as_those_of_fkea_are_not(rng):
    x = rng.normal(size=(9, 3))
    first, again, other = (RandomFeatures(3, 1.0, seed=seed)(x) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_vendi_of_features_comes_near_that_of_the_kernel(rng):
    """Section 4: the eigenvalues of the d d matrix of features stand in for those of the n n kernel."""
    x = np.concatenate([rng.normal(size=(30, 2)) + at for at in ([0, 0], [40, 0], [0, 40])])
    kernel = np.array([[gaussian(a, b, 5.0) for b in x] for a in x])
    values = np.linalg.eigvalsh(kernel / len(x))
    exact = math.exp(-sum(v * math.log(v) for v in values if v > 1e-12))
    assert vendi(RandomFeatures(2, 5.0, n_features=2000)(x)) == pytest.approx(exact, rel=0.05)
    assert 3.0 < exact < 5.0


def test_mmd_of_features_is_the_double_loop_with_their_kernel(rng):
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(11, 3)) + 1
    features = RandomFeatures(3, 1.5, n_features=32, seed=4)
    directions = np.random.default_rng(4).normal(size=(32, 3)) / 1.5
    expected = slow_mmd2(x, y, None, kernel=lambda a, b, _: np.cos(directions @ (a - b)).mean())
    assert feature_mmd2(generated=x, reference=y, features=features) == pytest.approx(expected, rel=1e-9)
    metric = Mmd(y, bandwidth=1.5, n_features=32, seed=4)
    for part in np.array_split(x, 3):
        metric.update(torch.from_numpy(part))
    assert metric.compute().item() == pytest.approx(expected, rel=1e-9)


def test_fewer_than_two_rows_and_numbers_that_are_not_finite_are_no_number():
    two, one, poisoned = np.zeros((2, 1)), np.zeros((1, 1)), [[0.0], [math.nan]]
    features = RandomFeatures(1, 1.0)
    for x, y in ((one, two), (two, one), (poisoned, two), (two, poisoned), (np.zeros((0, 1)), two)):
        assert math.isnan(feature_mmd2(generated=x, reference=y, features=features))
        found = mmd_test(generated=x, reference=y)
        assert math.isnan(found.mmd2)
        assert math.isnan(found.p_value)


def test_arguments_that_cannot_be_are_refused(monkeypatch):
    two = np.zeros((2, 1))
    for width in (0.0, -1.0, math.nan, math.inf):
        for call in (lambda w: mmd2(generated=two, reference=two, bandwidth=w), lambda w: RandomFeatures(1, w)):
            with pytest.raises(InputError, match="`bandwidth` must be a finite number above 0, but got"):
                call(width)
    with pytest.raises(InputError, match="`n_features` must be a whole number of at least 1, but got 0"):
        RandomFeatures(1, 1.0, n_features=0)
    with pytest.raises(InputError, match="`permutations` must be a whole number of at least 1, but got 0"):
        mmd_test(generated=two, reference=two, permutations=0)
    with pytest.raises(InputError, match=r"`reference` must have the shape \(n, 1\)"):
        mmd2(generated=two, reference=np.zeros((2, 3)), bandwidth=1.0)
    with pytest.raises(InputError, match=r"at most 20,000 rows together, but got 20,002"):
        mmd_test(generated=np.zeros((20_000, 1)), reference=two)
