"""`collapse-guard gate`: the stored verdict on a generation as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collapse_guard.cli import options
from collapse_guard.cli.exits import ExitCode, exit_code
from collapse_guard.cli.failures import exits
from collapse_guard.errors import LineageError
from collapse_guard.records import Assessment, Severity

if TYPE_CHECKING:
    from collapse_guard.policy import Policy


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
    from collapse_guard.cli.showing import show_verdict
    from collapse_guard.policy import Policy
    from collapse_guard.store import open_store

    files = ReportFiles(json=json_file, summary=summary, junit=junit)
    files.check()
    new_policy = None if policy is None else Policy.load(policy)
    history = _judged(open_store(store).history(lineage), lineage, generation, new_policy)
    severity = history[-1].verdict.severity
    code = exit_code(severity, strict=strict, allow_undecided=allow_undecided)
    files.write(history)
    show_verdict(history[-1], code, advice=_way_back(history) if severity is Severity.COLLAPSED else "")
    return code


def _judged(
    stored: Sequence[Assessment], lineage: str, generation: int | None, policy: Policy | None
) -> list[Assessment]:
    """The generations up to the one to judge; all decided anew where there is a policy."""
    history = _up_to(stored, lineage, generation)
    if policy is None:
        return history
    from collapse_guard.assessment import replay

    return replay(history, policy)


def _up_to(stored: Sequence[Assessment], lineage: str, generation: int | None) -> list[Assessment]:
    known = [past.generation.index for past in stored]
    if generation is not None and generation not in known:
        raise LineageError(
            f"`--generation` must be one of lineage `{lineage}` ({', '.join(map(str, known))}), but got {generation}"
        )
    return [past for past in stored if generation is None or past.generation.index <= generation]


def _way_back(history: Sequence[Assessment]) -> str:
    ancestor = healthy_ancestor(history)
    if ancestor is None:
        return "No ancestor of it is HEALTHY: there is nothing to roll back to."
    return f"Roll back to generation {ancestor.generation.index}, its newest HEALTHY ancestor."


def healthy_ancestor(history: Sequence[Assessment]) -> Assessment | None:
    """The newest HEALTHY generation that the last one of `history` descends from; None where there is none."""
    by_index = {assessment.generation.index: assessment for assessment in history}
    ancestors: set[int] = set()
    frontier = set(history[-1].generation.parents)
    while frontier:
        ancestors |= frontier
        frontier = {parent for index in frontier & by_index.keys() for parent in by_index[index].generation.parents}
        frontier -= ancestors
    healthy = [i for i in ancestors & by_index.keys() if by_index[i].verdict.severity is Severity.HEALTHY]
    return by_index[max(healthy)] if healthy else None
