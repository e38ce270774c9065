"""`collapse-guard calibrate`, on founders that were assessed through the command line into a real store."""

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy

CONTROLS = ("control-1", "control-2", "control-3")
REPEATED = [word for name in CONTROLS for word in ("--control", name)]


@pytest.fixture
def store(run, world, tmp_path):
    """A founder and three controls: each a choice of documents of one source."""
    source = [line for path in (world.founder, world.healthy) for line in path.read_text("utf-8").splitlines()]
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    for place, name in enumerate(("bot", *CONTROLS)):
        samples = tmp_path / f"{name}.txt"
        chosen = np.random.default_rng(place).permutation(len(source))[:700]
        samples.write_text("\n".join(source[i] for i in chosen), encoding="utf-8")
        options = ("--wild-type", world.wild_type, "--lineage", name, "--store", uri, "--founder")
        assert run("assess", samples, *options).code == 0
    return uri


@pytest.mark.slow
def test_controls_become_a_policy_that_the_gate_uses(run, store, tmp_path):
    out = tmp_path / "policy.toml"
    said = run("calibrate", "--lineage", "bot", *REPEATED, "--store", store, "--out", out)
    assert said.code == 0
    assert "distinct_2" in said.out + said.err
    assert "another seed would stay within, by the number of controls: 1: " in said.out + said.err
    noise = Policy.load(out).seed_noise
    assert noise["distinct_2"].controls == 3
    assert noise["distinct_2"].sd < 0.02, "all are draws of one source"
    gate = run("gate", "--lineage", "control-1", "--policy", out, "--store", store)
    assert gate.code == 0


def test_without_controls_it_tells_the_sampling_noise_and_what_is_missing(run, world):
    said = run("calibrate", "--lineage", "bot", "--store", world.uri)
    assert said.code == 0
    assert "Seed noise was not measured: retrain on real data with another seed" in said.out + said.err


def test_a_file_that_is_there_is_never_overwritten(run, world, tmp_path):
    out = tmp_path / "policy.toml"
    out.write_text("alpha = 0.01\n", encoding="utf-8")
    said = run("calibrate", "--lineage", "bot", "--store", world.uri, "--out", out)
    assert said.code == 2
    assert "`--out` must not exist yet" in said.out + said.err
    assert out.read_text(encoding="utf-8") == "alpha = 0.01\n"


def test_a_lineage_that_nobody_knows_is_named(run, world):
    said = run("calibrate", "--lineage", "bot", "--control", "nobody", "--store", world.uri)
    assert said.code == 2
    assert "nobody" in said.out + said.err
