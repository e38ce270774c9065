"""One generation in its run: written whole, and made to count by one tag at the end."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from collapse_guard.errors import CollapseGuardWarning, GenerationTakenError, LineageError
from collapse_guard.records import Assessment
from collapse_guard.store.base import from_text
from collapse_guard.store.mlflow import address, artifacts, dashboard, layout
from collapse_guard.store.mlflow.connection import REFUSALS
from collapse_guard.store.mlflow.runs import SET_ASIDE, LineageRuns, Runs, noted_experiments

RECORD = "assessment.json"


class Recording:
    """Reads and writes the runs of generations in one store.

    Args:
        runs: The runs of the store.
        run_id: Run of the training that the next generation is kept in; None: it gets a run of its own.
        step: Step of the training at which the readings are logged there; None: the number of the generation.
    """

    def __init__(self, runs: Runs, run_id: str | None = None, step: int | None = None) -> None:
        """Remember where to write; see the class."""
        self._runs = runs
        self._run_id = run_id
        self._step = step

    def read(self, run: Run, lineage: str, index: int) -> Assessment:
        """The record of a generation.

        Raises:
            LineageError: It is not there, was changed after it was written, or is not of this generation.
        """
        where = f"{RECORD} of run {run.info.run_id} of lineage `{lineage}`"
        try:
            found = artifacts.read(self._runs.client, run, RECORD, self._runs.connection.path, where)
            _check_digest(found, run.data.tags, where)
            assessment = from_text(found.decode(errors="replace"), lineage=lineage, index=index, where=where)
        except LineageError as error:
            raise LineageError(
                f"{error}. If it is lost, {SET_ASIDE} on this run, and append the generation again: nothing needs to "
                "be removed"
            ) from error
        _check_verdict(assessment, run)
        return assessment

    def write(self, assessment: Assessment, home: str, parent: str) -> Run:
        """Write all of a generation to its run except the mark that it counts; what a trainer logged there stays."""
        child = self._child(assessment, home, parent)
        run_id, values = child.info.run_id, layout.metrics(assessment)
        step = self._step if run_id == self._run_id else None
        if step is None:
            values = {name: value for name, value in values.items() if name not in child.data.metrics}
            step = assessment.generation.index
        files = layout.files(assessment)
        tags = layout.tags(assessment) | {
            layout.NOTE: child.data.tags.get(layout.NOTE) or dashboard.generation_note(assessment),
            layout.DIGEST: layout.digest(files[RECORD].encode()),
            layout.SHOWN_BY: layout.NOT_SHOWN,
        }
        self._runs.client.log_batch(run_id, metrics=metrics_of(values, step), tags=tags_of(tags))
        self.attach(child, files)
        if run_id != self._run_id:
            self._runs.client.set_terminated(run_id)
        return child

    def attach(self, run: Run, files: Mapping[str, str]) -> None:
        """Keep files, name -> text, with a run."""
        artifacts.write(self._runs.client, run, files, self._runs.connection.path, self._runs.experiment)

    def log_inputs(self, run: Run, assessment: Assessment) -> None:
        """Name the datasets that a generation was made from."""
        inputs = [_dataset(entry) for entry in layout.datasets(assessment)]
        self._runs.client.log_inputs(run.info.run_id, datasets=inputs)

    def commit(self, run: Run, lineage: str, index: int) -> None:
        """Make a generation count; step back where another process does so for the same one in the meantime.

        Raises:
            GenerationTakenError: It does not count, and perhaps the other one does not either.
        """
        run_id = run.info.run_id
        self._runs.client.set_tag(run_id, layout.COMPLETE, "true")
        marked = LineageRuns(self._runs, lineage).marked(index)
        if marked == [run_id]:
            return
        if run_id in marked:
            self._runs.client.delete_tag(run_id, layout.COMPLETE)
        if run_id != self._run_id:
            self._runs.client.set_terminated(run_id, "KILLED")
        raise GenerationTakenError(
            f"generation {index} of lineage `{lineage}` must be appended by one process, but got several at once, and "
            f"this one ({run_id}) stepped back: append it again, as the next generation where the number is taken"
        )

    def _child(self, assessment: Assessment, home: str, parent: str) -> Run:
        """The run of a generation: that of the training, unless there is none or it holds another generation."""
        run = None if self._run_id is None else self._given_run(self._run_id)
        if run is None:
            name = f"{assessment.generation.lineage} generation {assessment.generation.index}"
            tags = {layout.PARENT_RUN: parent, layout.OWN: "true"}
            return self._runs.client.create_run(home, tags=tags, run_name=name)
        self._runs.client.set_tag(run.info.run_id, layout.PARENT_RUN, parent)
        self._remember_experiment(parent, run.info.experiment_id)
        return run

    def _given_run(self, run_id: str) -> Run | None:
        try:
            run = self._runs.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            raise LineageError(
                f"`run_id` must be a run in {address.shown(self._runs.connection.uri)}, but got {run_id!r}: "
                "give the store the tracking URI of the trainer's logger"
            ) from error
        if layout.COMPLETE not in run.data.tags:
            return run
        held = f"generation {int(run.data.tags[layout.GENERATION])} of {run.data.tags[layout.LINEAGE]}"
        message = f"run {run_id} holds {held}, so this generation gets a run of its own: use a new logger for every one"
        warnings.warn(message, CollapseGuardWarning, stacklevel=6)
        return None

    def _remember_experiment(self, parent: str, experiment: str) -> None:
        """Note on the lineage's run that a trainer's run lies in another experiment, which must be searched too."""
        known = noted_experiments([self._runs.client.get_run(parent)])
        if experiment not in (*self._runs.experiments(), *known):
            self._runs.client.set_tag(parent, layout.EXPERIMENTS, ",".join([*known, experiment]))


def _check_digest(found: bytes, tags: Mapping[str, str], where: str) -> None:
    """Records of earlier versions have no digest."""
    written, now = tags.get(layout.DIGEST), layout.digest(found)
    if written not in (None, now):
        raise LineageError(
            f"{where} must be as it was written, but got other content (sha256 {now:.12}, and the tag "
            f"`{layout.DIGEST}` says {written:.12}): restore the file from a backup"
        )


def _check_verdict(assessment: Assessment, run: Run) -> None:
    said, severity = run.data.tags.get(layout.VERDICT, ""), assessment.verdict.severity
    if said not in ("", severity.value):
        raise LineageError(
            f"the tag `{layout.VERDICT}` of run {run.info.run_id} of lineage `{assessment.generation.lineage}` must be "
            f"{severity}, as in its record, but got {said!r:.40}: somebody changed it, set it back"
        )


def metrics_of(values: Mapping[str, float], step: int) -> list[Metric]:
    """Metrics of one step, as MLflow takes them."""
    now = time.time_ns() // 1_000_000
    return [Metric(name, value, now, step) for name, value in values.items()]


def tags_of(values: Mapping[str, str]) -> list[RunTag]:
    """Tags of a run, as MLflow takes them; PostgreSQL has no text with a zero in it."""
    return [RunTag(name, value.replace("\0", "\N{REPLACEMENT CHARACTER}")) for name, value in values.items()]


def _dataset(entry: layout.DatasetEntry) -> DatasetInput:
    description = json.dumps(entry.description)
    source = json.dumps({"tags": entry.description})
    dataset = Dataset(entry.name, entry.digest, source_type="code", source=source, profile=description)
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", entry.context)])
