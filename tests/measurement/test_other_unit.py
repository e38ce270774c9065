"""Another unit is no collapse: samples that come back by one map are told, and clouds that shrank or grew are not."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from collapse_guard import Evidence, Policy, Severity, WildType, assess
from collapse_guard.measurement.other_unit import other_unit
from collapse_guard.records import Assessment, OtherUnit, ReasonKind

NAMES = ("age", "income", "children", "price", "member")


def people(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    age = rng.normal(45.0, 12.0, n)
    income = 800.0 * age + rng.normal(0.0, 6000.0, n)
    return np.column_stack([age, income, rng.poisson(1.5, n), np.exp(rng.normal(8.0, 0.6, n)), rng.random(n) < 0.3])


REAL, SAMPLES = people(600, 0), people(400, 1)
MEAN, DEVIATION = SAMPLES.mean(axis=0), SAMPLES.std(axis=0)


def with_column(j: int, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    rows = SAMPLES.copy()
    rows[:, j] = change(rows[:, j])
    return rows


def noise(seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SAMPLES.shape)


@pytest.fixture(scope="module")
def table() -> WildType:
    return WildType.fit_arrays(pd.DataFrame(REAL, columns=NAMES))


UNITS = {
    "months": (with_column(0, lambda x: 12.0 * x), "factor", ("`age`",), 12.0),
    "thousands": (with_column(1, lambda x: x / 1000.0), "factor", ("`income`",), 0.001),
    "percent": (with_column(4, lambda x: 100.0 * x), "factor", ("`member`",), 100.0),
    "logarithms": (with_column(3, np.log), "logarithm", ("`price`",), None),
    "decimal logarithms": (with_column(3, np.log10), "logarithm", ("`price`",), None),
    "all a thousandth": (SAMPLES / 1000.0, "factor", ("`age`", "`income`", "`children`"), 0.001),
    "standardised": ((SAMPLES - MEAN) / DEVIATION, "standardised", ("`age`", "`income`", "`children`"), None),
    "from 0 to 1": (
        (SAMPLES - SAMPLES.min(axis=0)) / np.ptp(SAMPLES, axis=0),
        "scaled",
        ("`age`", "`income`", "`children`"),
        None,
    ),
}


@pytest.mark.parametrize("unit", UNITS)
def test_healthy_samples_in_another_unit_are_told(table: WildType, unit: str) -> None:
    samples, way, columns, factor = UNITS[unit]
    found = other_unit(table, samples)
    assert found is not None
    assert (found.way, found.columns, found.is_told_apart) == (way, columns, True)
    if factor is not None:
        assert found.factors[0] == pytest.approx(factor, rel=0.05)


COLLAPSES = {
    "nothing": SAMPLES,
    "a cloud that shrank to a third": MEAN + (SAMPLES - MEAN) / 3.0,
    "a cloud that shrank to a tenth": MEAN + (SAMPLES - MEAN) / 10.0,
    "a cloud that shrank to a thousandth": MEAN + (SAMPLES - MEAN) / 1000.0,
    "a column that shrank": with_column(0, lambda x: x.mean() + (x - x.mean()) / 12.0),
    "a column of one value": with_column(2, lambda x: 0.0 * x + 2.0),
    "noise": SAMPLES + 10.0 * DEVIATION * noise(),
    "noise in a column": with_column(0, lambda x: x + 120.0 * noise()[:, 0]),
    "nothing but 0": 1e-3 * noise(),
    "positive numbers near 0": np.abs(0.1 * noise()),
    "one person": SAMPLES[0] + 0.05 * DEVIATION * noise(),
    "twice as large": 2.0 * SAMPLES,
    "twenty years older": SAMPLES + np.array([20.0, 0.0, 0.0, 0.0, 0.0]),
    "too few to tell": 12.0 * SAMPLES[:20],
}


@pytest.mark.parametrize("collapse", COLLAPSES)
def test_what_collapses_explodes_or_drifts_is_no_other_unit(table: WildType, collapse: str) -> None:
    assert other_unit(table, COLLAPSES[collapse]) is None


def images(n: int, seed: int, spread: float = 1.0) -> np.ndarray:
    fixed = np.random.default_rng(9)
    middle, patterns = fixed.uniform(0.2, 0.8, (1, 6, 6)), fixed.normal(size=(8, 6, 6))
    along = np.random.default_rng(seed).normal(size=(n, 8))
    return (middle + 0.04 * spread * np.tensordot(along, patterns, axes=1)).clip(0.0, 1.0)


SHOWN = images(200, 1)


@pytest.fixture(scope="module")
def pictures() -> WildType:
    return WildType.fit_arrays(images(300, 0))


@pytest.mark.parametrize(
    "samples",
    [255.0 * SHOWN, np.round(255.0 * SHOWN), 2.0 * SHOWN - 1.0, SHOWN / 127.5, (SHOWN - 0.485) / 0.229],
    ids=["0 to 255", "bytes", "-1 to 1", "divided twice", "normalised"],
)
def test_images_in_another_unit_are_told(pictures: WildType, samples: np.ndarray) -> None:
    found = other_unit(pictures, samples.reshape(200, -1))
    assert found is not None
    assert (found.n_columns, found.is_told_apart) == (36, True)


@pytest.mark.parametrize(
    "samples",
    [
        SHOWN,
        images(200, 2, spread=0.5),
        SHOWN.mean(axis=0) + 0.05 * (SHOWN - SHOWN.mean(axis=0)),
        SHOWN[0] + 0.01 * np.random.default_rng(3).normal(size=SHOWN.shape),
        SHOWN + np.random.default_rng(3).normal(size=SHOWN.shape),
        0.01 * np.random.default_rng(3).normal(size=SHOWN.shape),
        0.5 * SHOWN,
    ],
    ids=["real", "blurred", "near the mean image", "one image", "noise", "black", "darker"],
)
def test_images_that_collapse_are_in_their_unit(pictures: WildType, samples: np.ndarray) -> None:
    assert other_unit(pictures, samples.reshape(200, -1)) is None


def around_zero(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3))


@pytest.mark.parametrize("factor", [10.0, 0.1])
def test_a_cloud_around_0_and_a_unit_are_not_told_apart(factor: float) -> None:
    found = other_unit(WildType.fit_arrays(around_zero(400, 0)), factor * around_zero(300, 1))
    assert found is not None
    assert not found.is_told_apart
    assert found.factors[0] == pytest.approx(factor, rel=0.25)


def embeddings(n: int, seed: int) -> np.ndarray:
    """Around 0, and with columns that belong together."""
    axes = np.random.default_rng(7).normal(size=(4, 24))
    return np.random.default_rng(seed).normal(size=(n, 4)) @ axes


@pytest.mark.parametrize("is_noise", [False, True])
def test_what_grew_in_its_shape_is_another_unit_and_noise_is_none(is_noise: bool) -> None:
    samples = embeddings(300, 1)
    noisy = samples + 20.0 * samples.std(axis=0) * np.random.default_rng(2).normal(size=samples.shape)
    found = other_unit(WildType.fit_arrays(embeddings(400, 0)), noisy if is_noise else 20.0 * samples)
    assert found is None or not is_noise or not found.is_told_apart
    assert is_noise or (found is not None and found.is_told_apart)


def judged(wild_type: WildType, founder: Assessment, samples: object) -> Assessment:
    return assess(wild_type, Evidence(samples=samples), history=[founder])


def frame(rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=NAMES)


def test_the_verdict_says_the_unit_in_the_place_of_a_collapse(table: WildType) -> None:
    founder = assess(table, Evidence(samples=frame(SAMPLES)))
    months = judged(table, founder, frame(UNITS["months"][0]))
    reason = months.verdict.reasons[0]
    assert (months.verdict.severity, reason.kind) == (Severity.UNDECIDED, ReasonKind.IMPLAUSIBLE)
    assert re.match(
        r"column `age` of the samples is about 1[12]\S* times real values at all quantiles \(the median is",
        reason.sentence,
    )
    assert reason.is_about("total_variance")
    assert not any(one.decides for one in months.comparisons)
    narrow = judged(table, founder, frame(COLLAPSES["a column that shrank"]))
    assert narrow.verdict.severity is Severity.COLLAPSED
    assert assess(table, Evidence(samples=frame(UNITS["months"][0]))).verdict.severity is Severity.UNDECIDED
    # A founder that was stored in another unit is no baseline, whatever the generation is in.
    unit = OtherUnit(way="factor", columns=("`age`",), n_columns=1, of=5, factors=(12.0,), here=540.0, there=45.0,
                     is_told_apart=True)  # fmt: skip
    behind = judged(table, founder.model_copy(update={"other_unit": unit}), frame(SAMPLES))
    assert behind.verdict.severity is Severity.UNDECIDED
    assert "column `age` of the founder's samples is about 12 times" in behind.verdict.reasons[0].sentence


def test_both_readings_are_told_where_they_cannot_be_told_apart() -> None:
    wild_type = WildType.fit_arrays(around_zero(400, 0))
    founder = assess(wild_type, Evidence(samples=around_zero(300, 1)))
    later = judged(wild_type, founder, 0.1 * around_zero(300, 2))
    assert later.verdict.severity is Severity.COLLAPSED
    (remark,) = (reason for reason in later.verdict.reasons if reason.kind is ReasonKind.NEAR_A_UNIT)
    assert "if they are in one, give them in that of the wild type; else the cloud shrank" in remark.sentence
    silent = assess(wild_type, Evidence(samples=0.1 * around_zero(300, 2)), policy=Policy(decides=("perplexity",)))
    assert not any(reason.kind is ReasonKind.NEAR_A_UNIT for reason in silent.verdict.reasons)
