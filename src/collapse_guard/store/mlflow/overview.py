"""All lineages at a glance, from the tags of their runs; and what is known of generations that are not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mlflow.entities import Run, ViewType

from collapse_guard.records import Severity
from collapse_guard.store.base import LineageSummary
from collapse_guard.store.mlflow import address, layout
from collapse_guard.store.mlflow.runs import COUNTS, NOT_SHOWN, LineageRuns, Runs, noted_experiments


def heads(runs: Runs) -> dict[str, LineageSummary | None]:
    """The lineages that may have generations, and the newest of each; None where their runs must be asked.

    So are lineages whose generations were deleted or set aside, or are not shown by the lineage's run yet.
    """
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs.search(tags={layout.KIND: "lineage"}, view=ViewType.ALL):
        found[run.data.tags.get(layout.LINEAGE, "")].append(run)
    elsewhere = noted_experiments([run for several in found.values() for run in several])
    late = runs.search(COUNTS, NOT_SHOWN, elsewhere=elsewhere)
    doubtful = {
        run.data.tags.get(layout.LINEAGE, "") for run in [*late, *runs.deleted(elsewhere), *runs.set_aside(elsewhere)]
    }
    return {name: None if name in doubtful else _head(several) for name, several in found.items() if name}


def _head(several: list[Run]) -> LineageSummary | None:
    """The newest generation of a lineage by the tags of its run, if these agree with its curve."""
    (run, *others), tags = several, several[0].data.tags
    if others or run.info.lifecycle_stage != "active" or layout.NEWEST not in tags:
        return None
    by_rank = {float(severity.rank): severity for severity in Severity}
    severity = by_rank.get(run.data.metrics.get(layout.SEVERITY_METRIC, -1.0))
    if severity is None or tags.get(layout.VERDICT) != severity or not tags[layout.NEWEST].isdecimal():
        return None
    return LineageSummary(int(tags[layout.NEWEST]), severity, tags.get(layout.WILD_TYPE, ""))


def missing(runs: Runs, lineage: LineageRuns) -> dict[int, str]:
    """The generations of a lineage that were stored and are not there any more, and how each comes back.

    One that a person set aside is free to be appended again.
    """
    gone = _numbered(lineage.deleted)
    there = lineage.each(gone)
    ways = {index: _way_back(runs, run) for index, run in sorted(gone.items()) if index not in there}
    known = ways.keys() | _numbered(lineage.set_aside).keys()
    if 0 in lineage.steps - known and lineage.at(0) is None:
        ways[0] = "its run was removed for good: restore the store from a backup"
    return ways


def _numbered(runs: Iterable[Run]) -> dict[int, Run]:
    """Runs by the number of their generation, where they have one."""
    numbers = ((run.data.tags.get(layout.GENERATION, ""), run) for run in runs)
    return {int(number): run for number, run in numbers if number.isdecimal()}


def _way_back(runs: Runs, run: Run) -> str:
    uri, run_id, home = runs.connection.uri, run.info.run_id, run.info.experiment_id
    if runs.client.get_experiment(home).lifecycle_stage != "active":
        command = address.mlflow_command(uri, "experiments", "restore", "--experiment-id", home)
        return f"the experiment of run {run_id} was deleted: `{command}` brings it back"
    command = address.mlflow_command(uri, "runs", "restore", "--run-id", run_id)
    which = ", with which the lineage was founded anew," if layout.FOUNDING in run.data.tags else ""
    return f"run {run_id}{which} was deleted: `{command}` brings it back"
