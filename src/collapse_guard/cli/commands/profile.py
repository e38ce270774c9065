"""`collapse-guard profile`: fit a wild type from files."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from collapse_guard.cli import options
from collapse_guard.cli.slices import show_slices, slice_warnings
from collapse_guard.cli.terminal import output, say, say_warning
from collapse_guard.cli.waiting import waiting

if TYPE_CHECKING:
    from collapse_guard.corpus.files import TextFiles
    from collapse_guard.records import Intake
    from collapse_guard.records.readings import Readings
    from collapse_guard.wildtype import WildType
    from collapse_guard.wildtype.contents import TextContents

_FEWEST_WORDS = 2
_LARGEST_SHARE = 0.5


def profile(
    real: Annotated[
        list[Path],
        typer.Argument(metavar="REAL...", help=f"Real documents: {options.TEXT_FILES}."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the wild type.", show_default=False)],
    column: options.Column = "text",
    slices: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="COLUMN",
            help="Column that says what kind each document is of, such as its language, topic or customer, named as "
            "--column is: each kind is watched by itself. Default: kinds are found by their words.",
            show_default=False,
        ),
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEST",
            help="Documents to measure on, where they are split already: all of REAL may then be trained on, but for "
            "what is in TEST too, or resembles it. May be repeated. Default: a share of REAL.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    group_tokens: Annotated[
        int | None,
        typer.Option(
            help="Tokens in a group, the sample size of all comparisons. Default: 4096, or fewer for few documents."
        ),
    ] = None,
    evaluation_fraction: Annotated[
        float, typer.Option(help="Share of REAL to measure on, without --evaluation. Never train on it.")
    ] = 0.2,
) -> None:
    """Freeze real documents into a wild type: what every generation is measured against."""
    from collapse_guard.cli.outputs import check_folder
    from collapse_guard.cli.texts import find_texts
    from collapse_guard.wildtype import WildType

    files, n_read, n_blank = find_texts(real), 0, 0
    held = find_texts(evaluation) if evaluation else None
    check_folder(out, "--out", [*files.paths, *(held.paths if held else ())])
    # Texts and labels are read in step, so hardly any row waits.
    texts, labels = tee(_rows(files, column, slices))
    held_texts, held_labels = tee(_rows(held, column, slices) if held else ())

    def counted() -> Iterator[str]:
        nonlocal n_read, n_blank
        for text, _ in texts:
            n_read += 1
            n_blank += not text
            yield text

    with waiting() as wait:
        wild_type = WildType.fit(
            wait.read(counted(), files),
            seed=seed,
            group_tokens=group_tokens,
            evaluation_fraction=evaluation_fraction,
            slices=None if slices is None else (label for _, label in chain(labels, held_labels)),
            evaluation=wait.read((text for text, _ in held_texts), held) if held else None,
            watch=wait.watch,
        )
        wait.for_the_rest("writing it, and reading it as a baseline")
        wild_type = replace(wild_type, home=wild_type.save(out).absolute())
        facts, reference, _ = _facts(wild_type), _reference(wild_type), wild_type.slices
        intake = _intake(wild_type, files, is_split=held is not None, rows=n_read, empty=n_blank)
    say(f"Read {intake}.\n")
    _show(facts)
    show_slices(wild_type, slices)
    _show_detections(reference, len(wild_type.evaluation))
    for warning in (*_gaps(wild_type, reference), *_word_warnings(wild_type), *slice_warnings(wild_type, slices)):
        say_warning(warning)
    _show_next(out)


def _rows(files: TextFiles, column: str, slices: str | None) -> Iterator[tuple[str, str]]:
    """The text of each row, and its label where a column of them is named."""
    from collapse_guard.corpus.labelled import stream_labelled
    from collapse_guard.corpus.reading import stream_samples

    if slices is None:
        return ((text, "") for text in stream_samples(files, column=column))
    return stream_labelled(files, column=column, slices=slices)


def _intake(wild_type: WildType, files: TextFiles, *, is_split: bool, **counts: int) -> Intake:
    """What was read to be split, or as the pool; lengths are those of a random part."""
    from collapse_guard.measurement.intake import texts_intake

    n_evaluation, pool = len(wild_type.evaluation), wild_type.pool
    texts = pool[:n_evaluation].texts if is_split else wild_type.evaluation.texts
    counted = texts_intake(
        texts, wild_type.encode(texts), part="documents", unit="documents", source=files.name, **counts
    )
    elsewhere = _contents(wild_type).n_left_out if is_split else n_evaluation
    return counted.model_copy(update={"different": len(pool) + elsewhere})


def _reference(wild_type: WildType) -> Readings:
    # torch, which only this needs, takes 200 MB.
    from collapse_guard.measurement.measure import reference_readings

    return reference_readings(wild_type, sample_tokens=None)


def _facts(wild_type: WildType) -> dict[str, str]:
    return {
        "evaluation": f"{len(wild_type.evaluation):,}, never to be trained on",
        "pool": f"{len(wild_type.pool):,}, which may be trained on",
        "near duplicates": f"{_n_alike(wild_type):,} documents, on the same side as the document they resemble",
        "vocabulary": f"{wild_type.vocabulary_size:,} tokens",
        "words": f"{len(wild_type.known_words):,}, of which {len(wild_type.rare_words):,} are rare",
        "fingerprint": wild_type.fingerprint,
    }


def _n_alike(wild_type: WildType) -> int:
    """Number of documents that are near duplicates of another one; the first of each cluster does not count."""
    return _contents(wild_type).n_alike or 0


def _contents(wild_type: WildType) -> TextContents:
    from collapse_guard.wildtype.contents import of_texts

    return of_texts(wild_type.contents)


def _gaps(wild_type: WildType, reference: Readings) -> list[str]:
    """Indicators for which the wild type is too small as a baseline; found now instead of at the first verdict."""
    from collapse_guard.decision.policy import DECIDES
    from collapse_guard.indicators.likelihood.documents import TailLoss
    from collapse_guard.measurement.stratum import TAIL_SHARE

    readings = [reference[name] for name in reference if name in DECIDES]
    lacking = {
        problem: [r.indicator for r in readings if r.problem == problem] for problem in (r.problem for r in readings)
    }
    gaps = [
        f"no founder can be judged by {', '.join(names)}: {problem}" for problem, names in lacking.items() if problem
    ]
    needed = math.ceil(TailLoss.minimum_n / TAIL_SHARE)
    if len(wild_type.evaluation) < needed:
        gaps.append(
            f"tail_loss needs {needed} evaluation documents, and there are {len(wild_type.evaluation)}: "
            "without more it is not read, and does not decide"
        )
    return gaps


def _word_warnings(wild_type: WildType) -> list[str]:
    """Where words tell little of these documents, so that a person does not trust what is read from them."""
    from collapse_guard.corpus.embedding import TfidfEmbedder

    n_documents = len(wild_type.evaluation) + len(wild_type.pool)
    known, rare = wild_type.known_words, wild_type.rare_words
    n_words, n_rare = sum(known.values()), sum(rare.values())
    warnings = []
    if n_words < _FEWEST_WORDS * n_documents:
        warnings.append(
            f"the documents have {n_words / n_documents:.1f} words each: rare words and pairs of words tell little of "
            "them; if they are longer, see how text is divided into words (docs/words-and-columns.md)"
        )
    if n_rare > _LARGEST_SHARE * n_words:
        warnings.append(
            f"the rare words are {n_rare / n_words:.0%} of the text: hardly any word comes often, so rare_coverage and "
            "rare_mass see little; give more documents of one kind"
        )
    embedder = _contents(wild_type).embedder
    if isinstance(embedder, TfidfEmbedder) and embedder.unit == "characters":
        warnings.append(
            "the documents share so few words that the default embedder compares runs of three characters: "
            "spread and distance are of spelling, not of topics; in Python, pass an `embedder` that knows such text"
        )
    return warnings


def _show_detections(reference: Readings, n: int) -> None:
    """What this much real data can find, and what more would buy."""
    from collapse_guard.comparison.effects import limit
    from collapse_guard.decision.detection import MORE, detections
    from collapse_guard.decision.policy import Policy

    table = Table("indicator", "limit", "found from", f"with {MORE} times the data", box=None)
    for now, with_more in detections(reference, Policy()):
        harms = (now.margin, now.detectable, with_more.detectable)
        table.add_row(now.indicator, *("-" if harm is None else limit(now, harm) for harm in harms))
    if table.row_count:
        say(
            f"\nWith {n:,} samples, as many as there are evaluation documents, the first generation after the founder "
            "is found beyond its limit (80% power) from:"
        )
        output().print(table)


def _show(facts: dict[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, fact)
    output().print(table)


def _show_next(out: Path) -> None:
    say(f"\nThe wild type is in {out}. Next, assess the founder of a lineage (the model trained on real data only):")
    say(f"  collapse-guard assess SAMPLES --wild-type {shlex.quote(str(out))} --lineage NAME --founder")
