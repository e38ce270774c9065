"""The seed noise of the demo's model, at a tiny size: founders of one wild type that differ in their seed."""

import importlib
from pathlib import Path

import pytest

from collapse_guard.decision.calibration import calibrate
from collapse_guard.demo.run import Sizes
from collapse_guard.store import open_store
from fewer_speeches import fewer_passages

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_founders_of_other_seeds_are_lineages_of_their_own_and_can_be_calibrated(page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    seed_noise = importlib.import_module("seed_noise")
    monkeypatch.setattr(seed_noise, "passages", fewer_passages)
    small = Sizes(training_passages=400, epochs=1, width=16)
    uri, names = seed_noise.train(3, tmp_path, small)
    founders = [open_store(uri).history(name)[0] for name in names]
    assert len({founder.readings["perplexity"].value for founder in founders}) == 3
    assert len({founder.generation.wild_type for founder in founders}) == 1
    noise = {one.indicator: one for one in calibrate(founders[0], founders[1:]).noise}
    assert noise["perplexity"].seeds.controls == 2
    assert noise["perplexity"].seeds.sd > 0
