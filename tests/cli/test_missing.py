"""A run that somebody deletes in the pages of MLflow loosens nothing: what is missing is named, with its way back."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from collapse_guard.records import Severity
from collapse_guard.store import open_store

pytestmark = pytest.mark.slow


@pytest.fixture
def store(world, tmp_path):
    """A copy of the store of `bot`: HEALTHY at t = 0 and 1, COLLAPSED at t = 2."""
    shutil.copy(world.home / "mlflow.db", tmp_path)
    shutil.copytree(world.home / "mlruns", tmp_path / "mlruns")
    return f"sqlite:///{tmp_path}/mlflow.db"


def deleted(uri, generation):
    """Id of the run of a generation of `bot`, which is deleted as the user interface does it."""
    client = MlflowClient(uri)
    query = f"tags.`collapse_guard.lineage` = 'bot' AND tags.`collapse_guard.generation` = '{generation:06d}'"
    homes = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(homes, query)
    client.delete_run(run.info.run_id)
    return run.info.run_id


def told(outcome):
    return re.sub(r"\s+", " ", outcome.out)


def test_without_its_founder_nothing_passes_and_the_run_to_restore_is_named(run, world, store):
    run_id = deleted(store, 0)
    said = f"generation 0, the founder of this lineage, is missing, so nothing tells how far it has moved: run {run_id}"
    at = ("--lineage", "bot", "--store", store)
    for options in (("--generation", 1), ("--generation", 1, "--policy", "lenient")):
        gated = run("gate", *at, *options)
        assert gated.code == 3, "it was HEALTHY"
        assert said in told(gated)
    assert run("gate", *at).code == 1, "what was COLLAPSED is no milder"
    assessed = run("assess", world.collapsed, "--wild-type", world.wild_type, *at, "--generation", 3)
    assert assessed.code == 3, "against the wild type it would be a WATCH at most"
    assert said in told(assessed)
    for founding in ("--founder", "--generation=0"):
        again = run("assess", world.healthy, "--wild-type", world.wild_type, *at, founding)
        assert again.code == 2
        assert run_id in again.err
    (command,) = set(re.findall(r"`(MLFLOW_TRACKING_URI=[^`]*|mlflow [^`]*)`", told(assessed)))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["/bin/sh", "-c", command], env=os.environ | {"PATH": path}, check=True, capture_output=True)
    assert run("gate", *at, "--generation", 1).code == 0
    assert run("gate", *at, "--policy", "default").code == 1, "decided again with the founder"
    assert [past.generation.index for past in open_store(store).history("bot")] == [0, 1, 2, 3]


def test_a_newest_generation_that_is_gone_leaves_no_pass_to_the_one_before(run, store):
    run_id = deleted(store, 2)
    gated = run("gate", "--lineage", "bot", "--store", store)
    assert gated.code == 3
    assert f"generation 2, the newest of this lineage, is missing: run {run_id} was deleted" in told(gated)
    assert "`--generation 1`" in told(gated)
    assert run("gate", "--lineage", "bot", "--generation", 1, "--store", store).code == 0


def test_a_gap_is_named_and_its_number_is_not_used_again(run, world, store):
    run_id = deleted(store, 1)
    gated = run("gate", "--lineage", "bot", "--store", store)
    assert gated.code == 1
    assert f"generation 1 of this lineage is missing: generation 1: run {run_id} was deleted" in told(gated)
    deleted(store, 2)
    options = ("--wild-type", world.wild_type, "--lineage", "bot", "--store", store)
    assert run("assess", world.few, *options).code == 3
    newest = open_store(store).latest("bot")
    assert (newest.generation.index, newest.generation.parents) == (3, (0,))
    assert newest.verdict.severity is Severity.UNDECIDED


def test_a_lineage_does_not_begin_with_generation_1(run, world, store):
    options = ("--wild-type", world.wild_type, "--lineage", "new", "--store", store)
    outcome = run("assess", world.founder, *options, "--generation", 1)
    assert outcome.code == 2
    assert "`--founder` on the command line" in outcome.err
    assert not open_store(store).has("new")
