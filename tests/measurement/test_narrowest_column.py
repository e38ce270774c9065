"""One column among many that lost its variety is a collapse, whatever its unit; what varies by chance is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from collapse_guard import Evidence, Policy, Severity, WildType
from collapse_guard.assessment import conclude
from collapse_guard.measurement.measure import measure
from collapse_guard.records import Generation, Reading

NAME = "narrowest_column"
POLICY = Policy(decides=(NAME,))
D, RATIO = 24, 20.0


def read(wild_type: WildType, samples: Any) -> Reading | None:
    return measure(wild_type, Evidence(samples=samples), only=(NAME,)).get(NAME)


def severity(wild_type: WildType, founder: Any, samples: Any) -> Severity:
    """By this indicator alone."""
    first, second = ({NAME: read(wild_type, rows)} for rows in (founder, samples))
    before = conclude(Generation(lineage="table", index=0), first, first, history=[], policy=POLICY)
    generation = Generation(lineage="table", index=1, parents=(0,))
    return conclude(generation, second, first, history=[before], policy=POLICY).verdict.severity


def rows(n: int, seed: int) -> np.ndarray:
    """An array without names, whose first column is a twentieth of the others: too little to be standardised."""
    return (3.0 + np.random.default_rng(seed).normal(size=(n, D))) * np.where(np.arange(D) == 0, 1.0 / RATIO, 1.0)


@pytest.fixture(scope="module")
def small() -> WildType:
    return WildType.fit_arrays(rows(600, 0), group_samples=40)


def narrowed(share: float, column: int = 0) -> np.ndarray:
    samples = rows(400, 2)
    samples[:, column] = samples[:, column].mean() + share * (samples[:, column] - samples[:, column].mean())
    return samples


@pytest.mark.parametrize("column", [0, 5])
def test_the_loss_of_a_column_is_seen_among_many_and_beside_larger_ones(small: WildType, column: int) -> None:
    assert not small.settings.standardized
    assert severity(small, rows(400, 1), narrowed(0.2, column)) is Severity.COLLAPSED
    constant = narrowed(0.0, column)
    assert severity(small, rows(400, 1), constant) is Severity.COLLAPSED


def test_real_rows_and_a_tenth_less_of_a_column_are_healthy(small: WildType) -> None:
    assert [severity(small, rows(400, 1), rows(400, seed)) for seed in (3, 4, 5)] == [Severity.HEALTHY] * 3
    assert severity(small, rows(400, 1), narrowed(0.9)) is Severity.HEALTHY


def test_a_cloud_that_moves_is_as_wide_as_before(small: WildType) -> None:
    there, away = read(small, rows(400, 1)), read(small, rows(400, 1) + 1e3)
    assert there is not None
    assert away is not None
    assert away.value == pytest.approx(there.value, rel=0.05)  # in other groups


def test_the_value_is_the_smallest_ratio_of_variances(small: WildType) -> None:
    """To what real values beyond three mean deviations do, of which normal ones have 1.7%."""
    reading = read(small, narrowed(0.2))
    assert reading is not None
    assert reading.value == pytest.approx(0.2**2, rel=0.15)


def people(n: int, seed: int, **changed: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 12)), columns=[f"trait {i}" for i in range(12)])
    frame["income"] = np.exp(rng.normal(10.0, 1.2, n))
    frame["member"] = rng.random(n) < 0.3
    frame["rare"] = rng.random(n) < 0.01
    frame["city"] = rng.choice(["Oslo", "Bern", "Rome"], n, p=[0.7, 0.25, 0.05])
    return frame.assign(**changed)


@pytest.fixture(scope="module")
def table() -> WildType:
    return WildType.fit_arrays(people(600, 0), group_samples=40)


@pytest.mark.parametrize("lost", [{"income": 3e4}, {"member": False}, {"city": "Oslo"}, {"trait 7": 0.5}])
def test_the_loss_of_a_column_of_any_kind_is_seen(table: WildType, lost: dict[str, Any]) -> None:
    assert severity(table, people(400, 1), people(400, 2, **lost)) is Severity.COLLAPSED


def test_long_tails_and_rare_kinds_are_no_loss(table: WildType) -> None:
    later = [people(400, seed) for seed in (3, 4)]
    later.append(people(400, 2, rare=False))
    assert [severity(table, people(400, 1), samples) for samples in later] == [Severity.HEALTHY] * 3


def test_it_is_read_of_tables_alone() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 80))
    embeddings, images = WildType.fit_arrays(noise), WildType.fit_arrays(noise[:, :16].reshape(300, 4, 4))
    one = WildType.fit_arrays(noise[:, :1])
    assert read(embeddings, noise) is None
    assert read(images, noise[:, :16].reshape(300, 4, 4)) is None
    assert read(one, noise[:, :1]) is None
    named = WildType.fit_arrays(pd.DataFrame(noise, columns=[f"c{i}" for i in range(80)]))
    assert read(named, noise) is not None


def test_rare_kinds_alone_tell_nothing() -> None:
    rare = np.random.default_rng(0).normal(size=(200, 2)) ** 15
    reading = read(WildType.fit_arrays(rare), rare[::-1])
    assert reading is not None
    assert "no column varies so much in real data" in reading.problem
