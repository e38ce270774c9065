"""A trained model that `assess` measures in place of files."""

import re

import numpy as np
import pytest
import torch

from collapse_guard import WildType

LOADER = """
import torch
from collapse_guard import EmbeddingProbe

class Gaussian(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(4))

def load(path):
    model = Gaussian()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model, EmbeddingProbe(lambda module, n, g: torch.randn(n, 4, generator=g) * module.scale, n_samples=1000)

def half(path):
    return load(path)[0]

def fails(path):
    raise ZeroDivisionError("no scale")

def cannot_sample(path):
    return load(path)[0], EmbeddingProbe(lambda module, n, g: 1 / 0, n_samples=1000)
"""


@pytest.fixture
def place(tmp_path):
    """Two checkpoints and the code that loads them, beside a wild type of vectors."""
    WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4))).save(tmp_path / "wild-type")
    (tmp_path / "mine.py").write_text(LOADER)
    for name, scale in (("founder", 1.0), ("healthy", 1.01), ("collapsed", 0.2)):
        torch.save({"scale": torch.full((4,), scale)}, tmp_path / f"{name}.pt")
    return tmp_path


@pytest.fixture
def assess(run, place):
    uri = f"sqlite:///{place / 'mlflow.db'}"

    def assess(name, *options, loader="load"):
        loading = ["--loader", f"{place / 'mine.py'}:{loader}"] if loader else []
        where = ["--wild-type", place / "wild-type", "--lineage", "tables", "--store", uri]
        return run("assess", "--checkpoint", place / name, *loading, *where, *options)

    return assess


@pytest.mark.slow
def test_founds_a_lineage_and_adds_what_collapsed_and_nothing_twice(assess):
    founder = assess("founder.pt", "--founder")
    assert founder.code == 0, founder.err
    assert "Weights measured: founder.pt." in founder.out
    assert assess("healthy.pt").code == 0
    collapsed = assess("collapsed.pt")
    assert collapsed.code == 1
    assert "generation 2 of tables" in collapsed.out
    again = assess("collapsed.pt")
    assert again.code == 1
    assert "already stored as generation 2" in again.out


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("half", "it must return the model and its probe, but got Gaussian"),
        ("fails", "did not load .*founder.pt: ZeroDivisionError: no scale"),
        ("cannot_sample", "founder.pt could not be measured: ZeroDivisionError: division by zero"),
        ("nothing", "must name a function, but .*mine.py has no 'nothing'"),
        (None, "must be a directory that Hugging Face saved, but got .*give `--loader FILE.py:FUNCTION`"),
    ],
)
def test_that_cannot_be_loaded_or_measured_is_one_clear_line(assess, loader, said):
    outcome = assess("founder.pt", "--founder", loader=loader)
    assert outcome.code == 2
    assert re.search(said, " ".join(outcome.err.split()))


def test_is_given_alone(assess, place):
    outcome = assess("founder.pt", "--losses", place / "losses.csv")
    assert outcome.code == 2
    assert "`--checkpoint` is measured in place of files, but got --losses too" in " ".join(outcome.err.split())
