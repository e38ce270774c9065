"""Tabular vectors: no column hides what happens in another, and a constant one invents nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from collapse_guard import Evidence, Severity, WildType, assess
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.measurement.measure import measure, reference_readings
from collapse_guard.records import Assessment
from collapse_guard.wildtype.fitting import FEW_COLUMNS

UNITS = np.array([1e5, 1.0, 10.0, 0.01])
SIZE = 20


def rows(n: int, seed: int, *, spread: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)) -> np.ndarray:
    return (3.0 + np.random.default_rng(seed).normal(size=(n, 4)) * spread) * UNITS


def with_constants(values: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """One column of values, and twelve that are constant but for some noise."""
    columns = np.arange(12) - 3.0 + noise * np.random.default_rng(seed).normal(size=(len(values), 12))
    return np.concatenate([values, columns], axis=1)


def judged(wild_type: WildType, founder: np.ndarray, generation: np.ndarray) -> Assessment:
    history = [assess(wild_type, Evidence(samples=founder))]
    return assess(wild_type, Evidence(samples=generation), history=history)


@pytest.fixture(scope="module")
def wild_type() -> WildType:
    return WildType.fit_arrays(rows(1000, 0), group_samples=SIZE)


@pytest.mark.parametrize("column", range(4))
def test_a_loss_of_variety_is_seen_in_every_column_whatever_its_unit(wild_type: WildType, column: int) -> None:
    spread = tuple(0.02 if i == column else 1.0 for i in range(4))
    assert judged(wild_type, rows(600, 1), rows(600, 2)).verdict.severity is not Severity.COLLAPSED
    lost = judged(wild_type, rows(600, 1), rows(600, 3, spread=spread))
    found = {c.indicator: c.effect for c in lost.comparisons if c.baseline == "founder"}
    assert lost.verdict.severity is Severity.COLLAPSED
    assert found["total_variance"] < -0.2
    assert found["effective_rank"] < -0.15


def test_real_rows_are_as_far_from_the_wild_type_as_its_own(wild_type: WildType) -> None:
    own, others = reference_readings(wild_type, sample_tokens=None), measure(wild_type, Evidence(samples=rows(600, 1)))
    assert others["coverage"].value == pytest.approx(own["coverage"].value, abs=0.1)
    assert others["total_variance"].value == pytest.approx(4.0, rel=0.1)


def test_what_was_lost_is_looked_for_in_every_column(wild_type: WildType) -> None:
    samples = rows(1500, 5)
    low = samples[samples[:, 3] < 3.0 * UNITS[3]]
    lost = what_was_lost(wild_type, low)
    of_documents = [int(item.what[4:]) for item in lost if item.kind == "document"]
    assert of_documents
    assert (wild_type.evaluation_vectors[of_documents, 3] > 3.0 * UNITS[3]).all()


def test_noise_in_constant_columns_is_no_variety() -> None:
    """The founder's model leaves noise where real data are constant, and a later one does not: nothing was lost."""
    first = rows(600, 1)[:, :1] / UNITS[0]
    wild_type = WildType.fit_arrays(with_constants(rows(1000, 0)[:, :1] / UNITS[0]), group_samples=SIZE)
    quiet = with_constants(rows(600, 2)[:, :1] / UNITS[0], noise=1e-4)
    result = judged(wild_type, with_constants(first, noise=0.01), quiet)
    assert result.verdict.severity is not Severity.COLLAPSED
    assert "only 0 varies in real data" in result.readings["effective_rank"].problem


@pytest.mark.slow
@pytest.mark.parametrize("standardize", [False, True])
def test_real_variety_is_seen_beside_constant_columns(standardize: bool) -> None:
    real, first, second = (with_constants(rows(n, seed) / UNITS) for n, seed in ((1000, 0), (600, 1), (600, 2)))
    wild_type = WildType.fit_arrays(real, group_samples=SIZE, standardize=standardize)
    assert judged(wild_type, first, second).verdict.severity is not Severity.COLLAPSED
    narrow = with_constants(rows(600, 3, spread=(0.02, 1.0, 1.0, 1.0)) / UNITS)
    assert judged(wild_type, first, narrow).verdict.severity is Severity.COLLAPSED


@pytest.mark.parametrize("standardize", [False, True])
def test_a_column_that_was_constant_and_now_varies_is_told(standardize: bool) -> None:
    wild_type = WildType.fit_arrays(with_constants(rows(1000, 0) / UNITS), group_samples=SIZE, standardize=standardize)
    samples = with_constants(rows(600, 1) / UNITS)
    as_real = measure(wild_type, Evidence(samples=samples))
    samples[:40, 7] += 5.0
    samples[:9, 8] += 5.0
    said = (
        r"^column 7 is constant in real data, but 40 of 600 samples have another value, and 1 more such columns vary: "
    )
    with pytest.warns(CollapseGuardWarning, match=said):
        readings = measure(wild_type, Evidence(samples=samples))
    assert readings["frechet"].value > 1.2 * as_real["frechet"].value
    assert readings["total_variance"].value == pytest.approx(as_real["total_variance"].value, rel=0.05)


def test_rounding_in_a_constant_column_is_not_told() -> None:
    wild_type = WildType.fit_arrays(with_constants(rows(1000, 0) / UNITS) + 0.1, group_samples=SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measure(wild_type, Evidence(samples=(with_constants(rows(600, 1) / UNITS) + 0.1).astype(np.float32)))


def test_a_pool_of_one_value_is_told_of_and_no_error() -> None:
    """Equal rows of many columns stay on one side, so all that differ may be for evaluation."""
    rng, n = np.random.default_rng(0), FEW_COLUMNS + 1
    real = np.where(rng.random((400, n)) < 0.1 / n, rng.normal(size=(400, n)), 0.0)
    wild_type = WildType.fit_arrays(real)
    assert len(wild_type.constant_columns) == n
    with pytest.warns(CollapseGuardWarning, match="is constant in real data, but"):
        measure(wild_type, Evidence(samples=real), only=("total_variance",))
