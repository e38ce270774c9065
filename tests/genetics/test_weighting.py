"""Weights of real items: published values, a search for the best weight, and simulated chains of estimates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.weighting import optimal_real_weight

COUNTS = st.floats(1.0, 1e6)


def lasting_variance(weight, *, real, synthetic, origin="fresh"):
    """Of the estimated mean, by the recursion at the top of `weighting` solved for its fixed point."""
    passed_on = (1 - weight) ** 2 / synthetic / (weight * (2 - weight))
    return passed_on + (1 / real if origin == "archive" else weight / (real * (2 - weight)))


@pytest.mark.parametrize(
    ("ratio", "weight"),
    [(1, 0.618034), (0.5, 0.5), (1 / 9, 0.282376), (0.25, 0.390388), (2, 0.732051), (9, 0.908327), (0.1, 0.270156)],
)
def test_weights_of_science_md_6_2(ratio, weight):
    assert optimal_real_weight(ratio) == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize(
    ("weight", "origin", "variance"),
    [
        (0.1, "fresh", 0.005263),
        (0.1, "archive", 0.014737),
        (0.282376, "fresh", 0.002824),
        (0.282376, "archive", 0.011180),
    ],
)
def test_variances_of_science_md_6_2(weight, origin, variance):
    assert lasting_variance(weight, real=100, synthetic=900, origin=origin) == pytest.approx(variance, abs=1e-6)


@pytest.mark.parametrize("origin", ["fresh", "archive"])
@pytest.mark.parametrize("weight", [0.2, 0.6])
def test_simulated_chains_of_estimates_have_the_variance(origin, weight):
    """60 generations forget their start to (1 - w)^120; five standard errors of a variance of normal numbers."""
    real, synthetic, lineages = 5, 9, 40_000
    rng = np.random.default_rng(17)
    estimate, archive = np.zeros(lineages), rng.normal(size=lineages) / np.sqrt(real)
    for _ in range(60):
        seen = archive if origin == "archive" else rng.normal(size=lineages) / np.sqrt(real)
        written = estimate + rng.normal(size=lineages) / np.sqrt(synthetic)
        estimate = weight * seen + (1 - weight) * written
    expected = float(lasting_variance(weight, real=real, synthetic=synthetic, origin=origin))
    assert estimate.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / lineages))


@given(real=COUNTS, synthetic=COUNTS)
def test_at_the_best_weight_the_variance_is_the_weight_over_the_real_items(real, synthetic):
    weight = optimal_real_weight(real / synthetic)
    best = float(lasting_variance(weight, real=real, synthetic=synthetic))
    assert best == pytest.approx(weight / real, rel=1e-6)
    others = lasting_variance(np.linspace(0.001, 1.0, 200), real=real, synthetic=synthetic)
    assert best <= others.min() * (1 + 1e-9)


@given(ratio=st.floats(1e-300, 1e300))
def test_the_weight_solves_its_equation_and_exceeds_the_share(ratio):
    """w^2 = r (1 - w), from the derivative; in a form that has no differences for large r."""
    weight = optimal_real_weight(ratio)
    assert 0.0 < weight <= 1.0
    assert weight >= ratio / (1 + ratio) * (1 - 1e-15)
    if ratio < 1e6:
        assert weight**2 == pytest.approx(ratio * (1 - weight), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimal_real_weight(0), "`ratio` must be a finite number above 0, but got 0"),
        (lambda: optimal_real_weight(np.inf), "`ratio` must be a finite number above 0, but got inf"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
