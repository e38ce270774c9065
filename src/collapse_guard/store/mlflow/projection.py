"""What the run of a lineage shows of its generations: a projection, brought up to date by every append.

What an earlier writer left undone because it was killed is done too: generations that are not shown yet, lines that the
ledger lacks, and runs that look as if somebody were still writing to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import mlflow
from mlflow.entities import Metric, Run
from packaging.version import Version

from collapse_guard.errors import LineageError
from collapse_guard.records import Assessment
from collapse_guard.store.mlflow import artifacts, dashboard, experiments, layout, ledger
from collapse_guard.store.mlflow.recording import Recording, metrics_of, tags_of
from collapse_guard.store.mlflow.runs import LineageRuns, Runs, is_shown

_SAVED_VIEWS_SINCE = Version("3.15")
_DEAD_AFTER_SECONDS = 600
"""Where several may be writing at once, so old a run of a generation belongs to a writer that was killed."""

_MOST_AT_ONCE = 900
"""Of metrics in one request, beside some tags; MLflow takes 1,000 of both."""


class Projection:
    """Keeps the runs of lineages up to date."""

    def __init__(self, runs: Runs, recording: Recording) -> None:
        """Remember what to read and write with."""
        self._runs = runs
        self._recording = recording

    def lines(self, runs: LineageRuns) -> dict[int, ledger.Line]:
        """The lines of the ledger that are believed, by generation, without those whose runs do not count any more."""
        return {index: line for index, line in self._believed(runs).items() if line.run_id not in runs.gone}

    def update(self, runs: LineageRuns, parent: Run, appended: Mapping[str, Assessment]) -> None:
        """Show everything that counts.

        Args:
            runs: The runs of the lineage as they are now.
            parent: The run of the lineage.
            appended: Run id -> assessment, of what was appended just now and need not be read.
        """
        lines = self._believed(runs)
        late = self._late(runs, appended)
        found = late | runs.each(runs.steps - lines.keys() - late.keys())
        items = dict(self._records(found, runs.lineage, appended))
        for index, item in items.items():
            self._recording.log_inputs(found[index], item)
            lines[index] = ledger.line_of(item, found[index].info.run_id)
        if items:
            self._recording.attach(parent, {ledger.FILE: ledger.text_of(lines)})
        unseen = {i: item for i, item in items.items() if i not in runs.shown or found[i].info.run_id in appended}
        metrics = [metric for index, item in unseen.items() for metric in metrics_of(layout.metrics(item), index)]
        self._log(parent.info.run_id, metrics, _heading(runs, lines, items) | ledger.tags_of(lines.values()))
        for index in items:
            self._runs.client.set_tag(found[index].info.run_id, layout.SHOWN_BY, parent.info.run_id)
        self._install_dashboard(parent.info.experiment_id, {metric.key for metric in metrics})

    def end_abandoned(self, parent: Run, *, alone: bool) -> None:
        """End the runs of writers that were killed, so that they do not seem to be running for ever.

        Args:
            parent: The run of the lineage.
            alone: Whether nobody else can be writing now.
        """
        if parent.info.status == "RUNNING":
            self._runs.client.set_terminated(parent.info.run_id)
        before = _now() - (0 if alone else _DEAD_AFTER_SECONDS * 1000)
        running = ("attributes.status = 'RUNNING'", f"attributes.start_time <= {before}")
        own = {layout.PARENT_RUN: parent.info.run_id, layout.OWN: "true"}
        for run in self._runs.search(*running, tags=own):
            self._runs.client.set_terminated(run.info.run_id, "KILLED")

    def _late(self, runs: LineageRuns, appended: Mapping[str, Assessment]) -> dict[int, Run]:
        """The generations that are not shown yet; a run that lost its number to one that is shown is unmarked."""
        late: dict[int, Run] = {}
        for run in runs.late:
            index, run_id = runs.index_of(run), run.info.run_id
            standing = run if run_id in appended else runs.at(index)
            if standing is not None and standing.info.run_id == run_id:
                late[index] = run
            elif standing is not None and is_shown(standing):
                self._runs.client.delete_tag(run_id, layout.COMPLETE)
        return late

    def _believed(self, runs: LineageRuns) -> dict[int, ledger.Line]:
        """The lines that are noted on the run of the lineage, or on a second one that another process began at once."""
        lines: dict[int, ledger.Line] = {}
        for parent in reversed(runs.parents):
            lines |= ledger.believed(self._ledger(parent), parent.data.tags)
        return lines

    def _ledger(self, parent: Run) -> str:
        """The file; empty where there is none."""
        if layout.NEWEST not in parent.data.tags:
            return ""
        try:
            found = artifacts.read(self._runs.client, parent, ledger.FILE, self._runs.connection.path, ledger.FILE)
        except LineageError:
            return ""
        return found.decode(errors="replace")

    def _records(
        self, found: Mapping[int, Run], lineage: str, appended: Mapping[str, Assessment]
    ) -> Iterator[tuple[int, Assessment]]:
        """The generations whose records can be read, in order; readers are told of the others."""
        for index in sorted(found):
            try:
                yield (
                    index,
                    appended.get(found[index].info.run_id) or self._recording.read(found[index], lineage, index),
                )
            except LineageError:
                continue

    def _log(self, run_id: str, metrics: list[Metric], tags: Mapping[str, str]) -> None:
        """Log curves and tags in one request, or where there are many the tags last: they say that all is there."""
        if len(metrics) > _MOST_AT_ONCE:
            self._runs.client.log_batch(run_id, metrics=metrics)
            metrics = []
        self._runs.client.log_batch(run_id, metrics=metrics, tags=tags_of(tags))

    def _install_dashboard(self, home: str, names: Iterable[str]) -> None:
        """Mark the experiment, so that it is found under any name, and bring notes and dashboard up to date."""
        experiment = self._runs.client.get_experiment(home)
        for name, value in experiments.tags(self._runs.experiment).items():
            if name not in experiment.tags:
                self._runs.client.set_experiment_tag(home, name, value)
        if layout.NOTE not in experiment.tags:
            self._runs.client.set_experiment_tag(home, layout.NOTE, dashboard.experiment_note(home))
        if Version(mlflow.__version__) < _SAVED_VIEWS_SINCE:
            return
        view = dashboard.updated_view(experiment.tags.get(dashboard.VIEW_TAG), names, now=_now())
        if view is not None:
            self._runs.client.set_experiment_tag(home, dashboard.VIEW_TAG, view)


def _heading(runs: LineageRuns, lines: Mapping[int, ledger.Line], known: Mapping[int, Assessment]) -> dict[str, str]:
    """What the run of the lineage says of the newest generation that counts, and a note about it and those before."""
    counting = (line for _, line in sorted(lines.items(), reverse=True) if line.run_id not in runs.gone)
    read = (known.get(line.generation) or line.assessment(runs.lineage) for line in counting)
    newest_first = (item for item in read if item is not None)
    newest = next(newest_first, None)
    if newest is None:
        return {}
    return {
        layout.VERDICT: newest.verdict.severity.value,
        layout.WILD_TYPE: newest.verdict.wild_type,
        layout.NEWEST: layout.number(newest.generation.index),
        layout.NOTE: dashboard.lineage_note(chain([newest], newest_first)),
    }


def _now() -> int:
    return time.time_ns() // 1_000_000
