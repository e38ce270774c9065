"""The evidence that `assess` gets, read and checked before the store is asked for anything."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from collapse_guard.cli.options import Submission
from collapse_guard.cli.outputs import ReportFiles
from collapse_guard.cli.terminal import say_warning
from collapse_guard.cli.texts import find_texts, read_all
from collapse_guard.cli.waiting import waiting
from collapse_guard.corpus.files import TextFiles
from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.prompted import PromptedFiles
from collapse_guard.corpus.reading import stream_samples
from collapse_guard.corpus.scores import read_scores
from collapse_guard.corpus.streams import shown_name
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses, Samples, Scores
from collapse_guard.lineage.outbox import PendingRequest
from collapse_guard.measurement.score_readings import check_tasks
from collapse_guard.records import LONGEST_REASON, Mixture, Origin, TrainingCheck, is_lineage_name
from collapse_guard.wildtype import WildType

_FILES = ("samples", "losses", "own_losses", "founder_losses", "training_losses", "scores", "prompt_column")


def read_submission(submission: Submission, *, column: str, seed: int) -> tuple[WildType, PendingRequest, Evidence]:
    """Read all given files; raises InputError if one is missing or cannot be used."""
    if submission.wild_type is None or submission.lineage is None:
        missing = "--wild-type" if submission.wild_type is None else "--lineage"
        raise InputError(f"`{missing}` is required, but was not given: see `collapse-guard assess --help`")
    if not is_lineage_name(submission.lineage):
        raise InputError(
            "`--lineage` must be a name of 1 to 200 characters without / \\ ' \" ` and control characters, "
            f"but got {submission.lineage!r:.220}"
        )
    policy = Policy() if submission.policy is None else Policy.load(submission.policy)
    wild_type = WildType.load(submission.wild_type)
    evidence, origin = _collected(submission, wild_type, column=column, seed=seed)
    trained_on = submission.training_texts
    request = PendingRequest(
        lineage=submission.lineage,
        index=_index(submission),
        parents=None if submission.parent is None else tuple(sorted(set(submission.parent))),
        mixture=None if submission.real_share is None else Mixture.with_real(submission.real_share),
        items=submission.documents,
        founding=_founding(submission),
        wild_type_path=str(submission.wild_type.absolute()),
        wild_type=wild_type.fingerprint,
        policy=policy.model_dump(mode="json"),
        seed=seed,
        origin=origin,
        training_check=_training_check(wild_type, find_texts(trained_on), column) if trained_on else None,
        created=datetime.now(UTC),
    )
    return wild_type, request, evidence


def files_of(submission: Submission) -> list[Path]:
    """Every file and directory that is read; raises InputError where samples cannot be found."""
    texts = (TextFiles.of(given).paths for given in (submission.samples, submission.training_texts) if given)
    names = ("losses", "own_losses", "founder_losses", "training_losses", "policy", "wild_type", "checkpoint")
    single = (getattr(submission, name) for name in names)
    return [*chain.from_iterable(texts), *filter(None, single), *_score_files(submission.scores).values()]


def _index(submission: Submission) -> int | None:
    """The number of the generation; None: one after the newest."""
    if submission.founder and submission.generation and submission.reason is None:
        raise InputError(
            f"`--founder` is generation 0, but got `--generation {submission.generation}` too: leave out one of them, "
            "or say with `--reason` why the lineage is founded anew"
        )
    return 0 if submission.founder and submission.reason is None else submission.generation


def _founding(submission: Submission) -> str:
    """Why the lineage is founded anew; empty: it is not."""
    reason = submission.reason
    if reason is None:
        return ""
    if not submission.founder:
        raise InputError("`--reason` is why a lineage is founded anew, but got no `--founder`: give both or none")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InputError(
            f"`--reason` must be a text of 1 to {LONGEST_REASON:,} characters, but got {reason!r:.120}: say what is new"
        )
    return reason.strip()


def _collected(
    submission: Submission, wild_type: WildType, *, column: str, seed: int
) -> tuple[Evidence, Origin | None]:
    """The evidence of the files, or of the model that is measured in their place."""
    if submission.checkpoint is None:
        if submission.loader is not None:
            raise InputError("`--loader` loads a model, but got no `--checkpoint`: give both or none")
        return _evidence(submission, column), None
    beside = [name for name in _FILES if getattr(submission, name)]
    if beside:
        named = "SAMPLES" if beside[0] == "samples" else f"--{beside[0].replace('_', '-')}"
        raise InputError(f"`--checkpoint` is measured in place of files, but got {named} too: leave out one of them")
    from collapse_guard.cli.checkpoint import measured

    return measured(submission.checkpoint, submission.loader, wild_type, seed)


def _evidence(submission: Submission, column: str) -> Evidence:
    names = ("losses", "own_losses", "founder_losses", "training_losses")
    unit, per = (submission.loss_unit or "nats"), (submission.loss_per or "document")
    losses: dict[str, Any] = {
        name: read_losses(path, unit=unit, per=per) for name in names if (path := getattr(submission, name)) is not None
    }
    _check_unit(submission, losses)
    if submission.prompt_column is not None and not submission.samples:
        raise InputError("`--prompt-column` must be given with samples, but got none: give `SAMPLES`")
    if not (losses or submission.samples or submission.scores):
        raise InputError(
            "`SAMPLES`, `--losses`, `--scores` or `--checkpoint` is required, but got none: see "
            "`collapse-guard assess --help`"
        )
    files = find_texts(submission.samples) if submission.samples else None
    sources = {name: shown_name(getattr(submission, name).name) for name in losses}
    sources |= {f"scores {name}": shown_name(path.name) for name, path in _score_files(submission.scores).items()}
    evidence = Evidence(
        **({} if files is None else _samples(submission, files, column, sources)),
        scores=_scores(submission.scores),
        sources=sources,
        **losses,
    )
    _check_samples("--own-losses", evidence.own_losses, evidence.samples)
    _check_samples("--founder-losses", evidence.founder_losses, evidence.samples)
    return evidence


def _samples(submission: Submission, files: TextFiles, column: str, sources: dict[str, str]) -> dict[str, Any]:
    """Samples and what stands beside them in their files, the names of which are added to `sources`."""
    read = PromptedFiles(files, column=column, prompt_column=submission.prompt_column)
    samples = read_all(read, files)
    beside = read.beside
    sources["samples"] = files.name
    if beside["prompts"] is not None:
        sources["prompts"] = f"{files.name}, column `{read.prompt_column}`"
    if read.without_prompt:
        say_warning(
            f"{read.without_prompt:,} of {len(samples):,} rows have no prompt in the column `{read.prompt_column}`: "
            "they count as answers to one empty prompt"
        )
    return {"samples": samples, **beside}


def _training_check(wild_type: WildType, files: TextFiles, column: str) -> TrainingCheck:
    """What all training texts hold of evaluation documents."""
    with waiting() as wait:
        return wild_type.leaks_in(wait.read(stream_samples(files, column=column), files), whole=True)


def _check_unit(submission: Submission, losses: dict[str, Any]) -> None:
    """Refuse a unit of losses where there are none."""
    given = [name for name in ("loss_unit", "loss_per") if getattr(submission, name) is not None]
    if given and not losses:
        raise InputError(f"`--{given[0].replace('_', '-')}` must be given with losses, but got none: give `--losses`")


def check_alone(*groups: Submission | ReportFiles) -> None:
    """Refuse arguments beside `--resume`, which sends what is kept, but for `--founder`; raises InputError."""
    given = (item for group in groups for item in vars(group).items())
    names = [name for name, value in given if value not in (None, []) and name != "founder"]
    if names:
        named = ", ".join("SAMPLES" if name == "samples" else f"--{name.replace('_', '-')}" for name in names)
        raise InputError(
            f"`--resume` sends what is kept with the arguments of that time, but got {named} too: leave that out"
        )


def _scores(pairs: list[str] | None) -> dict[str, Scores] | None:
    """Scores of each NAME=FILE."""
    scores = {name: read_scores(path) for name, path in _score_files(pairs).items()}
    check_tasks(scores)
    return scores or None


def _score_files(pairs: list[str] | None) -> dict[str, Path]:
    """The file of each NAME=FILE."""
    files: dict[str, Path] = {}
    for one in pairs or ():
        name, _, path = one.partition("=")
        if not name or not path:
            raise InputError(f"`--scores` must be NAME=FILE, such as facts=facts.jsonl, but got {one!r:.120}")
        if name in files:
            raise InputError(f"`--scores` must name each task once, but got {name!r:.120} twice")
        files[name] = Path(path)
    return files


def _check_samples(option: str, losses: Losses | None, samples: Samples | None) -> None:
    """Refuse losses on samples that do not exist: they belong to another generation."""
    if losses is None or samples is None:
        return
    last = max(map(int, losses.documents))
    if last >= len(samples):
        raise InputError(
            f"`{option}` must be losses on the given samples, numbered from 0 to {len(samples) - 1}, but got one of "
            f"sample {last}: score the same file of samples"
        )
