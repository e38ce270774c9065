"""`collapse-guard assess`: measure, compare and decide on one generation, and add it to its lineage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode, exit_code
from collapse_guard.cli.outputs import ReportFiles
from collapse_guard.errors import CollapseGuardError

if TYPE_CHECKING:
    from collapse_guard.lineage.enrol import Enrolled
    from collapse_guard.store import LineageStore


def assess(
    submission: options.Submission,
    reports: ReportFiles,
    exit_rule: options.Exits,
    column: options.Column = "text",
    seed: options.Seed = 0,
    store: options.Store = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Send the evidence that was saved here while the store did not answer.")
    ] = False,
) -> ExitCode:
    """Judge a generation by its samples and its losses, and add it to its lineage.

    A lineage is started with --founder; without it, a lineage that the store does not have is an error. With
    --founder and --reason it is founded anew, as with another tokenizer, wild type or base model.

    Exit codes: 0 healthy, 1 collapsed, 2 wrong usage, unreadable input or unreachable store, 3 undecided. If the store
    does not answer, the evidence is saved in .collapse_guard/pending, and --resume sends it later.
    """
    from collapse_guard.cli.outbox import send_all
    from collapse_guard.cli.submission import check_alone, files_of
    from collapse_guard.cli.termination import termination_raises
    from collapse_guard.cli.verdicts import show_verdict
    from collapse_guard.store import open_store

    code_of = partial(exit_code, strict=exit_rule.strict, allow_undecided=exit_rule.allow_undecided)
    if resume:
        check_alone(submission, reports)
        return send_all(store, code_of, founds=bool(submission.founder))
    reports.check(*files_of(submission), store=store)
    lineages = open_store(store)
    with termination_raises():
        enrolled = _enrolled(submission, lineages, column=column, seed=seed)
    code = code_of(enrolled.assessment.verdict.severity)
    reports.write(enrolled.history, **vars(exit_rule))
    show_verdict(enrolled.assessment, code, advice=_remark(enrolled, lineages.address))
    return code


def _enrolled(submission: options.Submission, store: LineageStore, *, column: str, seed: int) -> Enrolled:
    """The generation in its lineage; raises CollapseGuardError where the store does not take it."""
    from collapse_guard.cli.submission import read_submission
    from collapse_guard.lineage.enrol import submit

    wild_type, request, evidence = read_submission(submission, column=column, seed=seed)
    enrolled = submit(store, wild_type, request, evidence)
    if enrolled.refusal:
        raise CollapseGuardError(enrolled.refusal.sentence(store.address)) from enrolled.refusal.error
    return enrolled


def _remark(enrolled: Enrolled, address: str) -> str:
    """What else the user should know of what was done in the store at the address."""
    from collapse_guard.store.mlflow.address import without_password

    founder = enrolled.assessment.generation
    if enrolled.is_new and founder.is_founder:
        store = f" of the store {without_password(address)}" if address else ""
        number = f" from generation {founder.index} on" if founder.index else ""
        return f"This is the founder of {founder.lineage}{store}{number}: later generations are compared with it."
    return enrolled.already_stored
