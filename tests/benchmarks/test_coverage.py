"""The coverage benchmark at a reduced size: every row is there, and says what it says of the truth."""

import importlib
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
coverage = importlib.import_module("coverage")


@pytest.fixture(scope="module")
def rows():
    return list(coverage.rows(120, 1))


@pytest.mark.slow
def test_every_world_and_every_curve_has_a_row(rows):
    kinds = [kind for kind, _, _ in rows]
    worlds = len(coverage.WORLDS) * len(coverage.WORKFLOWS) * len(coverage.GENERATIONS)
    assert [kinds.count(kind) for kind in ("n_e, bias", "B, n_e, d", "F*")] == [worlds, len(coverage.CURVES), 1]


def test_intervals_cover_about_their_level(rows):
    told = [
        float(number) for kind, _, text in rows if kind != "F*" for number in re.findall(r"[\d.]+", text.split(";")[0])
    ]
    assert min(told) > 0.75
    assert 0.85 < sum(told) / len(told) < 0.98


def test_a_wrong_size_is_not_covered(monkeypatch):
    real = coverage.wright_fisher.simulate
    monkeypatch.setattr(
        coverage.wright_fisher, "simulate", lambda *given, **asked: real(*given, **{**asked, "samples": 400})
    )
    _, _, text = coverage.size_row(200, 100, coverage.WORKFLOWS[0], 10, lineages=100, seed=0)
    assert float(text.split(",")[0]) < 0.5
