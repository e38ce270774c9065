"""Two real gloo processes: the reduced value of every indicator is that of one process that saw everything.

This file is also the program that forks them: `python test_indicators_ddp.py FOLDER`.
"""

import json
import math
import os
import subprocess
import sys
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[1]))

from collapse_guard.indicators.base import all_indicators
from contract_cases import CASES
from contract_cases.case import ITEMS
from waiting import PATIENCE

pytestmark = [pytest.mark.ddp, pytest.mark.slow]

N = ITEMS
SHARES = {
    "uneven": {0: range(3), 1: range(3, N)},
    "second rank empty": {0: range(N), 1: range(0)},
    "first rank empty": {0: range(0), 1: range(N)},
    "all empty": {0: range(0), 1: range(0)},
}


def update(name, metric, chosen):
    """Add some of the same N items, whoever asks."""
    items = CASES[name].items(np.random.default_rng(0))
    metric.update(*CASES[name].batch([items[i] for i in chosen]))


def run(rank, world_size, folder):
    """Write, for each way to share the items, the reduced value and then the local one after one more update."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/rendezvous", timedelta(seconds=PATIENCE), rank=rank, world_size=world_size
    )
    found = {"world_size": dist.get_world_size(), "pid": os.getpid(), "values": {}}
    for share, parts in SHARES.items():
        for name, case in CASES.items():
            metric = case.metric()
            if parts[rank]:
                update(name, metric, parts[rank])
            found["values"][f"{share}: {name}"] = metric.compute().item()
            update(name, metric, range(2))
            found["values"][f"{share}: {name}, later"] = metric.compute().item()
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    command = [sys.executable, "-W", "error", "-W", "ignore:The ``compute`` method", __file__]
    done = subprocess.run([*command, str(folder)], stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_there_were_two_processes_of_one_world(reports):
    assert [report["world_size"] for report in reports] == [2, 2]
    assert len({report["pid"] for report in reports} | {os.getpid()}) == 3


def test_every_indicator_was_reduced(reports):
    assert set(CASES) == set(all_indicators())
    assert len(reports[0]["values"]) == 2 * len(SHARES) * len(all_indicators())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", all_indicators())
def test_both_ranks_have_the_value_of_one_process_that_saw_everything(reports, share, name):
    whole = CASES[name].metric()
    for part in SHARES[share].values():
        if part:
            update(name, whole, part)
    expected = whole.compute().item()
    for _ in range(2):
        update(name, whole, range(2))
    for report in reports:
        assert report["values"][f"{share}: {name}"] == pytest.approx(expected, rel=1e-12, nan_ok=True)
        later = report["values"][f"{share}: {name}, later"]
        assert later == pytest.approx(whole.compute().item(), rel=1e-12), "a sum was kept twice"
    assert math.isnan(expected) == (share == "all empty" and math.isnan(CASES[name].empty))


if __name__ == "__main__":
    ranks = [get_context("fork").Process(target=run, args=(rank, 2, sys.argv[1])) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    sys.exit(max(abs(process.exitcode) for process in ranks))
