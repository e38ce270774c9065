"""Loops without a trainer on two real gloo processes. Every test is about both ranks, and none passes with one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import PATIENCE, free_port

pytestmark = [pytest.mark.ddp, pytest.mark.slow]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What rank 0 and rank 1 saw, told their places as torchrun tells them."""
    folder = tmp_path_factory.mktemp("loops")
    command = [sys.executable, str(Path(__file__).with_name("guarded_loops.py")), str(folder)]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    environment = {**os.environ, **place, "TORCHELASTIC_RUN_ID": "loops", "OMP_NUM_THREADS": "1"}
    errors = folder / "errors.txt"
    with errors.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=stream, start_new_session=True)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        assert process.returncode == 0, errors.read_text()[-8000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a rank that waits for ever is no reason to stay behind
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def test_a_plain_loop_is_judged_once_for_both(ranks):
    for first, second in zip(*(report["plain"]["generations"] for report in ranks), strict=True):
        assert first == second
    founder, collapsed = ranks[0]["plain"]["generations"]
    assert founder["assessment"]["verdict"]["severity"] != "UNDECIDED"
    assert collapsed["looks"] == [[2, "COLLAPSED"]]
    assert collapsed["steps"] == 2
    assert collapsed["error"].startswith("CollapsedError: COLLAPSED (generation 1 of plain)")
    assert [report["plain"]["recorded"] for report in ranks] == [2, 0]


def test_ranks_draw_different_samples_where_a_probe_ignores_its_seed(ranks):
    assert ranks[0]["global"]["n"] == ranks[0]["global"]["different"] == 256


def test_a_rank_that_fails_ends_no_loop_and_is_named_on_both(ranks):
    first, second = (report["failing"] for report in ranks)
    assert first["verdict"] == second["verdict"]
    assert "rank 1 failed with ZeroDivisionError: on one rank only" in first["verdict"]
    assert [len(first["warnings"]), len(second["warnings"])] == [1, 0]


def test_a_model_in_shards_gives_the_evidence_of_a_whole_one(ranks):
    whole, sharded = ranks[0]["sharded"]["whole"]["evidence"], ranks[0]["sharded"]["sharded"]["evidence"]
    assert sharded["samples"] == whole["samples"]
    assert sharded["nll"] == pytest.approx(whole["nll"], rel=1e-5)
    for report in ranks:
        assert report["sharded"]["sharded"]["assessment"] == ranks[0]["sharded"]["sharded"]["assessment"]


def test_ranks_draw_together_what_the_slowest_of_them_can_in_the_time_of_the_first(ranks):
    first, second = (report["budget"] for report in ranks)
    rehearsed = 2 * 16 + 32
    assert first["n"] == (0.1 * 8000.0 - rehearsed) * 2 / 2
    assert first["assessment"] == second["assessment"] is not None
    # Of 23 batches of 32 rank 0 draws twelve, and rank 1 eleven.
    assert [first["spent"], second["spent"]] == [rehearsed + 12 * 32, 2 * (rehearsed + 11 * 32)]


def test_a_loop_of_fabric_is_judged_once_for_both(ranks):
    first, second = (report["fabric"] for report in ranks)
    assert first["assessment"] == second["assessment"] is not None
    assert first["world_size"] == second["world_size"] == 2
    assert [first["recorded"], second["recorded"]] == [1, 0]
