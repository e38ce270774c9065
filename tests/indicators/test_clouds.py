"""Clouds: SciPy's t distribution, the definition by loops, closed forms, and what must not change the losses."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import multivariate_t, ortho_group

from collapse_guard.errors import InputError
from collapse_guard.indicators.reverse.axes import MOST_AXES, MainAxes
from collapse_guard.indicators.reverse.clouds import FREEDOM, cloud_losses

worlds = given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 2**16))


def vectors(n, d, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(7, d))


def losses(samples, rows, narrowest=0.01):
    return cloud_losses(samples=samples, rows=rows, narrowest=narrowest)


def slow(samples, rows, narrowest):
    """One cloud after the other."""
    n, d = len(samples), len(samples[0])
    found = []
    for y in rows:
        density = 0.0
        for i, x in enumerate(samples):
            others = sorted(math.dist(x, other) for j, other in enumerate(samples) if j != i)
            nearest = [max(distance, narrowest) for distance in others[: max(1, 6 // d)]]
            squared = 3.0 / d * math.prod(nearest) ** (2 / len(nearest))
            peak = math.gamma((3 + d) / 2) / (math.gamma(1.5) * (3.0 * math.pi * squared) ** (d / 2))
            density += peak * (1.0 + math.dist(x, y) ** 2 / (3.0 * squared)) ** (-(3 + d) / 2) / n
        found.append(-math.log(density))
    return found


@settings(max_examples=25)
@worlds
def test_losses_are_those_of_the_definition(n, d, seed):
    samples, rows = vectors(n, d, seed)
    assert losses(samples, rows) == pytest.approx(slow(samples.tolist(), rows.tolist(), 0.01), rel=1e-9, abs=1e-9)


def test_the_density_is_the_mean_of_the_t_distributions_of_scipy():
    samples, rows = vectors(6, 3, 0)
    apart = np.sort(np.linalg.norm(samples[:, None] - samples, axis=2))
    shapes = [np.eye(3) * first * second for _, first, second, *_ in apart]
    clouds = [multivariate_t(x, shape, df=FREEDOM).pdf(rows) for x, shape in zip(samples, shapes, strict=True)]
    assert losses(samples, rows) == pytest.approx(-np.log(np.mean(clouds, axis=0)), rel=1e-9)


def test_halfway_between_two_samples_there_is_a_closed_form():
    # The width is 2 sqrt(3); of 3 degrees of freedom, the t density at x is 2 / (pi sqrt 3) (1 + x^2 / 3)^-2.
    density = 2.0 / (math.pi * math.sqrt(3.0)) * (1.0 + 1.0 / 36.0) ** -2 / math.sqrt(12.0)
    assert losses([[-1.0], [1.0]], [[0.0]]) == pytest.approx([-math.log(density)], rel=1e-12)


@pytest.mark.parametrize("samples", [[[0.0], [1.0], [5.0]], [[2.0], [2.0], [2.0]]])
def test_the_density_has_an_integral_of_one(samples):
    def density(y):
        return math.exp(-losses(samples, [[y]], narrowest=0.5)[0])

    assert quad(density, -np.inf, np.inf, limit=200)[0] == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=25)
@worlds
def test_moving_turning_and_the_order_change_nothing_and_stretching_adds_its_logarithm(n, d, seed):
    samples, rows = vectors(n, d, seed)
    turn = ortho_group.rvs(d, random_state=seed) if d > 1 else np.array([[-1.0]])
    before = losses(samples, rows)
    assert losses(samples[::-1] @ turn + 3.0, rows @ turn + 3.0) == pytest.approx(before, rel=1e-8, abs=1e-8)
    wider = losses(1e6 * samples, 1e6 * rows, narrowest=1e4)
    assert wider == pytest.approx(before + d * math.log(1e6), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("change", [1e-3, 0.3, 3.0, 1e29], ids="{:g} times as wide".format)
def test_samples_that_are_too_narrow_or_too_wide_teach_less(change):
    rng = np.random.default_rng(0)
    real, rows = rng.normal(size=(200, 3)), rng.normal(size=(300, 3))
    assert losses(change * real, rows).mean() > losses(real, rows).mean() + 0.2
    assert np.isfinite(losses(change * real, rows)).all()


def test_copies_teach_nothing_more():
    rng = np.random.default_rng(0)
    real, rows = rng.normal(size=(50, 2)), rng.normal(size=(300, 2))
    assert losses(np.tile(real, (4, 1)), rows).mean() > losses(real, rows).mean()


@pytest.mark.parametrize(
    ("samples", "rows", "narrowest", "what"),
    [
        ([[1.0]], [[1.0]], 0.1, "`samples` must be at least 2, but got 1"),
        ([[1.0], [2.0]], [[1.0, 2.0]], 0.1, "`rows` must have the shape"),
        ([[1.0], [2.0]], [[1.0]], 0.0, "`narrowest`"),
    ],
)
def test_what_cannot_be_says_so(samples, rows, narrowest, what):
    with pytest.raises(InputError, match=what):
        losses(samples, rows, narrowest)


@pytest.mark.parametrize("d", [1, MOST_AXES])
def test_few_columns_stay_as_they_are(d):
    real = np.random.default_rng(0).normal(size=(100, d))
    np.testing.assert_array_equal(MainAxes.of(real)(real), real)


@pytest.mark.parametrize("d", [MOST_AXES + 1, 60])
def test_of_many_columns_the_main_axes_stay_and_the_distance_from_them(d):
    real = np.random.default_rng(0).normal(size=(100, d)) * np.linspace(5.0, 0.1, d) + 7.0
    axes, other = MainAxes.of(real), 100.0 * np.random.default_rng(1).normal(size=(30, d))
    assert axes(real).shape == (100, MOST_AXES + 1)
    np.testing.assert_allclose(np.linalg.norm(axes(other), axis=1), np.linalg.norm(other - real.mean(axis=0), axis=1))
    _, sizes, _ = np.linalg.svd(real - real.mean(axis=0))
    assert (axes(real)[:, :-1] ** 2).sum() == pytest.approx((sizes[:MOST_AXES] ** 2).sum(), rel=0.01)
