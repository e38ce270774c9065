"""Check that killed and resumed training gets the same data as an uninterrupted run: python benchmarks/interrupted.py.

Each trial trains without an interruption, and again with one or two: SIGKILL of all processes at a random step.
It resumes from the newest checkpoint that loads, with the same or another number of ranks. The shares of the sources
change during the run. Each step must get the same documents, also if it is trained again.

    python benchmarks/interrupted.py [--trials 100] [--seed 0] [--jobs 1] [--forgetful]

The exit code is 1 if a run differs. With `--forgetful` the data module does not keep its state, so runs must differ.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import track
from rich.table import Table

from interrupting.judging import Judged, judge
from interrupting.trial import CELLS, Trial, draw

WIDTH = 120


def main() -> int:
    arguments = _arguments()
    _end_on_request()
    trials = [draw(number, arguments.seed) for number in range(arguments.trials)]
    done = _over(trials, arguments.jobs, arguments.forgetful)
    judged = list(track(done, "training", total=len(trials), console=Console(stderr=True)))
    Console(width=WIDTH).print(_table(trials, judged))
    for number, one in enumerate(judged):
        if one.difference:
            print(f"trial {number}: {one.difference}")
    return int(any(one.difference for one in judged))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training that is killed and resumed, against an uninterrupted run.")
    parser.add_argument("--trials", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="trials at the same time")
    parser.add_argument("--forgetful", action="store_true", help="a data module that does not keep its state")
    return parser.parse_args()


def _end_on_request() -> None:
    """Processes of trials are in groups of their own: end by an exception, so that they are killed on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def _over(trials: Sequence[Trial], jobs: int, is_forgetful: bool) -> Iterator[Judged]:
    """What came of each trial, in order."""
    if jobs == 1:
        yield from map(partial(judge, is_forgetful=is_forgetful), trials)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=_end_on_request) as pool:
        yield from pool.map(partial(judge, is_forgetful=is_forgetful), trials)


def _table(trials: Sequence[Trial], judged: Sequence[Judged]) -> Table:
    cells: dict[tuple[tuple[int, int], int], list[Judged]] = defaultdict(list)
    for trial, one in zip(trials, judged, strict=True):
        cells[trial.ranks, trial.workers].append(one)
    table = Table("ranks", "workers", "trials", "kills", "steps compared", "trained again", "runs that differ")
    for ranks, workers in (cell for cell in CELLS if cell in cells):
        told = str(ranks[0]) if ranks[0] == ranks[1] else f"{ranks[0]}, then {ranks[1]}"
        table.add_row(told, str(workers), *_counts(cells[ranks, workers]))
    table.add_section()
    table.add_row("all", "", *_counts(judged))
    return table


def _counts(judged: Sequence[Judged]) -> list[str]:
    n_different = sum(bool(one.difference) for one in judged)
    sums = (sum(getattr(one, name) for one in judged) for name in ("kills", "steps", "again"))
    return [f"{number:,}" for number in (len(judged), *sums, n_different)]


if __name__ == "__main__":
    raise SystemExit(main())
