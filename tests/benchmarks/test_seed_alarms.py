"""False alarms by the noise of seeds: against the closed form of one generation, and the promise of controls."""

import importlib
import math
import sys
from pathlib import Path

import pytest
from scipy import stats

from collapse_guard.decision.policy import Policy

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
seed_alarms = importlib.import_module("seed_alarms")


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.1])
def test_one_generation_without_controls_has_the_normal_probabilities(spread):
    n = 2000
    found = seed_alarms.alarms(spread, 0, n, seed=1, generations=1)
    margin, watch = Policy().drift["perplexity"].effects()
    for level, count in ((watch, found.watched), (margin, found.collapsed)):
        law = stats.binom(n, stats.norm.sf(level / (spread * math.sqrt(2.0))))
        assert law.ppf(0.0005) <= count <= law.ppf(0.9995)


def test_with_nine_controls_any_noise_keeps_the_promise():
    alpha, n = Policy().alpha, 150
    for spread in (0.005, 0.03, 0.3):
        found = seed_alarms.alarms(spread, 9, n, seed=2)
        assert found.collapsed <= found.watched <= stats.binom(n, alpha).ppf(0.9999)


def test_one_control_buys_something_where_seeds_are_noisy():
    none, one = (seed_alarms.alarms(0.03, controls, 200, seed=3).watched for controls in (0, 1))
    assert one < 0.85 * none


def test_the_table_has_every_noise_and_number_of_controls():
    table = seed_alarms.table(2, 0)
    assert len(table.rows) == len(seed_alarms.SPREADS)
    assert {len(row) for row in table.rows} == {1 + len(seed_alarms.CONTROLS)}
