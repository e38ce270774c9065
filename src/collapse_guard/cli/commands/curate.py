"""`collapse-guard curate`: choose the samples of a model that are fit to be trained on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from collapse_guard.cli import options
from collapse_guard.cli.terminal import errors, output, printable, say
from collapse_guard.errors import InputError

if TYPE_CHECKING:
    from collapse_guard.evidence import Losses
    from collapse_guard.reinjection import Curation


class CurationRule(StrEnum):
    """Rules of `curate` that can be left out."""

    EXACT = "exact"
    NEAR = "near"
    QUALITY = "quality"
    PROBABLE = "probable"
    TOWARD = "toward"


def curate(
    samples: Annotated[
        list[Path],
        typer.Argument(metavar="SAMPLES...", help=f"Samples of a model: {options.TEXT_FILES}."),
    ],
    out: Annotated[Path, options.file("Write the kept samples here, as jsonl: text, weight.")],
    wild_type: Annotated[Path, typer.Option(metavar="DIR", help="Wild type whose pool defines what is usual.")],
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Draw N of the remaining samples toward the pool. Default: weight all."),
    ] = None,
    own_losses: options.OwnLossesFile = None,
    real_losses: Annotated[
        Path | None,
        options.file(
            "Losses of the same model on real documents, to leave out samples more probable than nearly all of them."
        ),
    ] = None,
    without: Annotated[list[CurationRule] | None, typer.Option(help="Skip a rule; may be repeated.")] = None,
    near: Annotated[float, typer.Option(help="Smallest similarity of near duplicates.")] = 0.8,
    quantile: Annotated[float, typer.Option(help="Part of the pool that each bound would leave out.")] = 0.005,
    column: options.Column = "text",
    seed: options.Seed = 0,
    json_file: Annotated[Path | None, options.file("Write the audit as JSON.", "--json")] = None,
) -> None:
    """Leave out copies, near duplicates, unusual and too probable samples, and draw the rest toward the real data."""
    from collapse_guard.cli.outputs import check_outputs, write_json, write_rows
    from collapse_guard.cli.texts import find_texts, read_texts
    from collapse_guard.corpus.losses import read_losses
    from collapse_guard.measurement.intake import texts_intake
    from collapse_guard.reinjection import curate as choose
    from collapse_guard.reinjection.curation import RULES
    from collapse_guard.wildtype import WildType

    if (own_losses is None) != (real_losses is None):
        raise InputError("`--own-losses` and `--real-losses` must be given together, but got one: give both, or none")
    files = find_texts(samples)
    check_outputs({"--out": out, "--json": json_file}, [*files.paths, wild_type, own_losses, real_losses])
    frozen = WildType.load(wild_type)
    rows = read_texts(files, column=column)
    filled = [row for row, text in enumerate(rows) if text]
    texts = [rows[row] for row in filled]
    if keep is not None and keep > len(texts):
        raise InputError(
            f"`--keep` must be at most the {len(texts):,} samples with text, but got {keep}: ask for fewer"
        )
    with errors().status("curating the samples"):
        curation = choose(
            texts,
            frozen,
            n=keep,
            nats=None if own_losses is None else _own_losses(own_losses, filled, len(rows)).rates,
            real_nats=None if real_losses is None else read_losses(real_losses).rates,
            rules=[rule for rule in RULES if rule not in {left_out.value for left_out in without or ()}],
            near=near,
            quantile=quantile,
            seed=seed,
        )
    kept = zip(curation.places, curation.weights, strict=True)
    write_rows(out, ({"text": texts[place], "weight": round(float(weight), 6)} for place, weight in kept))
    if json_file is not None:
        write_json(json_file, [row.to_dict() for row in curation.audit])
    counts = {"rows": len(rows), "empty": len(rows) - len(texts)}
    say(f"Read {texts_intake(texts, frozen.encode(texts), part='samples', unit='texts', source=files.name, **counts)}.")
    _show(curation)
    say(f"{len(curation.places):,} of {len(rows):,} samples are in {out}.")


def _own_losses(path: Path, filled: list[int], n: int) -> Losses:
    """In the order of the samples with text, of which each must have a loss; raises InputError."""
    from collapse_guard.corpus.losses import read_losses

    losses = read_losses(path)
    places = {document: place for place, document in enumerate(losses.documents)}
    if not set(map(str, filled)) <= places.keys() <= set(map(str, range(n))):
        raise InputError(
            f"`--own-losses` must have a row for each of the {len(filled)} samples with text, numbered from 0 as "
            f"rows of the file, but got {len(losses)} rows, the first for {losses.documents[0]!r}: score all of them"
        )
    return losses.take([places[str(row)] for row in filled])


def _show(curation: Curation) -> None:
    table = Table("rule", "left out", "left", "bound", "example", box=None)
    for row in curation.audit:
        example = row.examples[0] if row.examples else ""
        table.add_row(row.rule, f"{row.removed:,}", f"{row.left:,}", row.bound, Text(printable(example)))
    output().print(table)
