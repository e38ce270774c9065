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


def check_same(both, alone):
    """What both ranks collected is what one process alone does, up to rounding."""
    assert both.keys() == alone.keys()
    for name, part in alone.items():
        if part is None or name in ("samples", "prompts", "truncated"):
            assert both[name] == part
        else:
            documents, nll, n_tokens = part
            assert both[name][::2] == [documents, n_tokens]
            assert both[name][1] == pytest.approx(nll, rel=1e-5)


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


@pytest.mark.parametrize("kind", ["FSDP2", "FSDP1", "ZeRO-3"])
def test_a_model_in_shards_gives_the_evidence_of_a_whole_one(ranks, kind):
    whole, sharded = ranks[0]["sharded"]["whole"], ranks[0]["sharded"][kind]
    assert sharded["evidence"]["samples"] == whole["evidence"]["samples"]
    assert sharded["evidence"]["nll"] == pytest.approx(whole["evidence"]["nll"], rel=1e-5)
    for report in ranks:
        assert report["sharded"][kind]["assessment"] == sharded["assessment"]


@pytest.mark.parametrize("kind", ["FSDP2", "FSDP1"])
def test_what_is_made_to_train_a_model_in_shards_after_a_measurement_trains_all_of_it(ranks, kind):
    for report in ranks:
        sharded = report["sharded"][kind]
        assert sharded["losses"] == sharded["alone"]
        assert sharded["losses"] == pytest.approx(report["sharded"]["whole"]["losses"], rel=1e-5)


@pytest.mark.parametrize("kind", ["a document more", "a single document", "a single sample", "a sample more"])
def test_uneven_and_empty_parts_are_the_evidence_of_one_process(ranks, kind):
    first, second = (report["uneven"][kind] for report in ranks)
    assert first["verdict"] == second["verdict"]
    check_same(first["both"], first["alone"])


def test_ranks_with_uneven_loaders_are_judged_once_for_both(ranks):
    first, second = (report["joined"] for report in ranks)
    assert first["assessment"] == second["assessment"] is not None
    assert first["step"] == 3


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


def test_a_loop_of_fabric_in_shards_gives_the_evidence_of_a_whole_model(ranks):
    check_same(ranks[0]["sharded fabric"]["both"], ranks[0]["sharded fabric"]["alone"])
