"""What retraining and collapse do to losses, at a tiny size: no model is taken for another unit."""

import importlib
from itertools import islice
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_models_are_scored_on_the_same_passages_and_none_is_a_unit(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    loss_units = importlib.import_module("loss_units")
    setup = loss_units.prepare(60, 40)
    found = dict(islice(loss_units.models(setup, 60), 5))
    founder = found["founder"]
    assert all((one.tokens == founder.tokens).all() and (one.nll > 0.0).all() for one in found.values())
    assert not [row for name, one in found.items() if "taken" in (row := loss_units.row(name, one, founder))]
