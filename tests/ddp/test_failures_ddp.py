"""Faults on one of two real gloo processes: both end, with the same words, and nothing is stored that is not whole."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import PATIENCE

pytestmark = [pytest.mark.ddp, pytest.mark.slow]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Fault -> what rank 0 and rank 1 saw; a rank that died saw nothing."""
    folder = tmp_path_factory.mktemp("failing")
    script = Path(__file__).with_name("failing_training.py")
    with (folder / "errors.txt").open("w") as stream:
        command = [sys.executable, str(script), str(folder)]
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream, start_new_session=True)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        assert process.returncode == 0, (folder / "errors.txt").read_text()[-8000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def of(fault):
        found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{fault}-*.json"))]
        assert found, (folder / "errors.txt").read_text()[-8000:]
        return found

    return of


WORDS = {
    "one fails": "rank 1 failed with ZeroDivisionError: on one rank only (failing_training.py, line ",
    "both fail": "rank 0 failed with ZeroDivisionError: on one rank only (failing_training.py, line ",
    "rank 0 fails": "rank 0 failed with ZeroDivisionError: on one rank only (failing_training.py, line ",
    "not sent": "rank 1 failed: what a rank collects must be sent to rank 0, but cannot be: ",
    "one waits": "rank 1 failed: `probe.collect` did not end within 0.3 s: give `probe_timeout` more seconds",
    "one is waited for": "rank 1 failed: `probe.collect` did not end within 4.5 s: give the process group",
}


@pytest.mark.parametrize("fault", WORDS)
def test_both_ranks_say_which_one_failed_and_go_on(reports, fault):
    first, second = reports(fault)
    [reason] = first["verdict"]["reasons"]
    assert reason["kind"] == "not_measured"
    assert reason["sentence"].startswith(f"it was not measured: {WORDS[fault]}")
    assert first["verdict"] == second["verdict"]
    assert [len(first["told"]), len(second["told"])] == [1, 0]
    assert reason["sentence"].removeprefix("it was not measured: ") in first["told"][0]
    assert [first["stored"], second["stored"]] == [0, 0]
    assert first["steps"] == second["steps"] == 3


@pytest.mark.parametrize("fault", ["one waits for ever", "one dies"])
def test_a_rank_that_never_answers_is_given_up_within_the_time_out_of_the_group(reports, fault):
    [first] = reports(fault)
    [reason] = first["verdict"]["reasons"]
    said = "it was not measured: rank 0 waited in vain for the others, of which one ended or does not answer: "
    assert reason["sentence"].startswith(said)
    assert first["stored"] == 0
    assert len(first["told"]) == 1


def test_a_look_that_fails_on_one_rank_is_a_look_less_on_both(reports):
    first, second = reports("in the run")
    assert first["looks"] == second["looks"] == [[2, "HEALTHY"]]
    assert first["steps"] == second["steps"] == 3
    assert first["verdict"] == second["verdict"]
    assert first["verdict"]["severity"] == "HEALTHY"
    assert [first["stored"], second["stored"]] == [1, 0]
    [message] = first["told"]
    assert message.startswith("the model could not be measured after step 1: rank 1 failed with ZeroDivisionError")


def test_whoever_called_a_trainer_that_starts_its_own_processes_is_told_the_verdict(reports):
    [caller] = reports("forked")
    assert caller["steps"] == 0
    assert caller["verdict"]["severity"] == "HEALTHY"
