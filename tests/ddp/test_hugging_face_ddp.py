"""Hugging Face's trainers on two real gloo processes, as `accelerate launch` starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ddp, pytest.mark.slow]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Training, and number of processes -> what each rank saw."""
    folder, script = tmp_path_factory.mktemp("hugging_face"), Path(__file__).with_name("hugging_face_training.py")
    paths = os.pathsep.join([str(script.parents[1]), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-8000:]

    def of(training, world_size=2):
        paths = [folder / f"{training} {rank} of {world_size}.json" for rank in range(world_size)]
        return [json.loads(path.read_text()) for path in paths]

    return of


def test_two_processes_come_to_the_record_of_one(reports):
    [alone], [first, second] = (reports("a_language_model", world_size) for world_size in (1, 2))
    assert first["samples"] == alone["samples"]
    assert second["samples"] is None
    assert first["readings"] == second["readings"] == pytest.approx(alone["readings"], rel=1e-5, nan_ok=True)
    assert first["verdict"] == second["verdict"] == alone["verdict"]
    assert first["looks"] == second["looks"] == alone["looks"]
    assert [one["stored"] for one in (alone, first, second)] == [1, 1, 0]


def test_a_look_that_fails_on_one_rank_is_told_once_and_uneven_ranks_are_judged_together(reports):
    first, second = reports("a_rank_that_fails")
    assert first["steps"] == second["steps"] == 4
    [told] = first["told"]
    assert told.startswith("the model could not be measured after step 2: rank 1 failed with ZeroDivisionError: on one")
    assert second["told"] == []
    assert first["looks"] == second["looks"] == []
    assert first["verdict"] == second["verdict"]
    assert first["n"] == second["n"] == 31


def test_the_rollouts_of_both_processes_are_one_evidence(reports):
    first, second = reports("rollouts")
    assert first["measured"] == ["rollouts of steps 1 to 5", "rollouts of steps 6 to 10"]
    assert first["evidence"]["samples"] == first["seen"][-40:] + second["seen"][-40:]
    assert len(set(first["evidence"]["prompts"])) == 20
    assert (second["measured"], second["evidence"]) == ([], None)
    assert first["verdict"] == second["verdict"]
    assert "(generation 1 of newsbot)" in first["verdict"]
