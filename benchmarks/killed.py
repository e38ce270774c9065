"""Check that no generation is lost or counted twice where `assess` is killed: python benchmarks/killed.py.

Each trial runs `collapse-guard assess` on a lineage with a founder, and kills it by SIGKILL when it is about to send a
statement to the database or to change a file. Then the job is run again, or what is kept is sent (`--resume`). The
lineage must have two generations with different evidence, whatever the moment was, and sending again must add nothing.
With `--writers`, as many processes assess at the same time without a number, and all of them must be there, once each.

    python benchmarks/killed.py [--points 50] [--seed 0] [--samples 200] [--writers 8] [--store URI]

The exit code is 1 if anything is lost, counted twice, or cannot be read.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "TOKENIZERS_PARALLELISM": "false"}

# All that a command imports, late or not: once, before processes are copied from this one, which computes nothing.
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import sklearn.cluster
import sklearn.feature_extraction.text
import sklearn.linear_model  # noqa: F401
from rich.console import Console
from rich.progress import track
from rich.table import Table

import collapse_guard.cli.commands.assess
import collapse_guard.cli.submission
import collapse_guard.lineage.enrol
import collapse_guard.report.curves
import collapse_guard.store.mlflow.store  # noqa: F401
from collapse_guard.indicators.base import all_indicators
from killing.trial import WAYS, Outcome, complete, judge, moments
from killing.world import World
from killing.writing import write_at_once

WIDTH = 120


def main() -> int:
    arguments = _arguments()
    all_indicators()
    faults: list[str] = []
    table = Table("assess", "moments", "kills", "generation stored by then", "lost, twice or unreadable")
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        world = World.make(Path(folder), samples=arguments.samples)
        for way in WAYS[: arguments.ways]:
            whole = complete(world, way)
            drawn = moments(whole, arguments.points, arguments.seed)
            tried = track(list(enumerate(drawn)), way.name, console=Console(stderr=True))
            outcomes = [judge(world, way, kill_at, number) for number, kill_at in tried]
            table.add_row(way.name, str(whole.moments), *_counts(outcomes))
            faults += [f"{way.name}, killed at {one.kill_at}: {one.fault}" for one in outcomes if one.fault]
        for store in arguments.store if arguments.writers else ():
            faults += write_at_once(world, arguments.writers, store)
    Console(width=WIDTH).print(table)
    for fault in faults:
        print(fault)
    return int(bool(faults))


def _counts(outcomes: list[Outcome]) -> list[str]:
    numbers = (
        sum(one.was_killed for one in outcomes),
        sum(one.was_stored for one in outcomes),
        sum(bool(one.fault) for one in outcomes),
    )
    return [f"{number:,}" for number in numbers]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="`assess` that is killed, or that runs several times at once.")
    parser.add_argument("--points", type=int, default=50, metavar="N", help="moments at which each way is killed")
    parser.add_argument("--ways", type=int, default=len(WAYS), metavar="N", help="how many of the ways are killed")
    parser.add_argument("--seed", type=int, default=0, help="where the moments begin")
    parser.add_argument("--samples", type=int, default=200, metavar="N", help="samples of a generation")
    parser.add_argument("--writers", type=int, default=8, metavar="N", help="processes at the same time; 0: none")
    parser.add_argument("--store", action="append", default=[""], help="another store that they write to, too")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
