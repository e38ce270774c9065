"""Precision, recall, density, coverage: section 4 of science.md, the double loop, and simulated expectations."""

import inspect
import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from collapse_guard.errors import InputError
from collapse_guard.indicators import neighbours
from collapse_guard.indicators.distance.fidelity import Coverage, Density, Precision, Recall
from collapse_guard.indicators.distance.manifold import Manifold, coverage, density, precision, recall

FOUR = (precision, recall, density, coverage)


def scores(reference, generated, k=5):
    return tuple(function(reference=reference, generated=generated, k=k) for function in FOUR)


def slow_radii(x, k):
    return np.array([sorted(math.dist(a, b) for j, b in enumerate(x) if j != i)[k - 1] for i, a in enumerate(x)])


def slow_scores(x, y, k):
    """Balls are closed for what is equal to their centre, and open at their border."""

    def within(a, b, radius):
        return math.dist(a, b) < radius * (1 - 1e-12) or math.dist(a, b) == 0

    x_radii, y_radii = slow_radii(x, k), slow_radii(y, k)
    inside = np.array([[within(a, b, radius) for a, radius in zip(x, x_radii, strict=True)] for b in y])
    recalled = np.array([[within(a, b, radius) for b, radius in zip(y, y_radii, strict=True)] for a in x])
    return inside.any(axis=1).mean(), recalled.any(axis=1).mean(), inside.sum() / k / len(y), inside.any(axis=0).mean()


@settings(max_examples=60)
@given(st.integers(7, 30), st.integers(7, 30), st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**16))
def test_all_four_are_their_double_loop(n, m, k, d, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), 1.3 * rng.normal(size=(m, d))
    assert scores(x, y, k) == pytest.approx(slow_scores(x, y, k), abs=1e-12)


@settings(max_examples=60)
@given(st.integers(7, 30), st.integers(7, 30), st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**16))
def test_all_four_are_their_double_loop_on_a_lattice_of_ties_and_duplicates(n, m, k, d, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 3, size=(n, d)).astype(float), rng.integers(0, 3, size=(m, d)).astype(float)
    assert scores(x, y, k) == pytest.approx(slow_scores(x, y, k), abs=1e-12)


def test_identical_sets_have_scores_of_one_and_a_density_of_exactly_one(rng):
    for n, d, k in ((20, 2, 5), (300, 40, 5), (50, 3, 7)):
        x = rng.normal(size=(n, d))
        assert scores(x, x.copy(), k) == (1.0, 1.0, pytest.approx(1.0, abs=1e-12), 1.0)


def test_duplicates_are_covered_where_the_strict_comparison_of_prdc_covers_nothing():
    """More than k equal reference vectors have radii of 0."""
    for d in (1, 3, 100):
        x = np.repeat(np.random.default_rng(d).normal(size=(2, d)), 10, axis=0)
        assert scores(x, x)[:2] == (1.0, 1.0)
        assert coverage(reference=x, generated=x) == 1.0
        assert coverage(reference=x, generated=x[:10]) == 0.5
        assert precision(reference=x, generated=x + 1e-3) == 0.0


def test_a_swap_is_an_error_and_not_another_number(rng):
    """Swapped sets silently turn precision into recall."""
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)) / 4
    for function in FOUR:
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert kinds == {inspect.Parameter.KEYWORD_ONLY}
        with pytest.raises(TypeError, match="positional"):
            function(x, y)
    assert (
        precision(reference=x, generated=y) == recall(reference=y, generated=x) != precision(reference=y, generated=x)
    )


def test_narrow_samples_are_precise_and_lose_recall_and_wide_ones_the_reverse(rng):
    x = rng.normal(size=(300, 3))
    narrow, wide = Manifold(x).scores(rng.normal(size=(300, 3)) / 5), Manifold(x).scores(rng.normal(size=(300, 3)) * 5)
    assert narrow.precision == 1.0
    assert wide.density < 0.3 < 0.7 < narrow.density
    assert max(narrow.recall, narrow.coverage) < 0.3
    assert wide.precision < 0.3 < 0.9 < wide.recall


def test_expectations_of_density_and_coverage_for_samples_of_one_distribution(rng):
    """Section 4: E density = 1, and E coverage = 1 - prod_i (N - i) / (M + N - i)."""
    n, m, k, runs = 60, 40, 5, 400
    found = [Manifold(rng.normal(size=(n, 2)), k=k).scores(rng.normal(size=(m, 2))) for _ in range(runs)]
    expected = 1 - math.prod((n - i) / (m + n - i) for i in range(1, k + 1))
    for values, expectation in (([s.density for s in found], 1.0), ([s.coverage for s in found], expected)):
        error = np.std(values) / math.sqrt(runs)
        assert abs(np.mean(values) - expectation) < 4 * error < 0.05


@pytest.mark.slow
def test_normal_vectors_of_1000_dimensions_are_as_the_dense_matrices_of_scipy_say(rng):
    """Section 4 has the values of one draw of 10,000: .4772, .4705, 1.0555, .9735; most depend on n."""
    x, y = rng.normal(size=(2, 1000, 1000))
    radii = [np.partition(cdist(part, part), 5, axis=1)[:, 5] for part in (x, y)]
    distances = cdist(x, y)
    inside = distances < radii[0][:, None]
    found = Manifold(x).scores(y)
    expected = inside.any(axis=0).mean(), (distances < radii[1]).any(axis=1).mean(), inside.sum() / 5000
    assert found == pytest.approx((*expected, inside.any(axis=1).mean()), abs=1e-12)
    assert found.coverage == pytest.approx(0.968984, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3, 64, 500])
@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("tile", [15, 300, 1024])
def test_radii_are_those_of_scipy_distances(d, k, tile, rng, monkeypatch):
    monkeypatch.setattr(neighbours, "TILE", tile)
    x = rng.normal(size=(700, d)) * 7 + 30
    expected = np.partition(cdist(x, x), k, axis=1)[:, k]
    np.testing.assert_allclose(neighbours.neighbour_radii(x, k), expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "tile"), [(1, 1), (1000, 7), (2**22, 50), (2**22, 1024)])
def test_the_size_of_blocks_and_tiles_has_no_say(pairs, tile, rng, monkeypatch):
    x, y = rng.normal(size=(120, 4)), rng.normal(size=(80, 4))
    expected = slow_scores(x, y, 5)
    monkeypatch.setattr(neighbours, "PAIRS_AT_ONCE", pairs)
    monkeypatch.setattr(neighbours, "TILE", tile)
    assert scores(x, y) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dense", [1, 10**9])
def test_float32_proposes_and_float64_decides_whichever_way_it_does(dense, rng, monkeypatch):
    """Pairs that differ in the tenth digit only: float32 alone cannot tell them apart."""
    x = np.linspace(0, 1, 40)[:, None] ** 1.5 + 1e-10 * rng.normal(size=(40, 1))
    y = x + 1e-9 * rng.normal(size=(40, 1))
    expected = slow_scores(x, y, 3)
    monkeypatch.setattr(neighbours, "DENSE", dense)
    assert scores(x, y, 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("unit", [1e-150, 1e-30, 1e25, 1e150])
@pytest.mark.parametrize("mean", [0.0, 1e5])
def test_neither_unit_nor_mean_have_a_say(unit, mean, rng):
    x, y = rng.normal(size=(100, 20)), rng.normal(size=(90, 20))
    assert scores(unit * (x + mean), unit * (y + mean)) == scores(x, y)


def test_one_far_vector_does_not_blind_the_search(rng):
    x, y = rng.normal(size=(100, 3)), rng.normal(size=(90, 3))
    for far in (1e10, 1e30):
        y[0] = far
        assert scores(x, y) == pytest.approx(slow_scores(x, y, 5), abs=1e-12)
        assert scores(y, x) == pytest.approx(slow_scores(y, x, 5), abs=1e-12)


def test_sets_of_units_so_different_that_float32_overflows_are_compared_all_the_same(rng):
    x, y = rng.normal(size=(40, 3)), 1e30 * rng.normal(size=(50, 3))
    expected = slow_scores(x, y, 5)
    assert scores(x, y) == pytest.approx(expected, abs=1e-12)
    assert Manifold(x).scores(y) == pytest.approx(expected, abs=1e-12)
    assert expected[1] == 1.0


def test_a_set_that_has_collapsed_to_one_vector_takes_no_memory_of_all_pairs():
    x = np.ones((4000, 8))
    tracemalloc.start()
    found = Manifold(x).scores(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == (1.0, 1.0, 4000 / 5, 1.0)
    assert peak < 4000 * 4000 * 4 / 4


def test_memory_is_far_below_that_of_a_matrix_of_all_pairs(rng):
    x, y = rng.normal(size=(6000, 4)), rng.normal(size=(6000, 4))
    tracemalloc.start()
    Manifold(x).scores(y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 4 / 2


def test_frozen_radii_are_used_as_they_are(rng):
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(30, 3))
    own, wide = Manifold(x), Manifold(x, radii=np.full(60, 1e3))
    assert Manifold(x, radii=slow_radii(x, 5)).scores(y) == own.scores(y)
    assert (wide.scores(y).precision, wide.scores(y).density, wide.scores(y).coverage) == (1.0, 12.0, 1.0)


@pytest.mark.parametrize("k", [0, 4, 9])
def test_as_many_neighbours_as_vectors_are_refused(k, rng):
    few, many = rng.normal(size=(4, 2)), rng.normal(size=(20, 2))
    for function in (precision, density, coverage):
        with pytest.raises(InputError, match=f"`k` must be from 1 to one less than .* but got {k} with 4"):
            function(reference=few, generated=many, k=k)
    with pytest.raises(InputError, match=f"`k` must be .* but got {k} with 4"):
        recall(reference=many, generated=few, k=k)
    if k:
        with pytest.raises(InputError, match=f"number of `generated` vectors, but got {k} with 4"):
            Manifold(many, k=k).scores(few)


def test_without_samples_or_with_a_number_that_is_not_finite_there_is_no_number(rng):
    x = rng.normal(size=(20, 2))
    poisoned = x.copy()
    poisoned[3, 1] = math.nan
    for y in (np.zeros((0, 2)), poisoned):
        assert all(map(math.isnan, scores(x, y)))
    assert all(map(math.isnan, Manifold(x).scores(poisoned)))
    for metric in (Precision(x), Recall(x), Density(x), Coverage(x)):
        metric.update(torch.from_numpy(x))
        assert math.isfinite(metric.compute())
        metric.update(torch.from_numpy(poisoned))
        assert math.isnan(metric.compute())


def test_references_that_cannot_be_are_refused(rng):
    x = rng.normal(size=(20, 2))
    with pytest.raises(InputError, match="`reference` must be finite"):
        Manifold(np.full((20, 2), math.inf))
    for radii in (np.ones(3), -np.ones(20), np.full(20, math.nan)):
        with pytest.raises(InputError, match="`radii` must be 20 finite numbers of at least 0"):
            Manifold(x, radii=radii)
    with pytest.raises(InputError, match=r"`generated` must have the shape \(n, 2\)"):
        Manifold(x).scores(np.zeros((9, 3)))


def test_metrics_of_different_references_do_not_share_their_counts(rng):
    names = [set(Precision(rng.normal(size=(20, 2))).metric_state) for _ in range(2)]
    assert not names[0] & names[1]


def test_recall_says_how_many_vectors_it_keeps(rng):
    metric = Recall(rng.normal(size=(20, 2)))
    metric.update(torch.zeros(100_000, 2))
    with pytest.raises(InputError, match="at most 100,000 rows over all updates, but got 100,001: measure"):
        metric.update(torch.zeros(1, 2))
    with pytest.raises(InputError, match="`k` must be a whole number of at least 1"):
        Recall(rng.normal(size=(20, 2)), k=0)
