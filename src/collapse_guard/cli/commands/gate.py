"""`collapse-guard gate`: turn the stored verdict on a generation into an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode, exit_code
from collapse_guard.cli.outputs import ReportFiles
from collapse_guard.genetics.ancestry import healthy_ancestor
from collapse_guard.records import Assessment, Severity


def gate(
    lineage: options.Lineage,
    reports: ReportFiles,
    exit_rule: options.Exits,
    generation: Annotated[int | None, options.generation("Generation to judge. Default: the newest.")] = None,
    policy: options.NewPolicy = None,
    store: options.Store = None,
) -> ExitCode:
    """Pass or fail a generation in CI by its verdict: exit code 0, 1 (collapsed) or 3 (undecided)."""
    from collapse_guard.cli.generations import judged
    from collapse_guard.cli.verdicts import show_verdict

    reports.check(policy, store=store)
    history, _ = judged(store, lineage, generation, policy)
    severity = history[-1].verdict.severity
    code = exit_code(severity, **vars(exit_rule))
    reports.write(history, **vars(exit_rule))
    show_verdict(history[-1], code, advice=_way_back(history) if severity is Severity.COLLAPSED else "")
    return code


def _way_back(history: Sequence[Assessment]) -> str:
    ancestor = healthy_ancestor(history)
    if ancestor is None:
        return "It has no HEALTHY ancestor to roll back to."
    return f"Roll back to generation {ancestor.generation.index}, its newest HEALTHY ancestor."
