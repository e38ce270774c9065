"""`collapse-guard assess`: measure, compare and decide on one generation, and add it to its lineage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode, exit_code
from collapse_guard.cli.failures import exits
from collapse_guard.errors import CollapseGuardError

if TYPE_CHECKING:
    from collapse_guard.cli.submission import Submission
    from collapse_guard.lineage.enrol import Enrolled


@exits
def assess(
    samples: options.Samples = None,
    wild_type: options.WildTypeIn = None,
    losses: options.LossesFile = None,
    own_losses: options.OwnLossesFile = None,
    founder_losses: options.FounderLossesFile = None,
    scores: options.ScoreFiles = None,
    lineage: options.NewLineage = None,
    generation: options.NewGeneration = None,
    parent: options.Parents = None,
    real_share: options.RealShare = None,
    documents: options.TrainedOn = None,
    policy: options.PolicyFile = None,
    column: options.Column = "text",
    seed: options.Seed = 0,
    store: options.Store = None,
    strict: options.Strict = False,
    allow_undecided: options.AllowUndecided = False,
    json_file: options.Json = None,
    summary: options.Summary = None,
    junit: options.JUnit = None,
    resume: options.Resume = False,
) -> ExitCode:
    """Judge a generation by its samples and its losses, and add it to its lineage.

    Exit codes: 0 healthy, 1 collapsed, 2 wrong usage, unreadable input or unreachable store, 3 undecided. If the store
    does not answer, the evidence is saved in .collapse_guard/pending, and --resume sends it later.
    """
    from collapse_guard.cli.outbox import send_all
    from collapse_guard.cli.outputs import ReportFiles
    from collapse_guard.cli.submission import Submission, check_alone
    from collapse_guard.cli.verdicts import show_verdict

    submission = Submission(
        samples=samples,
        losses=losses,
        own_losses=own_losses,
        founder_losses=founder_losses,
        scores=scores,
        wild_type=wild_type,
        lineage=lineage,
        generation=generation,
        parent=parent,
        real_share=real_share,
        documents=documents,
        policy=policy,
    )
    files = ReportFiles(json=json_file, summary=summary, junit=junit)
    code_of = partial(exit_code, strict=strict, allow_undecided=allow_undecided)
    if resume:
        check_alone(submission, files)
        return send_all(store, code_of)
    files.check()
    enrolled = _enrolled(submission, store, column=column, seed=seed)
    code = code_of(enrolled.assessment.verdict.severity)
    files.write(enrolled.history, strict=strict, allow_undecided=allow_undecided)
    show_verdict(enrolled.assessment, code, advice=_remark(enrolled, generation))
    return code


def _enrolled(submission: Submission, store: str | None, *, column: str, seed: int) -> Enrolled:
    """The generation in its lineage; raises CollapseGuardError where the store does not take it."""
    from collapse_guard.lineage.enrol import submit
    from collapse_guard.store import open_store

    wild_type, request, evidence = submission.read(column=column, seed=seed)
    enrolled = submit(open_store(store), wild_type, request, evidence)
    if enrolled.refusal:
        raise CollapseGuardError(enrolled.refusal.sentence(store)) from enrolled.refusal.error
    return enrolled


def _remark(enrolled: Enrolled, generation: int | None) -> str:
    """What else the user should know of what was done; `generation` is the number that was given."""
    from collapse_guard.cli.verdicts import already_stored

    founder = enrolled.assessment.generation
    if enrolled.is_new and founder.index == 0 and generation is None:
        return f"{founder.lineage} is a new lineage, and this is its founder: later generations are compared with it."
    return already_stored(enrolled)
