"""Weigh samples whose worth is known: which verdicts see what is wrong with them, and how sure that is.

    python benchmarks/worth.py rows [--repeats 5] [--pairs 40] [--markdown docs/vectors.md]
    python benchmarks/worth.py images [--repeats 3] [--pairs 20] [--markdown docs/vectors.md]
    python benchmarks/worth.py kinds [--repeats 5] [--markdown docs/vectors.md]
    python benchmarks/worth.py texts [--sets 18] [--markdown docs/reverse-perplexity.md]
    python benchmarks/worth.py slices [--markdown docs/slices.md]

`rows` has sixteen kinds of samples of three worlds, and pairs of real rows: three minutes on one core. `images` has
eleven kinds of images of 12,288 numbers: six minutes, and 2 GB of memory. `kinds` loses kinds that lie near each other:
three minutes. `texts` has eight kinds of samples of
speeches, and sets of fresh passages: one minute. `slices` shortens passages of speeches: a quarter of a minute.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from detecting.table import Sheet, tell
from weighing import images, kinds, rows, slices, speeches, texts, worlds
from weighing.faults import FAULTS

Item = TypeVar("Item")
WORLDS = (
    ("kinds far apart", worlds.mixture(10), 4_000),
    ("kinds near", worlds.mixture(10, worlds.NEAR), 4_000),
    ("people", worlds.people(), 2_000),
)
"""What the samples of the first table stand for, with the rows of the wild type."""
LOST = (0, 1, 4)
"""Kinds of eight that are lost."""
SETS_OF = (100, 200, 500, 1_000, 2_000, 5_000)
BUDGETS = (1 << 14, 1 << 16, 1 << 17, 1 << 18)
WORDS = (10, 20, 40, 60, 80)
"""Passages in a set, tokens that the small model sees, and first words of a passage."""


def main() -> None:
    arguments = _parser().parse_args()
    for name, sheet in arguments.run(arguments).items():
        tell([sheet], arguments.markdown, name)


def _rows(arguments: argparse.Namespace) -> dict[str, Sheet]:
    how = {"samples": arguments.samples, "repeats": arguments.repeats, "seed": arguments.seed, "faults": FAULTS}
    seen = [
        (name, list(_watched(rows.seen(world, real=real, **how), name, len(FAULTS)))) for name, world, real in WORLDS
    ]
    chosen = worlds.healthy(arguments.pairs)
    found = [(data, rows.pairs(data, arguments.seed)) for data in _watched(chosen, "real rows", len(chosen))]
    return {"faults of rows": rows.sheet_of_faults(seen, FAULTS), "real rows": rows.sheet_of_pairs(found)}


def _images(arguments: argparse.Namespace) -> dict[str, Sheet]:
    how = {"repeats": arguments.repeats, "healthy": arguments.pairs, "seed": arguments.seed}
    how |= {"real": arguments.real, "samples": arguments.samples}
    seen = []
    for name, apart in (("kinds far apart", images.FAR), ("kinds near", images.NEAR)):
        of_faults = images.seen(images.Images(apart=apart, side=arguments.side), **how)
        seen.append((name, list(_watched(of_faults, name, len(images.FAULTS)))))
    return {"faults of images": rows.sheet_of_faults(seen, images.FAULTS)}


def _kinds(arguments: argparse.Namespace) -> dict[str, Sheet]:
    how = {name: getattr(arguments, name) for name in ("columns", "real", "samples", "repeats", "seed")}
    return {"kinds near each other": kinds.sheet(lost=LOST, **how)}


def _texts(arguments: argparse.Namespace) -> dict[str, Sheet]:
    passages = speeches.passages(_sizes(arguments), arguments.seed)
    kinds = texts.kinds(passages, arguments.samples, arguments.seed)
    weighed = [(kind, texts.worth(passages.wild_type, kind.samples)) for kind in kinds]
    covered = texts.covered(passages, arguments.sets_of, arguments.sets, arguments.seed)
    return {
        "kinds of texts": texts.sheet_of_kinds(weighed),
        "fresh texts": texts.sheet_of_covered(list(_watched(covered, "fresh passages", len(arguments.sets_of)))),
        "budgets": texts.sheet_of_budgets(texts.by_budget(passages.wild_type, kinds[:3], arguments.budgets)),
    }


def _slices(arguments: argparse.Namespace) -> dict[str, Sheet]:
    wild_type = speeches.passages(speeches.Sizes(real=arguments.real), arguments.seed).wild_type
    return {"first words": slices.sheet(wild_type, slices.kept(wild_type, arguments.words))}


def _sizes(arguments: argparse.Namespace) -> speeches.Sizes:
    return speeches.Sizes(real=arguments.real, learnt=arguments.learnt, samples=arguments.samples)


def _watched(some: Iterable[Item], what: str, total: int) -> Iterable[Item]:
    return track(some, what, total=total, console=Console(stderr=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Samples whose worth is known, and what is found that they are worth.")
    commands = parser.add_subparsers(required=True)
    of_rows = commands.add_parser("rows", help="kinds of samples that are rows, and pairs of real rows")
    of_rows.set_defaults(run=_rows)
    of_rows.add_argument("--samples", type=int, default=2_000, metavar="N", help="rows of a generation")
    of_rows.add_argument("--repeats", type=int, default=5, metavar="N", help="pairs of each kind of samples")
    of_rows.add_argument("--pairs", type=int, default=40, metavar="N", help="pairs of real rows of each line")
    of_images = commands.add_parser("images", help="kinds of samples that are images of many pixels")
    of_images.set_defaults(run=_images)
    of_images.add_argument("--real", type=int, default=2_000, metavar="N", help="images of the wild type")
    of_images.add_argument("--samples", type=int, default=1_000, metavar="N", help="images of a generation")
    of_images.add_argument("--repeats", type=int, default=3, metavar="N", help="pairs of each kind of samples")
    of_images.add_argument("--pairs", type=int, default=20, metavar="N", help="pairs of real images")
    of_images.add_argument("--side", type=int, default=64, metavar="N", help="pixels in a row and in a column")
    of_kinds = commands.add_parser("kinds", help="kinds that lie near each other, of which some are lost")
    of_kinds.set_defaults(run=_kinds)
    of_kinds.add_argument("--columns", type=int, default=128, metavar="N", help="numbers of a row")
    of_kinds.add_argument("--real", type=int, default=2_000, metavar="N", help="rows of the wild type")
    of_kinds.add_argument("--samples", type=int, default=1_000, metavar="N", help="rows of a generation")
    of_kinds.add_argument("--repeats", type=int, default=3, metavar="N", help="pairs in each cell")
    default = speeches.Sizes()
    of_texts = commands.add_parser("texts", help="kinds of samples that are texts, and sets of fresh passages")
    of_texts.set_defaults(run=_texts)
    of_texts.add_argument("--learnt", type=int, default=default.learnt, metavar="N", help="passages the trigram learns")
    of_texts.add_argument("--samples", type=int, default=default.samples, metavar="N", help="samples of each kind")
    of_texts.add_argument("--sets", type=int, default=18, metavar="N", help="sets of fresh passages of each size")
    of_texts.add_argument("--sets-of", nargs="+", type=int, default=SETS_OF, metavar="N", help="passages in a set")
    of_texts.add_argument(
        "--budgets", nargs="+", type=int, default=BUDGETS, metavar="N", help="tokens of the small model"
    )
    of_slices = commands.add_parser("slices", help="documents of which the first words are given")
    of_slices.set_defaults(run=_slices)
    of_slices.add_argument("--words", nargs="+", type=int, default=WORDS, metavar="N", help="first words of each")
    for command in (of_texts, of_slices):
        command.add_argument("--real", type=int, default=default.real, metavar="N", help="passages of the wild type")
    for command in commands.choices.values():
        command.add_argument("--seed", type=int, default=0, help="of everything random")
        command.add_argument(
            "--markdown", type=Path, metavar="FILE", help="write the tables between the marks of this page"
        )
    return parser


if __name__ == "__main__":
    main()
