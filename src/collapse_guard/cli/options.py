"""The arguments of all commands: each is named and explained once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

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


Lineage = Annotated[str, typer.Option("--lineage", help="Name of the lineage.", show_default=False)]
Lineages = Annotated[
    list[str], typer.Option("--lineage", help="Name of a lineage; repeat it to compare several.", show_default=False)
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URI",
        help="Lineage store: an MLflow tracking URI. Default: MLFLOW_TRACKING_URI, else mlflow.db in this directory.",
    ),
]
Column = Annotated[str, typer.Option("--column", help="Column with the text, in files that have columns.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random; it is recorded.")]

# profile
Real = Annotated[
    list[Path],
    typer.Argument(metavar="REAL...", help="Real documents: parquet, arrow, jsonl, csv, txt files or directories."),
]
WildTypeOut = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where to write the wild type.", show_default=False)
]
GroupTokens = Annotated[
    int, typer.Option("--group-tokens", help="Tokens in a group, the sample size of all comparisons.")
]
EvaluationFraction = Annotated[
    float,
    typer.Option("--evaluation-fraction", help="Share of the documents to measure on. Never train on them."),
]

# assess
Samples = Annotated[
    Path | None,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples of the generation: a parquet, arrow, jsonl, csv or txt file, or a directory of them.",
    ),
]
WildTypeIn = Annotated[
    Path | None,
    typer.Option("--wild-type", metavar="DIR", help="Wild type that `profile` wrote. Required.", show_default=False),
]
LossesFile = Annotated[
    Path | None,
    typer.Option(
        "--losses",
        metavar="FILE",
        help="Losses on wild-type documents, the same in every generation. Columns: document, nll (nats, summed over "
        "the document), n_tokens, and optionally n_bytes and entropy (nats, summed).",
    ),
]
OwnLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--own-losses",
        metavar="FILE",
        help="Losses of the generation on its own samples. Columns as in --losses; the document is the number of the "
        "sample, from 0.",
    ),
]
FounderLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--founder-losses",
        metavar="FILE",
        help="Losses of the founder on the samples of this generation. Columns as in --own-losses.",
    ),
]
ScoreFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--scores",
        metavar="NAME=FILE",
        help="Scores of a task, such as facts=FILE: columns item and score (from 0 to 1); the same items in every "
        "generation. Repeat it for each task.",
        show_default=False,
    ),
]
NewLineage = Annotated[
    str | None, typer.Option("--lineage", help="Name of the lineage; a new name starts a new lineage. Required.")
]
NewGeneration = Annotated[
    int | None,
    typer.Option(
        "--generation",
        min=0,
        metavar="T",
        help="Number of the generation; 0 is the founder. Default: one after the newest.",
    ),
]
Parents = Annotated[
    list[int] | None,
    typer.Option(
        "--parent",
        min=0,
        metavar="T",
        help="Generation whose samples it was trained on; may be repeated. Default: the newest earlier one.",
    ),
]
RealShare = Annotated[
    float | None,
    typer.Option(
        "--real-share",
        min=0.0,
        max=1.0,
        metavar="X",
        help="Share of real data that it was trained on. Default: 1 for the founder, otherwise not known.",
    ),
]
TrainedOn = Annotated[
    int | None,
    typer.Option(
        "--documents",
        min=1,
        metavar="N",
        help="Number of documents that it was trained on; it sets the expected inbreeding.",
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="FILE", help="Policy in TOML, or one of strict, default, lenient. Default: default."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Send the evidence that was saved here while the store did not answer.")
]

# gate
Generation = Annotated[
    int | None, typer.Option("--generation", min=0, metavar="T", help="Generation to judge. Default: the newest.")
]
NewPolicy = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Decide again by this policy: TOML, or strict, default, lenient. Default: use the stored verdict.",
    ),
]

# prescribe
PrescribedGeneration = Annotated[
    int | None,
    typer.Option("--generation", min=0, metavar="T", help="Generation to forecast from. Default: the newest."),
]
Target = Annotated[
    float | None,
    typer.Option("--target", metavar="F", help="Fixation index to hold too, such as 0.05. Default: the policy's."),
]
Documents = Annotated[
    int | None,
    typer.Option("--documents", min=1, metavar="N", help="Documents in a training set; with --archive."),
]
Archive = Annotated[
    int | None,
    typer.Option(
        "--archive", min=0, metavar="N", help="Number of your real documents, to check whether they are enough."
    ),
]


class SelectionStrategy(StrEnum):
    """Strategies of `--select`: those that need only the pool and what was lost."""

    UNIFORM = "uniform"
    TAIL = "tail"


Select = Annotated[
    int | None,
    typer.Option("--select", min=1, metavar="N", help="Choose N real documents; with --out and --wild-type."),
]
SelectionOut = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the chosen documents here, as jsonl: text, weight, reason."),
]
PoolOf = Annotated[Path | None, typer.Option("--wild-type", metavar="DIR", help="Wild type whose pool to choose from.")]
By = Annotated[
    SelectionStrategy,
    typer.Option("--strategy", help="uniform: at random; tail: half of them with what was lost, half at random."),
]

# assess and gate
Strict = Annotated[bool, typer.Option("--strict", help="Fail on WATCH too: exit code 1. Reports still say WATCH.")]
AllowUndecided = Annotated[
    bool, typer.Option("--allow-undecided", help="Pass on UNDECIDED: exit code 0. Reports still say UNDECIDED.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the whole assessment as JSON.")]
PageOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the page.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")]

# curate
CuratedSamples = Annotated[
    list[Path],
    typer.Argument(
        metavar="SAMPLES...", help="Samples of a model: parquet, arrow, jsonl, csv, txt files or directories."
    ),
]
CuratedOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Write the kept samples here, as jsonl: text, weight.")
]
CuratedBy = Annotated[
    Path, typer.Option("--wild-type", metavar="DIR", help="Wild type whose pool defines what is usual.")
]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep", metavar="N", min=1, help="Draw N of the remaining samples toward the pool. Default: weight all."
    ),
]
RealLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--real-losses",
        metavar="FILE",
        help="Losses of the same model on real documents, to leave out samples more probable than nearly all of them.",
    ),
]


class CurationRule(StrEnum):
    """Rules of `curate` that can be left out."""

    EXACT = "exact"
    NEAR = "near"
    QUALITY = "quality"
    PROBABLE = "probable"
    TOWARD = "toward"


Without = Annotated[list[CurationRule] | None, typer.Option("--without", help="Skip a rule; may be repeated.")]
Near = Annotated[float, typer.Option("--near", help="Smallest similarity of near duplicates.")]
Quantile = Annotated[float, typer.Option("--quantile", help="Part of the pool that each bound would leave out.")]
AuditJson = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the audit as JSON.")]


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
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    options: dict[str, tuple[Any, Any]] = {}
    for name, default in defaults.items():
        own = {field.name: field.default for field in fields(groups[name])} if name in groups else {name: default}
        types = get_type_hints(groups[name], include_extras=True) if name in groups else hints
        options |= {option: (types[option], value) for option, value in own.items()}

    @functools.wraps(command)
    def run(**given: Any) -> None:
        parts = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **parts)

    kind = inspect.Parameter.KEYWORD_ONLY
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind, default=value, annotation=hint) for name, (hint, value) in options.items()]
    )
    run.__annotations__ = {name: hint for name, (hint, _) in options.items()}
    return run
