"""`collapse-guard gate`: turn the stored verdict on a generation into an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode, exit_code
from collapse_guard.cli.failures import exits
from collapse_guard.cli.generations import up_to
from collapse_guard.genetics.ancestry import healthy_ancestor
from collapse_guard.records import Assessment, Severity

if TYPE_CHECKING:
    from collapse_guard.decision.policy import Policy


@exits
def gate(
    lineage: options.Lineage,
    generation: options.Generation = None,
    policy: options.NewPolicy = None,
    junit: options.JUnit = None,
    summary: options.Summary = None,
    json_file: options.Json = None,
    strict: options.Strict = False,
    allow_undecided: options.AllowUndecided = False,
    store: options.Store = None,
) -> ExitCode:
    """Pass or fail a generation in CI by its verdict: exit code 0, 1 (collapsed) or 3 (undecided)."""
    from collapse_guard.cli.outputs import ReportFiles
    from collapse_guard.cli.verdicts import show_verdict
    from collapse_guard.decision.policy import Policy
    from collapse_guard.store import open_store

    files = ReportFiles(json=json_file, summary=summary, junit=junit)
    files.check()
    new_policy = None if policy is None else Policy.load(policy)
    history = _judged(open_store(store).history(lineage), lineage, generation, new_policy)
    severity = history[-1].verdict.severity
    code = exit_code(severity, strict=strict, allow_undecided=allow_undecided)
    files.write(history, strict=strict, allow_undecided=allow_undecided)
    show_verdict(history[-1], code, advice=_way_back(history) if severity is Severity.COLLAPSED else "")
    return code


def _judged(
    stored: Sequence[Assessment], lineage: str, generation: int | None, policy: Policy | None
) -> list[Assessment]:
    """The generations up to the one to judge; with a policy, all of them are decided again."""
    history = up_to(stored, lineage, generation)
    if policy is None:
        return history
    from collapse_guard.assessment import replay

    return replay(history, policy)


def _way_back(history: Sequence[Assessment]) -> str:
    ancestor = healthy_ancestor(history)
    if ancestor is None:
        return "It has no HEALTHY ancestor to roll back to."
    return f"Roll back to generation {ancestor.generation.index}, its newest HEALTHY ancestor."
