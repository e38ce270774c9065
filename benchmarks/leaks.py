"""Look for leaks of known size in training texts, and judge what comes after founders that have one.

    python benchmarks/leaks.py texts [--seeds 0 1] [--markdown docs/leaks.md]
    python benchmarks/leaks.py founders [--seeds 0 1 2 3 4 5 6 7 8 9] [--markdown docs/leaks.md]

`texts` has three sources of documents, and `founders` trains 70 small models: some four minutes each on one core.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
from rich.console import Console
from rich.progress import track

from detecting.table import Sheet, tell
from leaking import corpora, founders, looking
from leaking.forms import FORMS, chunks

SHORT = 24
"""Words of short documents."""


def main() -> None:
    arguments = _parser().parse_args()
    for name, sheet in arguments.run(arguments).items():
        tell([sheet], arguments.markdown, name)


def _texts(arguments: argparse.Namespace) -> dict[str, Sheet]:
    how = {"most": arguments.documents, "evaluation": arguments.evaluation}
    chance: dict[str, tuple[int, list[float]]] = {}
    missed: dict[str, list[looking.Missed]] = {}
    rows = [(share, beside_pool) for beside_pool in (True, False) for share in looking.SHARES]
    seen: dict[tuple[float, bool], list[list[int]]] = {row: [[] for _ in looking.BATCHES] for row in rows}
    for name in _watched(arguments.sources):
        divided = [corpora.divided(name, seed=seed, **how) for seed in arguments.seeds]
        shares = [float(np.mean([looking.by_chance(one, form) for one in divided])) for form in FORMS.values()]
        chance[name] = (len(divided[0].unseen), shares)
        of = {"as they are": [one.wild_type for one in divided]}
        of[f"their first {SHORT} words"] = [
            looking.shortened(one, SHORT, arguments.evaluation, seed)
            for one, seed in zip(divided, arguments.seeds, strict=True)
        ]
        for kind, wild_types in of.items():
            missed[f"{name}, {kind}"] = [
                looking.Missed(*np.mean([looking.missed(one, form, 0) for one in wild_types], axis=0))
                for form in FORMS.values()
            ]
        wild_type = divided[0].wild_type
        leaked, pool, unseen = (
            chunks(wild_type, list(texts)) for texts in (wild_type.evaluation, wild_type.pool, divided[0].unseen)
        )
        for share, beside_pool in rows:
            for place, batches in enumerate(looking.BATCHES):
                how_often = {"batches": batches, "draws": arguments.draws, "seed": 1}
                times = looking.seen(wild_type, leaked, pool if beside_pool else unseen, share, **how_often)
                seen[share, beside_pool][place].append(round(looking.OF_100 * times / arguments.draws))
    return {
        "copies by chance": looking.sheet_of_chance(chance),
        "leaks seen": looking.sheet_of_seen(seen, arguments.sources),
        "documents missed": looking.sheet_of_missed(missed),
    }


def _founders(arguments: argparse.Namespace) -> dict[str, Sheet]:
    found = [
        one
        for seed in _watched(arguments.seeds)
        for one in founders.trials(seed, arguments.shares, every=arguments.every)
    ]
    return {"founders with a leak": founders.sheet(found)}


def _watched(some: list) -> list:
    return track(some, "leaks", console=Console(stderr=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Leaks of known size, and what is found of them.")
    commands = parser.add_subparsers(required=True)
    texts = commands.add_parser("texts", help="what is found of them in training texts")
    texts.set_defaults(run=_texts)
    texts.add_argument("--sources", nargs="+", choices=corpora.SOURCES, default=list(corpora.SOURCES), metavar="NAME")
    texts.add_argument("--documents", type=int, default=6_000, metavar="N", help="documents of a source, at most")
    texts.add_argument("--evaluation", type=int, default=1_000, metavar="N", help="evaluation documents, at most")
    texts.add_argument("--draws", type=int, default=looking.OF_100, metavar="N", help="of each line of batches")
    texts.add_argument("--seeds", nargs="+", type=int, default=[0, 1], metavar="N", help="of divisions of a source")
    of_founders = commands.add_parser("founders", help="verdicts on what comes after founders that have one")
    of_founders.set_defaults(run=_founders)
    of_founders.add_argument("--seeds", nargs="+", type=int, default=list(range(10)), metavar="N", help="one for each")
    of_founders.add_argument("--shares", nargs="+", type=float, default=founders.SHARES, metavar="X", help="trained on")
    of_founders.add_argument("--every", type=int, default=6, metavar="N", help="one of so many passages is used")
    for command in commands.choices.values():
        command.add_argument(
            "--markdown", type=Path, metavar="FILE", help="write the tables between the marks of this page"
        )
    return parser


if __name__ == "__main__":
    main()
