"""Compare which real documents to re-inject, and whether to curate the samples, on lineages of the same founders.

    python benchmarks/reinjection.py [--seeds 5] [--decodings pure] [--arms NAME ...] [--out FOLDER] [--markdown FILE]

Trigram models of real text are trained for eight generations on their own samples and a small share of real documents.
This takes about three minutes for each seed, corpus and decoding.
"""

from __future__ import annotations

import argparse
import os
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from detecting.sizes import Sizes
from detecting.table import tell
from detecting.workers import over
from reinjecting.arms import ARMS
from reinjecting.growing import SHARES, Family, Grown, grown
from reinjecting.tables import sheets

GENERATIONS = 8
"""After the founder."""
SIZES = Sizes(generations=GENERATIONS)
MARKS = "re-injection"
"""What the marks of the tables are called."""


def main() -> None:
    arguments = _parser().parse_args()
    tell(sheets(_grown(arguments)), arguments.markdown, MARKS)


def _grown(arguments: argparse.Namespace) -> list[Grown]:
    arguments.out.mkdir(parents=True, exist_ok=True)
    families = [
        Family(corpus=corpus, decoding=decoding, seed=seed, sizes=SIZES, folder=arguments.out)
        for seed, corpus, decoding in product(range(arguments.seeds), arguments.corpora, arguments.decodings)
    ]
    arms = [arm for arm in ARMS if arm.name in arguments.arms]
    done = over(grown, families, arms, arguments.shares, jobs=arguments.jobs)
    return [one for some in track(done, "growing", total=len(families), console=Console(stderr=True)) for one in some]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Which real documents to re-inject, compared on trigram lineages.")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="founders of each corpus and decoding")
    corpora, decodings, names = ["speeches", "wikipedia"], ["pure", "top_k"], [arm.name for arm in ARMS]
    parser.add_argument("--corpora", nargs="+", choices=corpora, default=corpora)
    parser.add_argument("--decodings", nargs="+", choices=decodings, default=decodings[:1])
    parser.add_argument("--arms", nargs="+", choices=names, default=names)
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES), help="of real tokens, from 0 to 1")
    parser.add_argument("--out", type=Path, default=Path("reinjection"), metavar="FOLDER", help="for wild types")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables between the marks of this page")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    return parser


if __name__ == "__main__":
    main()
