"""Columns of different units are measured in standard deviations of real data; columns of one unit stay as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.wildtype import WildType

UNITS = np.array([1.0, 1e4, 1e-3, 50.0])


def table(n: int = 200) -> np.ndarray:
    """Rows of a table: columns of very different units."""
    return np.random.default_rng(3).normal(5.0, 1.0, size=(n, 4)) * UNITS


def images(n: int = 200) -> np.ndarray:
    """Pixels from 0 to 255: a corner that is always dark, an edge that is lit in one of a hundred, and the rest."""
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, size=(n, 16)).astype(float)
    pixels[:, 0] = 0.0
    pixels[:, 1:5] = np.where(rng.random((n, 4)) < 0.01, 1.0, 0.0)
    return pixels


def test_columns_of_different_units_have_a_deviation_of_one() -> None:
    wild_type = WildType.fit_arrays(table())
    measured = wild_type.measured(wild_type.pool_vectors)
    np.testing.assert_allclose(measured.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(measured.std(axis=0), 1.0)
    assert np.array_equal(wild_type.geometry.reference, measured)
    assert wild_type.pool_vectors.mean() > 100.0


@pytest.mark.parametrize("rows", [table() / UNITS, table() / UNITS * [1, 9, 1, 25], images(), table()[:, :1]])
def test_columns_of_one_unit_stay_as_they_are(rows: np.ndarray) -> None:
    wild_type = WildType.fit_arrays(rows)
    assert np.array_equal(wild_type.measured(wild_type.pool_vectors), wild_type.pool_vectors)


def test_whoever_knows_better_says_so() -> None:
    rows = table()
    raw, scaled = (WildType.fit_arrays(rows, standardize=choice) for choice in (False, True))
    assert np.array_equal(raw.geometry.reference, raw.pool_vectors)
    assert scaled.fingerprint == WildType.fit_arrays(rows).fingerprint != raw.fingerprint
    images_in_deviations = WildType.fit_arrays(images(), standardize=True)
    varying = np.delete(images_in_deviations.geometry.reference, images_in_deviations.constant_columns, axis=1)
    np.testing.assert_allclose(varying.std(axis=0), 1.0)


@pytest.mark.parametrize("rows", [table(), images()])
def test_the_scale_is_stored(rows: np.ndarray, tmp_path: Path) -> None:
    wild_type = WildType.fit_arrays(rows)
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    assert loaded.fingerprint == wild_type.fingerprint
    assert np.array_equal(loaded.measured(rows), wild_type.measured(rows))


def test_a_wild_type_that_was_stored_before_is_read_with_its_fingerprint(tmp_path: Path) -> None:
    wild_type = WildType.fit_arrays(images())
    manifest = wild_type.save(tmp_path / "wild-type") / "wild-type.json"
    body = json.loads(manifest.read_text())
    del body["settings"]["standardized"]
    manifest.write_text(json.dumps(body))
    assert WildType.load(manifest.parent).fingerprint == wild_type.fingerprint


def test_constant_columns_are_named() -> None:
    rows = table()
    rows[:, [1, 3]] = [0.1, -7.0]
    wild_type = WildType.fit_arrays(rows)
    assert wild_type.constant_columns == (1, 3)
    assert "2 of 4 columns constant: 1, 3" in repr(wild_type)
    assert np.array_equal(wild_type.measured(rows)[:, [1, 3]], np.zeros((200, 2)))
    assert WildType.fit_arrays(table()).constant_columns == ()
    many = WildType.fit_arrays(np.concatenate([table(), np.zeros((200, 30))], axis=1))
    assert "30 of 34 columns constant: 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, …" in repr(many)
