"""The arguments that several commands share, groups of arguments, and kinds of them.

What one command alone takes is in its signature. An option is named as its parameter unless it says otherwise.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

OLD_NAMES = {"real-fraction": "real-share"}
"""Options that go by another name now; the old one still works, and is not shown."""


def current_name(name: str) -> str:
    """The name of an option or value of today for one that a script may still use.

    Example:
        >>> current_name("real-fraction"), current_name("seed")
        ('real-share', 'seed')
    """
    return OLD_NAMES.get(name, name)


def file(text: str, *names: str) -> Any:
    """An option that is the path of a file."""
    return typer.Option(*names, metavar="FILE", help=text)


def generation(text: str) -> Any:
    """An option that is the number of a generation."""
    return typer.Option(min=0, metavar="T", help=text)


Lineage = Annotated[str, typer.Option(help="Name of the lineage.", show_default=False)]
Store = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Lineage store: an MLflow tracking URI. Default: MLFLOW_TRACKING_URI, else mlflow.db in this directory.",
    ),
]
TEXT_FILES = (
    "jsonl, json, csv, tsv or txt files (also .gz, .zst, .bz2), parquet or arrow files, directories, patterns, "
    "a saved dataset, or - for standard input"
)
"""What can be read, in words."""
Column = Annotated[
    str,
    typer.Option(
        help="Column with the text; a.b for a part of it; messages.assistant for what one role of a chat wrote; or a "
        'template of several, such as "{question} {answer}".'
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random; it is recorded.")]
OwnLossesFile = Annotated[
    Path | None,
    file(
        "Losses of the generation on its own samples. Columns as in --losses; the document is the number of the "
        "sample, from 0."
    ),
]
PolicyFile = Annotated[Path | None, file("Policy in TOML, or one of strict, default, lenient, rl. Default: default.")]
NewPolicy = Annotated[
    Path | None,
    file("Decide again by this policy: TOML, or strict, default, lenient, rl. Default: use the stored verdict."),
]
Json = Annotated[Path | None, file("Write the whole assessment as JSON.", "--json")]


class LossUnit(StrEnum):
    """What losses may be in."""

    NATS = "nats"
    BITS = "bits"
    LOG10 = "log10"


class LossPer(StrEnum):
    """What losses may be sums or means over."""

    DOCUMENT = "document"
    TOKEN = "token"  # noqa: S105 - no secret


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The options of `assess` that describe one generation; None for those not given."""

    samples: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SAMPLES", help=f"Samples of the generation: {TEXT_FILES}.", show_default=False),
    ] = None
    prompt_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column with the prompt that each sample answers, named as --column is. Default: prompt, where there "
            "is one.",
            show_default=False,
        ),
    ] = None
    losses: Annotated[
        Path | None,
        file(
            "Losses on wild-type documents, the same in every generation. Columns: document, nll (nats, summed over "
            "the document), n_tokens, and optionally n_bytes and entropy (nats, summed)."
        ),
    ] = None
    own_losses: OwnLossesFile = None
    founder_losses: Annotated[
        Path | None, file("Losses of the founder on the samples of this generation. Columns as in --own-losses.")
    ] = None
    training_losses: Annotated[
        Path | None,
        file(
            "Losses of the generation on documents that it was trained on. Columns as in --losses. To a founder with a "
            "leak, evaluation documents are no harder than these."
        ),
    ] = None
    training_texts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEXTS",
            help="All texts that the generation was trained on, as whole documents or parts of them, in files as "
            "SAMPLES are: evaluation documents are looked for in them. May be repeated.",
            show_default=False,
        ),
    ] = None
    loss_unit: Annotated[
        LossUnit | None,
        typer.Option(help="What the losses and entropies in all files are in. Default: nats.", show_default=False),
    ] = None
    loss_per: Annotated[
        LossPer | None,
        typer.Option(
            help="Whether they are sums over documents or means per token. Default: document.", show_default=False
        ),
    ] = None
    scores: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Scores of a task, such as facts=FILE: columns item and score (from 0 to 1); the same items in every "
            "generation. Repeat it for each task.",
            show_default=False,
        ),
    ] = None
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A trained model, which is measured here and now in place of samples and losses: a directory that "
            "Hugging Face saved, or what --loader reads.",
            show_default=False,
        ),
    ] = None
    loader: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="Function of the path of the checkpoint that returns the model and its probe; also MODULE:FUNCTION. "
            "It is run. Default: Hugging Face's.",
            show_default=False,
        ),
    ] = None
    wild_type: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Wild type that `profile` wrote. Required.", show_default=False)
    ] = None
    lineage: Annotated[
        str | None, typer.Option(help="Name of the lineage; it must exist, unless --founder starts it. Required.")
    ] = None
    founder: Annotated[
        bool | None,
        typer.Option(
            "--founder",
            help="Start the lineage with this generation, trained on real data: the same as --generation 0. With "
            "--reason, found a lineage anew that exists.",
            show_default=False,
        ),
    ] = None
    reason: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Why the lineage is founded anew, such as a new tokenizer, wild type or base model; it is recorded. "
            "With --founder: later generations are compared with this one, earlier ones stay as they are.",
            show_default=False,
        ),
    ] = None
    generation: Annotated[
        int | None, generation("Number of the generation; 0 is the founder. Default: one after the newest.")
    ] = None
    parent: Annotated[
        list[int] | None,
        generation("Generation whose samples it was trained on; may be repeated. Default: the newest earlier one."),
    ] = None
    real_share: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="X",
            help="Share of real data that it was trained on. Default: 1 for the founder, otherwise not known.",
        ),
    ] = None
    documents: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of documents that it was trained on; it sets the expected inbreeding."
        ),
    ] = None
    policy: PolicyFile = None


class SelectionStrategy(StrEnum):
    """Strategies of `--select`: those that need only the pool and what was lost."""

    UNIFORM = "uniform"
    TAIL = "tail"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The options of `prescribe` that choose real documents; no number: none are chosen."""

    select: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Choose N real documents; with --out and --wild-type.")
    ] = None
    out: Annotated[Path | None, file("Write the chosen documents here, as jsonl: text, weight, reason.")] = None
    wild_type: Annotated[Path | None, typer.Option(metavar="DIR", help="Wild type whose pool to choose from.")] = None
    strategy: Annotated[
        SelectionStrategy,
        typer.Option(help="uniform: at random; tail: half of them with what was lost, half at random."),
    ] = SelectionStrategy.UNIFORM


@dataclass(frozen=True, kw_only=True)
class Exits:
    """The options of `assess` and `gate` that say which verdicts fail."""

    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on WATCH too: exit code 1. Reports still say WATCH.")
    ] = False
    allow_undecided: Annotated[
        bool, typer.Option("--allow-undecided", help="Pass on UNDECIDED: exit code 0. Reports still say UNDECIDED.")
    ] = False


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of its parameters that are dataclasses, in their place."""
    options: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in _parameters(command):
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            groups[parameter.name] = kind
            options += _parameters(kind)
        else:
            options.append(parameter)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        parts = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **parts)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _parameters(of: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a command or the fields of a dataclass, given by name, with their types."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return [one.replace(kind=kind) for one in inspect.signature(of, eval_str=True).parameters.values()]
