"""Score how well collapse is detected: the guard and other rules on the same lineages, in one table.

    python benchmarks/detector.py simulate --out FOLDER [--seeds published] [--lineages 9] [--healthy 50] [--jobs 2]
    python benchmarks/detector.py score --out FOLDER [--policy FILE] [--calibration FOLDER] [--markdown FILE]
    python benchmarks/detector.py presets --out FOLDER [--calibration FOLDER] [--markdown FILE]

`simulate` trains, samples and measures; it takes hours, and resumes if it was stopped. `score` decides on these
measurements by any policy, in minutes: a preset, a file, or `calibrated` on lineages with other seeds. `presets`
compares the presets.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from collapse_guard.decision.policy import PRESETS
from detecting.corpora import CORPORA
from detecting.scenarios import SCENARIOS
from detecting.simulating import claim, simulate, tasks
from detecting.sizes import SEEDS, Sizes
from detecting.workers import over
from detecting.worlds import WORLDS

if TYPE_CHECKING:
    from detecting.table import Sheet

WIDTH = 160
"""Columns where the output is not a terminal."""


def main() -> None:
    arguments = _parser().parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.run(arguments)


def _simulate(arguments: argparse.Namespace) -> None:
    chosen = tasks(
        SEEDS[arguments.seeds], arguments.corpora, arguments.scenarios, arguments.lineages, arguments.healthy
    )
    sizes = Sizes(generations=arguments.generations)
    claim(arguments.out, sizes)
    done = over(simulate, chosen, sizes, arguments.out, jobs=arguments.jobs)
    seconds = list(track(done, "simulating", total=len(chosen), console=Console(stderr=True)))
    new = [one for one in seconds if one]
    if new:
        print(f"{len(new)} new lineages of {len(chosen)}, {sum(new) / len(new):.2f} processor seconds for a generation")


def _score(arguments: argparse.Namespace) -> None:
    from detecting.calibrating import chosen
    from detecting.scoring import scored
    from detecting.table import sheets, write_json

    policies = chosen(arguments.policy, arguments.calibration)
    results = scored(arguments.out, policies, jobs=arguments.jobs)
    _tell(sheets(results), arguments.markdown, "detectors")
    if arguments.json:
        write_json(arguments.json, results)


def _presets(arguments: argparse.Namespace) -> None:
    from detecting.calibrating import CALIBRATED, chosen
    from detecting.scoring import scored
    from detecting.table import presets

    names = [*PRESETS, *([CALIBRATED] if arguments.calibration else [])]
    results = {name: scored(arguments.out, chosen(name, arguments.calibration), jobs=arguments.jobs) for name in names}
    _tell([presets(results)], arguments.markdown, "presets")


def _tell(found: Sequence[Sheet], page: Path | None, name: str) -> None:
    from detecting.table import write_markdown

    console = Console() if Console().is_terminal else Console(width=WIDTH)
    for sheet in found:
        console.print(sheet.rich)
    if page:
        write_markdown(page, found, name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="False alarms, misses and delays of collapse detectors.")
    commands = parser.add_subparsers(required=True)
    simulating = commands.add_parser("simulate", help="grow lineages and measure them")
    simulating.set_defaults(run=_simulate)
    simulating.add_argument("--seeds", choices=list(SEEDS), default="published")
    simulating.add_argument("--corpora", nargs="+", choices=[*CORPORA, "worlds"], default=[*CORPORA, "worlds"])
    simulating.add_argument("--scenarios", nargs="+", choices=[*SCENARIOS, *WORLDS], default=[*SCENARIOS, *WORLDS])
    simulating.add_argument(
        "--lineages", type=int, default=9, metavar="N", help="of each collapsing scenario and corpus"
    )
    simulating.add_argument("--healthy", type=int, default=50, metavar="N", help="of each healthy scenario and corpus")
    simulating.add_argument("--generations", type=int, default=Sizes().generations, metavar="N")
    scoring = commands.add_parser("score", help="let the guard and its rivals decide, and print the table")
    scoring.set_defaults(run=_score)
    scoring.add_argument("--policy", metavar="FILE", help="of the guard: strict, default, lenient, calibrated, a file")
    scoring.add_argument("--json", type=Path, metavar="FILE", help="write the first alarm of every lineage")
    comparing = commands.add_parser("presets", help="score the guard by each preset, and calibrated")
    comparing.set_defaults(run=_presets)
    for command in (scoring, comparing):
        command.add_argument(
            "--calibration", type=Path, metavar="FOLDER", help="lineages of tuning seeds, for the policy `calibrated`"
        )
        command.add_argument(
            "--markdown", type=Path, metavar="FILE", help="write the tables between the marks of this page"
        )
    for command in (simulating, scoring, comparing):
        command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the lineages are")
        command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    return parser


if __name__ == "__main__":
    main()
