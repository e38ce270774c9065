"""Two real gloo processes: the reduced value of every indicator is that of one process that saw everything.

This file is also the program of each process: `python test_indicators_ddp.py RANK WORLD_SIZE FOLDER`.
"""

import json
import math
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from collapse_guard.indicators.base import all_indicators
from collapse_guard.indicators.diversity import Distinct
from collapse_guard.indicators.likelihood import BitsPerByte, Perplexity, TailLoss, TailTokenLoss
from collapse_guard.indicators.spread import EffectiveRank, TotalVariance, Vendi
from collapse_guard.indicators.tails import RareCoverage, RareMass

pytestmark = [pytest.mark.ddp, pytest.mark.xdist_group("indicators_ddp")]

N, VOCABULARY = 12, 50
SHARES = {
    "uneven": {0: range(3), 1: range(3, N)},
    "second rank empty": {0: range(N), 1: range(0)},
    "first rank empty": {0: range(0), 1: range(N)},
    "all empty": {0: range(0), 1: range(0)},
}


def indicators():
    return {
        "perplexity": Perplexity(),
        "bits_per_byte": BitsPerByte(),
        "tail_loss": TailLoss(),
        "tail_token_loss": TailTokenLoss(),
        **{f"distinct_{n}": Distinct(n, VOCABULARY) for n in (1, 2, 3, 4)},
        "rare_coverage": RareCoverage(rare=range(30, VOCABULARY), n_types=VOCABULARY),
        "rare_mass": RareMass(rare=range(30, VOCABULARY), n_types=VOCABULARY),
        "total_variance": TotalVariance(4),
        "effective_rank": EffectiveRank(4),
        "vendi": Vendi(4),
    }


def update(name, metric, chosen):
    """Add some of the same N items, whoever asks."""
    rng = np.random.default_rng(0)
    logits, labels = torch.tensor(rng.normal(size=(N, 3, 7))), torch.tensor(rng.integers(7, size=(N, 3)))
    nats, units = torch.tensor(rng.gamma(3.0, size=N)), torch.tensor(rng.integers(1, 9, size=N))
    sequences = [torch.tensor(rng.zipf(1.5, size=9 + i).clip(max=VOCABULARY) - 1) for i in range(N)]
    x, tail = torch.tensor(rng.normal(size=(N, 4))), torch.arange(N) % 3 > 0
    chosen = list(chosen)
    batches = {
        "perplexity": (logits[chosen], labels[chosen]),
        "bits_per_byte": (nats[chosen], units[chosen]),
        "tail_loss": (nats[chosen], units[chosen], tail[chosen]),
        "tail_token_loss": (nats[chosen], tail[chosen]),
        "distinct": ([sequences[i] for i in chosen],),
        "rare": (torch.cat([sequences[i] for i in chosen]),) if chosen else (torch.zeros(0),),
        "spread": (x[chosen],),
    }
    kind = "rare" if name.startswith("rare") else "distinct" if name.startswith("distinct") else name
    metric.update(*batches.get(kind, batches["spread"]))


def run(rank, world_size, folder):
    """Write, for each way to share the items, the reduced value and then the local one after one more update."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/rendezvous", timedelta(seconds=60), rank=rank, world_size=world_size
    )
    found = {"world_size": dist.get_world_size(), "pid": os.getpid(), "values": {}}
    for share, parts in SHARES.items():
        for name, metric in indicators().items():
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
    command = [sys.executable, "-W", "ignore", __file__]
    processes = [
        subprocess.Popen([*command, str(rank), "2", str(folder)], stderr=subprocess.PIPE, text=True) for rank in (0, 1)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_there_were_two_processes_of_one_world(reports):
    assert [report["world_size"] for report in reports] == [2, 2]
    assert len({report["pid"] for report in reports} | {os.getpid()}) == 3


def test_every_indicator_was_reduced(reports):
    assert set(indicators()) == set(all_indicators())
    assert len(reports[0]["values"]) == 2 * len(SHARES) * len(all_indicators())


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", all_indicators())
def test_both_ranks_have_the_value_of_one_process_that_saw_everything(reports, share, name):
    whole = indicators()[name]
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
    assert math.isnan(expected) == (share == "all empty" and name != "rare_coverage")


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
