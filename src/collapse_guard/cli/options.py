"""The arguments of all commands: each is explained once, and named as its parameter unless it says otherwise."""

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


def _generation(text: str) -> Any:
    return typer.Option(min=0, metavar="T", help=text)


Lineage = Annotated[str, typer.Option(help="Name of the lineage.", show_default=False)]
Lineages = Annotated[
    list[str], typer.Option(help="Name of a lineage; repeat it to compare several.", show_default=False)
]
Store = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Lineage store: an MLflow tracking URI. Default: MLFLOW_TRACKING_URI, else mlflow.db in this directory.",
    ),
]
Column = Annotated[str, typer.Option(help="Column with the text, in files that have columns.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random; it is recorded.")]

# profile
Real = Annotated[
    list[Path],
    typer.Argument(metavar="REAL...", help="Real documents: parquet, arrow, jsonl, csv, txt files or directories."),
]
WildTypeOut = Annotated[Path, typer.Option(metavar="DIR", help="Where to write the wild type.", show_default=False)]
GroupTokens = Annotated[int, typer.Option(help="Tokens in a group, the sample size of all comparisons.")]
EvaluationFraction = Annotated[float, typer.Option(help="Share of the documents to measure on. Never train on them.")]

# assess
Samples = Annotated[
    Path | None,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples of the generation: a parquet, arrow, jsonl, csv or txt file, or a directory of them.",
    ),
]
WildTypeIn = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Wild type that `profile` wrote. Required.", show_default=False)
]
LossesFile = Annotated[
    Path | None,
    file(
        "Losses on wild-type documents, the same in every generation. Columns: document, nll (nats, summed over "
        "the document), n_tokens, and optionally n_bytes and entropy (nats, summed)."
    ),
]
OwnLossesFile = Annotated[
    Path | None,
    file(
        "Losses of the generation on its own samples. Columns as in --losses; the document is the number of the "
        "sample, from 0."
    ),
]
FounderLossesFile = Annotated[
    Path | None, file("Losses of the founder on the samples of this generation. Columns as in --own-losses.")
]
ScoreFiles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE",
        help="Scores of a task, such as facts=FILE: columns item and score (from 0 to 1); the same items in every "
        "generation. Repeat it for each task.",
        show_default=False,
    ),
]
NewLineage = Annotated[str | None, typer.Option(help="Name of the lineage; a new name starts a new lineage. Required.")]
NewGeneration = Annotated[
    int | None, _generation("Number of the generation; 0 is the founder. Default: one after the newest.")
]
Parents = Annotated[
    list[int] | None,
    _generation("Generation whose samples it was trained on; may be repeated. Default: the newest earlier one."),
]
RealShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="X",
        help="Share of real data that it was trained on. Default: 1 for the founder, otherwise not known.",
    ),
]
TrainedOn = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Number of documents that it was trained on; it sets the expected inbreeding.",
    ),
]
PolicyFile = Annotated[Path | None, file("Policy in TOML, or one of strict, default, lenient. Default: default.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Send the evidence that was saved here while the store did not answer.")
]

# gate
Generation = Annotated[int | None, _generation("Generation to judge. Default: the newest.")]
NewPolicy = Annotated[
    Path | None,
    file("Decide again by this policy: TOML, or strict, default, lenient. Default: use the stored verdict."),
]

# prescribe
PrescribedGeneration = Annotated[int | None, _generation("Generation to forecast from. Default: the newest.")]
Target = Annotated[
    float | None,
    typer.Option(metavar="F", help="Fixation index to hold too, such as 0.05. Default: the policy's."),
]
Documents = Annotated[int | None, typer.Option(min=1, metavar="N", help="Documents in a training set; with --archive.")]
Archive = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Number of your real documents, to check whether they are enough."),
]


class SelectionStrategy(StrEnum):
    """Strategies of `--select`: those that need only the pool and what was lost."""

    UNIFORM = "uniform"
    TAIL = "tail"


Select = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Choose N real documents; with --out and --wild-type.")
]
SelectionOut = Annotated[Path | None, file("Write the chosen documents here, as jsonl: text, weight, reason.")]
PoolOf = Annotated[Path | None, typer.Option(metavar="DIR", help="Wild type whose pool to choose from.")]
By = Annotated[
    SelectionStrategy, typer.Option(help="uniform: at random; tail: half of them with what was lost, half at random.")
]

# assess and gate
Strict = Annotated[bool, typer.Option("--strict", help="Fail on WATCH too: exit code 1. Reports still say WATCH.")]
AllowUndecided = Annotated[
    bool, typer.Option("--allow-undecided", help="Pass on UNDECIDED: exit code 0. Reports still say UNDECIDED.")
]
Json = Annotated[Path | None, file("Write the whole assessment as JSON.", "--json")]
PageOut = Annotated[Path, file("Where to write the page.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")]

# curate
CuratedSamples = Annotated[
    list[Path],
    typer.Argument(
        metavar="SAMPLES...", help="Samples of a model: parquet, arrow, jsonl, csv, txt files or directories."
    ),
]
CuratedOut = Annotated[Path, file("Write the kept samples here, as jsonl: text, weight.")]
CuratedBy = Annotated[Path, typer.Option(metavar="DIR", help="Wild type whose pool defines what is usual.")]
Keep = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Draw N of the remaining samples toward the pool. Default: weight all."),
]
RealLossesFile = Annotated[
    Path | None,
    file("Losses of the same model on real documents, to leave out samples more probable than nearly all of them."),
]


class CurationRule(StrEnum):
    """Rules of `curate` that can be left out."""

    EXACT = "exact"
    NEAR = "near"
    QUALITY = "quality"
    PROBABLE = "probable"
    TOWARD = "toward"


Without = Annotated[list[CurationRule] | None, typer.Option(help="Skip a rule; may be repeated.")]
Near = Annotated[float, typer.Option(help="Smallest similarity of near duplicates.")]
Quantile = Annotated[float, typer.Option(help="Part of the pool that each bound would leave out.")]
AuditJson = Annotated[Path | None, file("Write the audit as JSON.", "--json")]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The options of `assess` that describe one generation; None for those not given."""

    samples: Samples = None
    losses: LossesFile = None
    own_losses: OwnLossesFile = None
    founder_losses: FounderLossesFile = None
    scores: ScoreFiles = None
    wild_type: WildTypeIn = None
    lineage: NewLineage = None
    generation: NewGeneration = None
    parent: Parents = None
    real_share: RealShare = None
    documents: TrainedOn = None
    policy: PolicyFile = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The options of `prescribe` that choose real documents; no number: none are chosen."""

    select: Select = None
    out: SelectionOut = None
    wild_type: PoolOf = None
    strategy: By = SelectionStrategy.UNIFORM


@dataclass(frozen=True, kw_only=True)
class Exits:
    """The options of `assess` and `gate` that say which verdicts fail."""

    strict: Strict = False
    allow_undecided: AllowUndecided = False


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
