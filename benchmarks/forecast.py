"""Score how well forecasts hold, and whether the prescribed real share is enough: two tables.

    python benchmarks/forecast.py score --series FILE [--markdown FILE]
    python benchmarks/forecast.py prescribe [--model gru] [--seeds 3] [--out FOLDER] [--markdown FILE]

`score` forecasts the lineages that `detector.py measure` wrote, in seconds. `prescribe` trains lineages of trigram
models on their own samples for a few generations, and then gives them the real share that the guard asks for: half a
minute for each seed, corpus and decoding. With `--model gru` it runs the demo's neural model once: twenty minutes.
"""

from __future__ import annotations

import argparse
import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from detecting.table import tell
from detecting.workers import over

if TYPE_CHECKING:
    from forecasting.prescribing import Tried

MARKS = {"score": "forecast", "ngrams": "prescription", "gru": "prescription-gru"}
"""What the marks of each table are called."""


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def _score(arguments: argparse.Namespace) -> None:
    from forecasting.scoring import scored, sheet

    tell([sheet(scored(arguments.series, jobs=arguments.jobs))], arguments.markdown, MARKS["score"])


def _prescribe(arguments: argparse.Namespace) -> None:
    from forecasting.prescribing import sheet

    arguments.out.mkdir(parents=True, exist_ok=True)
    found = _gru(arguments) if arguments.model == "gru" else _ngrams(arguments)
    tell([sheet(found)], arguments.markdown, MARKS[arguments.model])


def _ngrams(arguments: argparse.Namespace) -> list[Tried]:
    from detecting.sizes import Sizes
    from forecasting.prescribing import DECODINGS, Ngrams, tried

    chosen = [
        Ngrams(corpus=corpus, decoding=decoding, seed=seed, sizes=Sizes(), folder=arguments.out)
        for seed, corpus, decoding in product(range(arguments.seeds), arguments.corpora, DECODINGS)
    ]
    done = over(tried, chosen, jobs=arguments.jobs)
    return [
        one for several in track(done, "trying", total=len(chosen), console=Console(stderr=True)) for one in several
    ]


def _gru(arguments: argparse.Namespace) -> list[Tried]:
    from forecasting.neural import tried

    return [tried(arguments.out)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How well forecasts hold, and whether what is prescribed is enough.")
    commands = parser.add_subparsers(required=True)
    scoring = commands.add_parser("score", help="forecast lineages that went on, and print the table")
    scoring.set_defaults(run=_score)
    scoring.add_argument(
        "--series", type=Path, required=True, metavar="FILE", help="the lineages, as `detector.py measure` wrote them"
    )
    trying = commands.add_parser("prescribe", help="do what trials ask for, and see whether it is enough")
    trying.set_defaults(run=_prescribe)
    trying.add_argument("--model", choices=["ngrams", "gru"], default="ngrams")
    trying.add_argument("--seeds", type=int, default=3, metavar="N", help="trials of each corpus and decoding")
    corpora = ["speeches", "wikipedia"]
    trying.add_argument("--corpora", nargs="+", choices=corpora, default=corpora)
    trying.add_argument(
        "--out", type=Path, default=Path("prescriptions"), metavar="FOLDER", help="for wild types and stores"
    )
    for command in (scoring, trying):
        command.add_argument(
            "--markdown", type=Path, metavar="FILE", help="write the table between the marks of this page"
        )
        command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    return parser


if __name__ == "__main__":
    main()
