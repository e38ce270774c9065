"""`collapse-guard assess`: measure, compare and decide on one generation, and add it to its lineage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode, exit_code
from collapse_guard.cli.failures import exits

if TYPE_CHECKING:
    from collapse_guard.cli.adding import Added


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
    real_fraction: options.RealFraction = None,
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
    """Judge a generation by what it wrote and by its losses, and add it to its lineage.

    Exit codes: 0 healthy, 1 collapsed, 2 not usable, 3 undecided. Where the store does not answer, the evidence is
    kept in .collapse_guard/pending, and --resume sends it later.
    """
    from collapse_guard.cli import adding, resuming
    from collapse_guard.cli.asking import Asked, check_alone
    from collapse_guard.cli.outputs import ReportFiles
    from collapse_guard.cli.showing import show_verdict

    asked = Asked(
        samples=samples,
        losses=losses,
        own_losses=own_losses,
        founder_losses=founder_losses,
        scores=scores,
        wild_type=wild_type,
        lineage=lineage,
        generation=generation,
        parent=parent,
        real_fraction=real_fraction,
        documents=documents,
        policy=policy,
    )
    files = ReportFiles(json=json_file, summary=summary, junit=junit)
    code_of = partial(exit_code, strict=strict, allow_undecided=allow_undecided)
    if resume:
        check_alone(asked, files)
        return resuming.send_pending(store, code_of)
    files.check()
    added = adding.add_or_keep(store, *asked.read(column=column, seed=seed))
    code = code_of(added.history[-1].verdict.severity)
    files.write(added.history, strict=strict, allow_undecided=allow_undecided)
    show_verdict(added.history[-1], code, advice=_remark(added, generation))
    return code


def _remark(added: Added, asked_for: int | None) -> str:
    """What else the user should know of what was done."""
    index, lineage = added.history[-1].generation.index, added.history[-1].generation.lineage
    if added.is_new and index == 0 and asked_for is None:
        return f"{lineage} is a new lineage, and this is its founder: later generations are compared with it."
    return added.note
