"""The frozen geometry: its definitions, its determinism, and that it is the pool's."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.geometry import LARGEST_REFERENCE, NEIGHBOURS, Geometry

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


def blobs(n: int, d: int = 3, kinds: int = 8, seed: int = 0) -> np.ndarray:
    """Far and narrow clusters."""
    rng = np.random.default_rng(seed)
    return 100.0 * rng.normal(size=(kinds, d))[rng.integers(0, kinds, n)] + rng.normal(size=(n, d))


def lengths(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


def test_radii_are_the_distances_to_the_fifth_neighbour_of_scikit_learn() -> None:
    x = blobs(200)
    expected = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(x).kneighbors(x)[0][:, -1]
    np.testing.assert_allclose(Geometry.fit(x).radii, expected, rtol=1e-12)
    assert NEIGHBOURS == 5


def test_six_equal_vectors_have_a_radius_of_exactly_zero_and_five_have_not() -> None:
    x = np.concatenate([np.full((6, 3), 0.1), blobs(30)])
    geometry = Geometry.fit(x)
    assert (geometry.radii[:6] == 0.0).all()
    assert (geometry.radii[6:] > 0.0).all()
    assert (Geometry.fit(x[1:]).radii > 0.0).all()


@pytest.mark.parametrize(("n", "wanted", "found"), [(6, 64, 2), (16, 64, 2), (80, 64, 10), (80, 4, 4), (800, 64, 64)])
def test_the_number_of_clusters_follows_the_number_of_vectors(n: int, wanted: int, found: int) -> None:
    geometry = Geometry.fit(np.random.default_rng(1).normal(size=(n, 2)), n_clusters=wanted)
    assert geometry.codebook.shape == (found, 2)
    assert geometry.histogram.sum() == n
    assert (geometry.histogram > 0).all()


def test_centres_of_far_clusters_are_their_means() -> None:
    x = blobs(400, kinds=8)
    geometry = Geometry.fit(x, n_clusters=8)
    labels = cdist(x, geometry.codebook).argmin(axis=1)
    assert np.array_equal(geometry.assign(x), labels)
    assert np.array_equal(geometry.histogram, np.bincount(labels, minlength=8))
    means = np.stack([x[labels == label].mean(axis=0) for label in range(8)])
    np.testing.assert_allclose(geometry.codebook, means, atol=1e-9)
    assert cdist(x, geometry.codebook).min(axis=1).max() < 10


def test_assigning_many_vectors_is_assigning_each_alone() -> None:
    geometry = Geometry.fit(blobs(100))
    x = blobs(9000, seed=5)
    assert np.array_equal(geometry.assign(x), cdist(x, geometry.codebook).argmin(axis=1))
    assert geometry.assign(np.zeros((0, 3))).shape == (0,)
    with pytest.raises(InputError, match=r"`vectors` must be m by 3, but got shape \(2, 4\)"):
        geometry.assign(np.zeros((2, 4)))


def test_mean_covariance_and_bandwidth_are_those_of_the_reference() -> None:
    x = blobs(50)
    geometry = Geometry.fit(x)
    np.testing.assert_allclose(geometry.mean, x.mean(axis=0))
    np.testing.assert_allclose(geometry.covariance, np.cov(x.T))
    assert geometry.bandwidth == pytest.approx(np.median(cdist(x, x)[np.triu_indices(50, 1)]))
    assert Geometry.fit(x[:, :1]).covariance.shape == (1, 1)


def test_where_most_vectors_are_equal_the_bandwidth_is_the_mean_distance_and_for_all_equal_ones_it_is_one() -> None:
    mostly = np.zeros((20, 2))
    mostly[0] = [3.0, 4.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few, same = Geometry.fit(mostly), Geometry.fit(np.ones((20, 2)))
    assert few.bandwidth == pytest.approx(5.0 * 19 / 190)
    assert (same.bandwidth, same.codebook.tolist(), same.histogram.tolist()) == (1.0, [[1.0, 1.0]], [20])
    assert len(few.codebook) == 2


def test_it_keeps_the_first_2048_vectors_as_they_are_and_cannot_be_changed() -> None:
    x = blobs(LARGEST_REFERENCE + 10, d=2)
    geometry = Geometry.fit(x)
    assert np.array_equal(geometry.reference, x[:2048])
    x[:] = 0.0
    assert geometry.reference.any()
    for array in (geometry.reference, geometry.radii, geometry.codebook, geometry.histogram, geometry.mean):
        assert not array.flags.writeable


def test_the_seed_is_of_the_clusters_alone() -> None:
    x = np.random.default_rng(2).normal(size=(300, 4))
    first, again, other = Geometry.fit(x, seed=0), Geometry.fit(x, seed=0), Geometry.fit(x, seed=1)
    assert np.array_equal(first.codebook, again.codebook)
    assert not np.array_equal(first.codebook, other.codebook)
    assert np.array_equal(first.radii, other.radii)


@pytest.mark.slow
def test_the_number_of_threads_and_the_global_generator_have_no_say(tmp_path: Path) -> None:
    x = np.random.default_rng(3).normal(size=(2048, 16))
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, hashlib; import numpy as np; from collapse_guard.wildtype.geometry import Geometry;"
        "g = Geometry.fit(np.load(sys.argv[1])); print(hashlib.md5(g.codebook.tobytes()).hexdigest())"
    )
    found = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", code, str(tmp_path / "x.npy")]
        found.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((5, 2)), r"`vectors` must be at least 6 rows of d numbers, but got shape \(5, 2\)"),
        (np.zeros(9), r"but got shape \(9,\)"),
        (np.zeros((9, 0)), r"but got shape \(9, 0\)"),
        (np.full((9, 2), np.nan), "`vectors` must be finite"),
    ],
    ids=["few", "1-d", "no numbers", "NaN"],
)
def test_vectors_that_make_no_geometry_are_refused(x: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Geometry.fit(x)


def test_the_geometry_of_texts_is_that_of_the_pool_in_its_order(wild_type: WildType) -> None:
    expected = wild_type.embed(wild_type.pool.texts)
    assert np.array_equal(wild_type.geometry.reference, expected)
    assert len(wild_type.geometry.codebook) == 170 // 8


def test_the_geometry_of_vectors_is_that_of_the_pool(tmp_path: Path) -> None:
    wild_type = WildType.fit_arrays(blobs(100), n_clusters=3)
    assert np.array_equal(wild_type.geometry.reference, wild_type.pool_vectors)
    assert len(wild_type.geometry.codebook) == 3
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    assert loaded.settings == wild_type.settings
    assert np.array_equal(loaded.geometry.codebook, wild_type.geometry.codebook)
    assert WildType.fit_arrays(blobs(100), n_clusters=4).fingerprint != wild_type.fingerprint


def test_twenty_documents_are_enough(corpus: Corpus) -> None:
    geometry = WildType.fit(corpus(20)).geometry
    assert (len(geometry.reference), len(geometry.codebook)) == (16, 2)


def test_without_its_custom_embedder_a_geometry_is_still_there(corpus: Corpus, tmp_path: Path) -> None:
    wild_type = WildType.fit(corpus(60), embedder=lengths)
    path = wild_type.save(tmp_path / "wild-type")
    assert np.array_equal(wild_type.geometry.reference, lengths(wild_type.pool.texts))
    for loaded in (WildType.load(path), WildType.load(path, embedder=lengths)):
        for name, array in wild_type.geometry.arrays().items():
            assert np.array_equal(loaded.geometry.arrays()[name], array), name
        assert np.array_equal(loaded.geometry.assign([[90.0, 5.0]]), wild_type.geometry.assign([[90.0, 5.0]]))
        assert not loaded.geometry.reference.flags.writeable


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("radii", np.ones(3), "`radii` must be 170 numbers"),
        ("radii", -np.ones(170), "`radii` must be 170 numbers of at least 0"),
        ("codebook", np.ones((3, 2)), "`codebook` must be c by "),
        ("codebook", np.ones((0, 64)), "`codebook` must be c by "),
        ("bandwidth", np.zeros(1), "`bandwidth` must be one number above 0"),
        ("bandwidth", np.ones(2), "`bandwidth` must be one number above 0"),
        ("reference", np.full((170, 64), np.inf), "`reference` must be finite"),
        ("codebook", None, "must have `codebook`, but got bandwidth, radii, reference"),
    ],
)
def test_files_that_hold_no_geometry_are_refused(saved: Path, name: str, array: np.ndarray | None, said: str) -> None:
    file = saved / "geometry.safetensors"
    arrays = {**load_file(file), name: array}
    save_file({key: value for key, value in arrays.items() if value is not None}, file)
    with pytest.raises(WildTypeError, match=said):
        WildType.load(saved)


def test_distances_of_many_columns_are_exact_for_copies_and_near_ones() -> None:
    """Products lose the digits of a small difference; the slow definition has them."""
    x = np.random.default_rng(1).normal(size=(60, 2100)) + 50.0
    x[20:40] = x[:20] + 1e-6 * np.random.default_rng(2).normal(size=(20, 2100))
    x[40:46] = x[40]
    geometry, distances = Geometry.fit(x), cdist(x, x)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(geometry.radii, np.sort(distances, axis=1)[:, NEIGHBOURS - 1], rtol=1e-9, atol=0.0)
    assert (geometry.radii[40:46] == 0.0).all()
    assert geometry.bandwidth == pytest.approx(np.median(distances[np.triu_indices(60, 1)]), rel=1e-9)


def test_clusters_of_many_columns_are_those_of_the_same_points_in_few() -> None:
    rng = np.random.default_rng(3)
    few = rng.normal(size=(6, 8)).repeat(20, axis=0) * 5.0 + rng.normal(size=(120, 8))
    turned = np.linalg.qr(rng.normal(size=(2100, 8)))[0]
    there, here = (Geometry.fit(x, n_clusters=6, seed=0) for x in (few, few @ turned.T))
    np.testing.assert_allclose(np.sort(here.codebook @ turned, axis=0), np.sort(there.codebook, axis=0), rtol=1e-6)
