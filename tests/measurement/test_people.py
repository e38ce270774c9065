"""A table of people with texts and numbers: what any of its columns loses is found, and real people are healthy."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from collapse_guard import Evidence, Severity, WildType, assess
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.records import Assessment


def people(n: int, seed: int) -> pd.DataFrame:
    """Ages and numbers of children, whose deviations are 13 and 1, and the city on which the age depends."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    age = rng.normal(np.array([38.0, 52.0, 67.0, 25.0])[kind], 9.0)
    return pd.DataFrame(
        {
            "city": np.array(["Oslo", "Bern", "Paris", "Rome"])[kind],
            "age": age,
            "children": rng.poisson(np.clip((age - 20.0) / 15.0, 0.1, 2.0)),
            "visits": rng.poisson(3.0, n),
        }
    )


@pytest.fixture(scope="module")
def wild_type() -> WildType:
    return WildType.fit_arrays(people(2000, 0))


@pytest.fixture(scope="module")
def founder(wild_type: WildType) -> Assessment:
    return assess(wild_type, Evidence(samples=people(1000, 1)))


COLLAPSES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "one city": lambda x: x.assign(city="Oslo"),
    "the second city lost": lambda x: x[x["city"] != "Bern"],
    "two children each": lambda x: x.assign(children=2),
    "ages of a third of the spread": lambda x: x.assign(age=(x["age"] - x["age"].mean()) / 3.0 + x["age"].mean()),
}


@pytest.mark.parametrize("lost", COLLAPSES)
def test_what_is_lost_in_any_column_is_found(wild_type: WildType, founder: Assessment, lost: str) -> None:
    later = assess(wild_type, Evidence(samples=COLLAPSES[lost](people(1000, 2))), history=[founder])
    assert later.verdict.severity is Severity.COLLAPSED


def test_what_was_lost_is_shown_as_a_row_of_the_table(wild_type: WildType) -> None:
    samples = people(1000, 2)
    lost = what_was_lost(wild_type, samples[samples["city"] != "Bern"])
    assert {item.kind for item in lost} >= {"cluster"}
    shown = [re.fullmatch(r"row \d+: city=(\w+), age=[\d.]+, children=\d+, visits=\d+", item.what) for item in lost]
    assert {row and row[1] for row in shown} == {"Bern"}


def test_real_people_are_healthy_in_any_order_of_their_columns(wild_type: WildType, founder: Assessment) -> None:
    samples = people(1000, 2)
    later, again = (
        assess(wild_type, Evidence(samples=given), history=[founder])
        for given in (samples, samples[["visits", "age", "city", "children"]])
    )
    assert later.verdict.severity is Severity.HEALTHY
    assert again.readings == later.readings
    assert [str(part) for part in later.intake] == ["samples: 1,000 vectors, 1,000 different, 4 columns"]
