"""Score how well collapse is detected: the guard and other rules on the same lineages, in tables.

    python benchmarks/detector.py simulate --out FOLDER [--seeds published] [--jobs 2]
    python benchmarks/detector.py measure --out FOLDER [--jobs 2]
    python benchmarks/detector.py score --series FILE [--policy FILE] [--calibration FILE] [--markdown FILE]
    python benchmarks/detector.py presets --series FILE [--calibration FILE] [--markdown FILE]

`simulate` trains models and lets them write: fifty minutes on two cores. `measure` reads today's indicators from that
and writes what decides into `series.zip`. Both resume if they were stopped. `score` decides on such a file, as on the
published one (`benchmarks/detecting/published.zip`), by any policy, in minutes: a preset, a file, or `calibrated` on
lineages with other seeds. `presets` compares the presets.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from collapse_guard.decision.policy import PRESETS
from detecting.corpora import CORPORA
from detecting.measuring import gather, measure, paths
from detecting.models import MODELS
from detecting.raw import OF_WORLDS
from detecting.scenarios import SCENARIOS
from detecting.simulating import Counts, claim, claimed, simulate, tasks
from detecting.sizes import SEEDS, Sizes
from detecting.workers import over
from detecting.worlds import WORLDS


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def _simulate(arguments: argparse.Namespace) -> None:
    counts = Counts(**{field.name: getattr(arguments, field.name) for field in fields(Counts)})
    chosen = tasks(SEEDS[arguments.seeds], arguments.corpora, arguments.scenarios, arguments.models, counts)
    sizes = Sizes(generations=arguments.generations)
    claim(arguments.out, sizes)
    _watched("simulating", over(simulate, chosen, sizes, arguments.out, jobs=arguments.jobs), len(chosen))


def _measure(arguments: argparse.Namespace) -> None:
    chosen, sizes = paths(arguments.out), claimed(arguments.out)
    _watched("measuring", over(measure, chosen, sizes, arguments.out, jobs=arguments.jobs), len(chosen))
    written = gather(arguments.out)
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")


def _watched(what: str, done: Iterable[float], total: int) -> None:
    seconds = list(track(done, what, total=total, console=Console(stderr=True)))
    new = [one for one in seconds if one]
    if new:
        print(f"{len(new)} new lineages of {total}, {sum(new):.0f} processor seconds, {max(new):.0f} for the longest")


def _score(arguments: argparse.Namespace) -> None:
    from detecting.calibrating import chosen
    from detecting.scoring import scored
    from detecting.table import bars, sheets, tell, write_json

    policies = chosen(arguments.policy, arguments.calibration)
    results = scored(arguments.series, policies, jobs=arguments.jobs)
    tell([bars(results)], arguments.markdown, "bars")
    tell(sheets(results), arguments.markdown, "detectors")
    if arguments.json:
        write_json(arguments.json, results)


def _presets(arguments: argparse.Namespace) -> None:
    from detecting.calibrating import CALIBRATED, chosen
    from detecting.scoring import scored
    from detecting.table import presets, tell

    compared = [name for name in PRESETS if name != "rl"]  # its samples have prompts
    names = [*compared, *([CALIBRATED] if arguments.calibration else [])]
    results = {
        name: scored(arguments.series, chosen(name, arguments.calibration), jobs=arguments.jobs) for name in names
    }
    tell([presets(results)], arguments.markdown, "presets")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="False alarms, misses and delays of collapse detectors.")
    commands = parser.add_subparsers(required=True)
    _add_simulate(commands)
    measuring = commands.add_parser("measure", help="read today's indicators from grown lineages")
    measuring.set_defaults(run=_measure)
    measuring.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the lineages are")
    scoring = commands.add_parser("score", help="let the guard and its rivals decide, and print the tables")
    scoring.set_defaults(run=_score)
    scoring.add_argument("--policy", metavar="FILE", help="of the guard: strict, default, lenient, calibrated, a file")
    scoring.add_argument("--json", type=Path, metavar="FILE", help="write the first alarm of every lineage")
    comparing = commands.add_parser("presets", help="score the guard by each preset, and calibrated")
    comparing.set_defaults(run=_presets)
    for command in (scoring, comparing):
        command.add_argument(
            "--series", type=Path, required=True, metavar="FILE", help="the lineages, as `measure` wrote them"
        )
        command.add_argument(
            "--calibration", type=Path, metavar="FILE", help="lineages of tuning seeds, for the policy `calibrated`"
        )
        command.add_argument(
            "--markdown", type=Path, metavar="FILE", help="write the tables between the marks of this page"
        )
    for command in commands.choices.values():
        command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    return parser


def _add_simulate(commands: Any) -> None:
    simulating = commands.add_parser("simulate", help="grow lineages")
    simulating.set_defaults(run=_simulate)
    simulating.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the lineages are put")
    simulating.add_argument("--seeds", choices=list(SEEDS), default="published")
    corpora, scenarios = [*CORPORA, OF_WORLDS], [*SCENARIOS, *WORLDS]
    simulating.add_argument("--corpora", nargs="+", choices=corpora, default=corpora)
    simulating.add_argument("--scenarios", nargs="+", choices=scenarios, default=scenarios)
    simulating.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    for field in fields(Counts):
        simulating.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=int,
            default=field.default,
            metavar="N",
            help="lineages of each such scenario and corpus",
        )
    simulating.add_argument("--generations", type=int, default=Sizes().generations, metavar="N")


if __name__ == "__main__":
    main()
