"""Two real gloo processes. Every test is about both ranks, and none passes with one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler
from waiting import PATIENCE

pytestmark = [pytest.mark.ddp, pytest.mark.slow]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What rank 0 and rank 1 saw."""
    folder = tmp_path_factory.mktemp("ddp")
    script = Path(__file__).with_name("guarded_training.py")
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "NODE_RANK")}
    errors = folder / "errors.txt"
    with errors.open("w") as stream:
        command = [sys.executable, str(script), str(folder)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=stream, start_new_session=True)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        assert process.returncode == 0, errors.read_text()[-8000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a rank that waits for ever is no reason to stay behind
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("rank*.json"))]
    assert len(reports) == 2, "the guard must be tested in two processes"
    assert [report["model"]["world_size"] for report in reports] == [2, 2]
    return reports


@pytest.mark.slow
def test_both_ranks_have_the_same_assessment(ranks):
    first, second = (report["model"] for report in ranks)
    assert first["error"] is second["error"] is None
    assert first["assessment"] == second["assessment"]
    assert first["assessment"]["readings"]["perplexity"]["n"] == 33


def test_the_weights_are_to_the_bit_those_without_a_guard(ranks):
    assert [report["model"]["same"] for report in ranks] == [True, True]


def test_the_evidence_of_two_ranks_is_that_of_one(ranks):
    merged, alone = ranks[0]["model"]["merged"], ranks[0]["model"]["alone"]
    assert merged["sizes"] == [[42, 17], [40, 16]]
    assert merged["samples"] == alone["samples"]
    assert merged["documents"] == alone["documents"]
    assert merged["nll"] == pytest.approx(alone["nll"], rel=1e-5)


def test_each_generation_is_recorded_once_and_by_rank_0(ranks):
    assert [report["lineage"]["recorded"] for report in ranks] == [3, 0]


def test_verdicts_and_looks_are_the_same_on_both_ranks(ranks):
    for first, second in zip(*(report["lineage"]["steps"] for report in ranks), strict=True):
        assert first["verdict"] == second["verdict"]
        assert first["looks"] == second["looks"]
        assert first["epochs"] == second["epochs"]


def test_a_collapse_in_the_run_stops_both_ranks_at_the_same_epoch(ranks):
    for report in ranks:
        step = report["lineage"]["steps"][1]
        assert [severity for _, severity in step["looks"]] == ["HEALTHY", "COLLAPSED"]
        assert (step["epochs"], step["error"]) == (2, None)


def test_raise_raises_on_both_ranks(ranks):
    for report in ranks:
        assert report["lineage"]["steps"][2]["error"].startswith("CollapsedError: COLLAPSED (generation 2 of newsbot)")


def test_what_only_rank_0_can_know_stops_both_before_training(ranks):
    for report in ranks:
        step = report["lineage"]["steps"][3]
        assert step["error"].startswith("LineageError: `generation` must be new to lineage 'newsbot', but got 1")
        assert step["epochs"] == 0


def test_both_ranks_train_on_the_one_order_of_the_mixture(ranks):
    mixture = Mixture(real=0.25, newest=0.75)
    assert [report["mixture"]["mixture"] for report in ranks] == [mixture.to_dict()] * 2
    alone = MixtureSampler({"real": 50, "newest": 50}, mixture, length=33, batch_size=8, num_replicas=1, rank=0)
    expected = []
    for epoch in range(2):
        alone.set_epoch(epoch)
        expected += list(alone)[:32]
    parts = zip(*(_fours(report["mixture"]["seen"]) for report in ranks), strict=True)
    seen = [number for pair in parts for part in pair for number in part]
    assert seen == [i if i < 50 else i + 50 for i in expected]


def test_both_ranks_change_the_shares_from_the_same_place_that_none_has_fetched(ranks):
    first, second = (report["steered"] for report in ranks)
    assert first["error"] is second["error"] is None
    assert first["decisions"] == second["decisions"]
    assert first["changes"] == second["changes"]
    [decision] = first["decisions"]
    # Three steps of eight items were trained on; the second rank's two workers have fetched four batches more.
    assert decision["from_index"] == 8 * (3 + 4)
    parts = zip(_fours(first["seen"]), _fours(second["seen"]), strict=True)
    items = [number for pair in parts for part in pair for number in part]
    before, after = items[: decision["from_index"]], items[decision["from_index"] :]
    assert sum(number < 100 for number in before) == pytest.approx(0.1 * len(before), abs=1)
    assert decision["real_after"] > 0.2
    assert sum(number < 100 for number in after) == pytest.approx(decision["real_after"] * len(after), abs=1)
    assert len(items) == 120


@pytest.mark.parametrize("strategy", ["FSDP2", "FSDP1"])
def test_weights_in_shards_give_the_evidence_of_whole_ones(ranks, strategy):
    whole = ranks[0]["sharded"]["whole"]
    first, second = (report["sharded"][strategy] for report in ranks)
    assert first["error"] is second["error"] is None
    assert first["verdict"] == second["verdict"]
    assert len(first["looks"]) == len(second["looks"]) == 1
    assert first["evidence"]["samples"] == whole["samples"]
    assert first["evidence"]["nll"] == pytest.approx(whole["nll"], rel=1e-5)


def _fours(numbers):
    return [numbers[start : start + 4] for start in range(0, len(numbers), 4)]
