"""What commands take on the command line: each argument is named and explained once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
        help="Where lineages are kept: an MLflow tracking URI. Default: MLFLOW_TRACKING_URI, else mlflow.db here.",
    ),
]
Column = Annotated[str, typer.Option("--column", help="Column with the text, in files that have columns.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random; recorded.")]

# profile
Real = Annotated[
    list[Path],
    typer.Argument(metavar="REAL...", help="Real documents: parquet, arrow, jsonl, csv, txt files or directories."),
]
WildTypeOut = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where to write the wild type.", show_default=False)
]
GroupTokens = Annotated[
    int, typer.Option("--group-tokens", help="Tokens in a group: the sample size at which all is compared.")
]
EvaluationFraction = Annotated[
    float,
    typer.Option("--evaluation-fraction", help="Share of the documents to measure on, which are never trained on."),
]

# assess
Samples = Annotated[
    Path | None,
    typer.Argument(
        metavar="SAMPLES",
        help="What the generation wrote: a parquet, arrow, jsonl, csv or txt file, or a directory of them.",
    ),
]
WildTypeIn = Annotated[
    Path | None, typer.Option("--wild-type", metavar="DIR", help="What `profile` wrote. Required.", show_default=False)
]
LossesFile = Annotated[
    Path | None,
    typer.Option(
        "--losses",
        metavar="FILE",
        help="Losses on wild-type documents: columns document, nll (nats, summed over the document), n_tokens, and "
        "n_bytes and entropy (nats, summed) where known; the same documents in every generation.",
    ),
]
OwnLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--own-losses",
        metavar="FILE",
        help="Losses of the generation on its own samples: columns as in --losses; a document is the number of a "
        "sample, from 0.",
    ),
]
FounderLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--founder-losses",
        metavar="FILE",
        help="Losses of the founder on the samples of this generation: columns as in --own-losses.",
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
    str | None, typer.Option("--lineage", help="Name of the lineage; a new name begins one. Required.")
]
NewGeneration = Annotated[
    int | None,
    typer.Option("--generation", min=0, metavar="T", help="Its number; 0 is the founder. Default: after the newest."),
]
Parents = Annotated[
    list[int] | None,
    typer.Option(
        "--parent",
        min=0,
        metavar="T",
        help="Generation whose samples it was trained on; may be repeated. Default: the newest before it.",
    ),
]
RealShare = Annotated[
    float | None,
    typer.Option(
        "--real-share",
        min=0.0,
        max=1.0,
        metavar="X",
        help="Share of real data that it was trained on. Default: 1 for the founder, else not known.",
    ),
]
TrainedOn = Annotated[
    int | None,
    typer.Option(
        "--documents", min=1, metavar="N", help="Documents that it was trained on: what chance alone takes follows."
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="FILE", help="Policy in TOML, or one of strict, default, lenient. Default: default."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Send the evidence that was kept here while the store did not answer.")
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
        help="Decide anew by this policy: TOML, or strict, default, lenient. Default: the stored verdict counts.",
    ),
]

# prescribe
PrescribedGeneration = Annotated[
    int | None,
    typer.Option("--generation", min=0, metavar="T", help="Generation to look ahead from. Default: the newest."),
]
Target = Annotated[
    float | None,
    typer.Option("--target", metavar="F", help="Fixation index to hold as well, such as 0.05. Default: the policy's."),
]
Documents = Annotated[
    int | None,
    typer.Option("--documents", min=1, metavar="N", help="Documents in a training set; with --archive."),
]
Archive = Annotated[
    int | None,
    typer.Option("--archive", min=0, metavar="N", help="Real documents at hand: says whether they can carry it."),
]


class SelectionStrategy(StrEnum):
    """What `--select` can choose by: those that need nothing but the pool and what was lost."""

    UNIFORM = "uniform"
    TAIL = "tail"


Select = Annotated[
    int | None,
    typer.Option("--select", min=1, metavar="N", help="Choose N real documents; with --out and --wild-type."),
]
SelectionOut = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write them here as jsonl: text, weight, reason.")
]
PoolOf = Annotated[
    Path | None, typer.Option("--wild-type", metavar="DIR", help="The wild type whose pool they are chosen from.")
]
By = Annotated[
    SelectionStrategy,
    typer.Option("--strategy", help="uniform: at random; tail: half of them because they carry what was lost."),
]

# assess and gate
Strict = Annotated[bool, typer.Option("--strict", help="WATCH fails too: exit code 1. Reports still say WATCH.")]
AllowUndecided = Annotated[
    bool, typer.Option("--allow-undecided", help="UNDECIDED passes: exit code 0. Reports still say UNDECIDED.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the whole assessment as JSON.")]
Summary = Annotated[
    Path | None,
    typer.Option(
        "--summary", metavar="FILE", help='Append a summary in Markdown; on GitHub: --summary "$GITHUB_STEP_SUMMARY".'
    ),
]
JUnit = Annotated[
    Path | None,
    typer.Option(
        "--junit", metavar="FILE", help="Write a report in JUnit XML; what fails in it is what the exit code fails."
    ),
]

# report, ui
PageOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the page.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")]

# curate
CuratedSamples = Annotated[
    list[Path],
    typer.Argument(
        metavar="SAMPLES...", help="What a model wrote: parquet, arrow, jsonl, csv, txt files or directories."
    ),
]
CuratedOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="Write what is kept as jsonl: text, weight.")]
CuratedBy = Annotated[
    Path, typer.Option("--wild-type", metavar="DIR", help="The wild type whose pool says what is usual.")
]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep", metavar="N", min=1, help="Draw N of what is left toward the pool; without it all are weighted."
    ),
]
RealLossesFile = Annotated[
    Path | None,
    typer.Option(
        "--real-losses",
        metavar="FILE",
        help="Losses of the same model on real documents: what is more probable than nearly all of them goes.",
    ),
]


class CurationRule(StrEnum):
    """Rules of `curate` that can be left out."""

    EXACT = "exact"
    NEAR = "near"
    QUALITY = "quality"
    PROBABLE = "probable"
    TOWARD = "toward"


Without = Annotated[list[CurationRule] | None, typer.Option("--without", help="Leave out a rule; may be repeated.")]
Near = Annotated[float, typer.Option("--near", help="Similarity from which on documents are near duplicates.")]
Quantile = Annotated[float, typer.Option("--quantile", help="Part of the pool that each bound would leave out.")]
AuditJson = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the audit as JSON.")]
