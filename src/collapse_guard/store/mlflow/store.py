"""The lineage store in MLflow: a run per lineage, a child run per generation.

A generation counts once the tag `collapse_guard.complete` is on its run, which is set last. The lineage's run, the
notes and the dashboard are projections of what counts: an append brings them up to date, also after a killed process.
"""

from __future__ import annotations

import copy
import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from packaging.version import Version

from collapse_guard.errors import CollapseGuardWarning, InputError, LineageError, LineageNotFoundError
from collapse_guard.records import Assessment, is_lineage_name
from collapse_guard.store.base import (
    LineageStore,
    check_append,
    check_attachments,
    from_text,
    lineage_not_found,
)
from collapse_guard.store.mlflow import address, artifacts, dashboard, experiments, layout
from collapse_guard.store.mlflow.connection import REFUSALS, Connection

_SAVED_VIEWS_SINCE = Version("3.15")
_PAGE = 1000
_SET_ASIDE = f"set the tag `{layout.COMPLETE}` to false"


class MLflowStore(LineageStore):
    """Lineages in MLflow, in a database or behind a tracking server.

    It leaves MLflow's global state alone (tracking URI, active run). Nothing is opened before the first call, and
    reading makes nothing. An append takes about twenty requests, whatever the number of readings.

    Args:
        tracking_uri: "sqlite:///mlflow.db", another database, the address of a server, "databricks", or what a plugin
            of MLflow opens. MLflow's client itself heeds MLFLOW_REGISTRY_URI.
        experiment: Name that the experiment of the lineages is made with. It carries the name as a tag, by which it is
            found, whatever it is called later.

    Raises:
        InputError: `tracking_uri` is a directory, an in-memory database, or of a scheme that nothing is known of.
    """

    def __init__(self, tracking_uri: str, experiment: str = "collapse_guard") -> None:
        """Remember where the store is; see the class."""
        self.address = self.tracking_uri = address.absolute(tracking_uri)
        self.experiment = experiment
        self._run_id: str | None = None
        self._step: int | None = None
        self._connection = Connection(self.tracking_uri)
        self._homes: list[str] = []
        self._texts: dict[str, str] = {}

    def server_address(self) -> str:
        """Address of the tracking server, which shows itself; empty for a database. See `BrowsableStore`."""
        return self.tracking_uri.rstrip("/") if self.tracking_uri.startswith(("http://", "https://")) else ""

    def server_command(self, port: int) -> list[str]:
        """The command that starts MLflow's server on a database; see `BrowsableStore`."""
        return dashboard.ui_command(self.tracking_uri, port=port, registry=os.environ.get("MLFLOW_REGISTRY_URI", ""))

    def dashboard_path(self) -> str:
        """Deep link of the saved view; see `BrowsableStore`."""
        with self._connection.reaching():
            homes = self._experiments()
        return dashboard.dashboard_path(homes[0]) if homes else ""

    def tracks(self, uri: str) -> bool:
        """Whether runs at this tracking URI are in the store; see `RunStore`. Not those in MLflow's old directories."""
        try:
            return address.absolute(uri) == self.tracking_uri
        except InputError:
            return False

    def in_run(self, run_id: str, *, step: int | None = None) -> MLflowStore:
        """The store that appends to a run which is left running: its logger ends it. See `RunStore`."""
        bound = copy.copy(self)
        bound._run_id, bound._step = run_id, step
        return bound

    def lineages(self) -> list[str]:
        """Return the names of all lineages with at least one complete generation, sorted."""
        with self._connection.reaching():
            elsewhere = _noted(self._search({layout.KIND: "lineage"}))
            runs = self._search({layout.KIND: "generation", layout.COMPLETE: "true"}, elsewhere)
            return sorted({run.data.tags[layout.LINEAGE] for run in runs if layout.LINEAGE in run.data.tags})

    def has(self, lineage: str) -> bool:
        """Whether the store has a generation of that lineage."""
        with self._connection.reaching():
            return bool(self._runs(lineage))

    def latest(self, lineage: str) -> Assessment:
        """Return the newest generation of a lineage, the only one that is read; raises as `history`."""
        with self._connection.reaching():
            generations = self._generations(lineage)
            if not generations:
                raise self._not_found(lineage)
            return self._assessment(lineage, *max(generations.items()))

    def history(self, lineage: str) -> list[Assessment]:
        """Return the generations of a lineage, sorted by index; see `LineageStore.history`."""
        with self._connection.reaching():
            history = self._history(lineage)
            if not history:
                raise self._not_found(lineage)
            return history

    def append(self, assessment: Assessment) -> None:
        """Add one generation; see `LineageStore.append`."""
        with self._connection.reaching():
            history = self._history(assessment.generation.lineage)
            is_new = check_append(history, assessment)
            home, parent = self._parent(assessment.generation.lineage)
            if is_new:
                child = self._child(assessment, home, parent)
                self._record(child, assessment)
                if child.info.run_id != self._run_id:
                    self._client.set_terminated(child.info.run_id)
                self._commit(child.info.run_id, assessment.generation.lineage)
                history.append(assessment)
            self._project(parent, history, assessment if is_new else None)
            self._install_dashboard(home, history)

    def attach(self, lineage: str, index: int, attachments: Mapping[str, str]) -> None:
        """Keep files beside a generation, under its run's artifacts; see `LineageStore.attach`."""
        check_attachments(attachments)
        with self._connection.reaching():
            run = self._generations(lineage).get(index)
            if run is None:
                raise LineageError(f"`index` must be a stored generation of lineage `{lineage}`, but got {index}")
            artifacts.write(self._client, run, attachments, self._connection.path, self.experiment)

    @property
    def _client(self) -> MlflowClient:
        return self._connection.client

    # Reading

    def _history(self, lineage: str) -> list[Assessment]:
        return [self._assessment(lineage, index, run) for index, run in self._generations(lineage).items()]

    def _generations(self, lineage: str) -> dict[int, Run]:
        """The runs of a lineage that count, by generation index, in order."""
        runs = self._runs(lineage)
        indices = [_index(run, lineage) for run in runs]
        for index, count in Counter(indices).items():
            if count > 1:
                ids = [run.info.run_id for run, other in zip(runs, indices, strict=True) if other == index]
                raise LineageError(
                    f"lineage `{lineage}` must have one run per generation, but generation {index} has "
                    f"{', '.join(ids)}: {_SET_ASIDE} on all of them but one"
                )
        return dict(sorted(zip(indices, runs, strict=True), key=lambda pair: pair[0]))

    def _runs(self, lineage: str) -> list[Run]:
        elsewhere = _noted(self._parents(lineage))
        return self._search({layout.KIND: "generation", layout.LINEAGE: lineage, layout.COMPLETE: "true"}, elsewhere)

    def _not_found(self, lineage: str) -> LineageNotFoundError:
        """The error for a lineage that is not there; it says where one of this name is."""
        hint = address.other_store(self.tracking_uri)
        homes = self._experiments()
        if is_lineage_name(lineage) and self._connection.is_made:
            others = experiments.elsewhere(self._client, lineage, homes)
            named = ", ".join(f"`{name}`" for name in others)
            hint = f"A lineage of this name is in the experiment {named} of this store" if others else hint
        return lineage_not_found(lineage, self.lineages(), address=self.tracking_uri, hint=hint)

    def _parents(self, lineage: str) -> list[Run]:
        """The lineage's run; more than one where two processes began it at once, the oldest first."""
        runs = self._search({layout.KIND: "lineage", layout.LINEAGE: lineage})
        return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))

    def _search(self, tags: Mapping[str, str], elsewhere: Sequence[str] = ()) -> list[Run]:
        homes = self._experiments()
        if not homes or not is_lineage_name(tags.get(layout.LINEAGE, "any")):
            return []
        query = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs: list[Run] = []
        token: str | None = None
        while token is None or token:
            page = self._client.search_runs([*homes, *elsewhere], query, max_results=_PAGE, page_token=token)
            runs += page
            token = page.token or ""
        # Some databases compare without case: compare again.
        return [run for run in runs if all(run.data.tags.get(name) == value for name, value in tags.items())]

    def _assessment(self, lineage: str, index: int, run: Run) -> Assessment:
        run_id = run.info.run_id
        where = f"assessment.json of run {run_id} of lineage `{lineage}`"
        try:
            if run_id not in self._texts:
                self._texts[run_id] = artifacts.read(self._client, run, self._connection.path, where)
            return from_text(self._texts[run_id], lineage=lineage, index=index, where=where)
        except LineageError as error:
            self._texts.pop(run_id, None)
            raise LineageError(
                f"{error}. If it is lost, {_SET_ASIDE} on this run, and append the generation again: nothing needs to "
                "be removed"
            ) from error

    # Writing

    def _parent(self, lineage: str) -> tuple[str, str]:
        """Experiment and id of the lineage's run, which is made where it is missing."""
        parents = self._parents(lineage)
        if parents:
            return str(parents[0].info.experiment_id), str(parents[0].info.run_id)
        tags, home = {layout.KIND: "lineage", layout.LINEAGE: lineage}, self._made_experiment()
        run = self._client.create_run(home, tags=tags, run_name=lineage)
        self._client.set_terminated(run.info.run_id)
        return home, str(run.info.run_id)

    def _child(self, assessment: Assessment, home: str, parent: str) -> Run:
        """The run of a generation: that of `in_run`, unless there is none or it holds another generation."""
        run = None if self._run_id is None else self._given_run(self._run_id)
        if run is None:
            name = f"{assessment.generation.lineage} generation {assessment.generation.index}"
            return self._client.create_run(home, tags={layout.PARENT_RUN: parent}, run_name=name)
        self._client.set_tag(run.info.run_id, layout.PARENT_RUN, parent)
        self._remember_experiment(parent, run.info.experiment_id)
        return run

    def _given_run(self, run_id: str) -> Run | None:
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            raise LineageError(
                f"`run_id` must be a run in {address.without_password(self.tracking_uri)}, but got {run_id!r}: "
                "give the store the tracking URI of the trainer's logger"
            ) from error
        if layout.COMPLETE not in run.data.tags:
            return run
        held = f"generation {int(run.data.tags[layout.GENERATION])} of {run.data.tags[layout.LINEAGE]}"
        message = f"run {run_id} holds {held}, so this generation gets a run of its own: use a new logger for every one"
        warnings.warn(message, CollapseGuardWarning, stacklevel=4)
        return None

    def _remember_experiment(self, parent: str, experiment: str) -> None:
        """Note on the lineage's run that a trainer's run lies in another experiment, which must be searched too."""
        known = _noted([self._client.get_run(parent)])
        if experiment not in (*self._experiments(), *known):
            self._client.set_tag(parent, layout.EXPERIMENTS, ",".join([*known, experiment]))

    def _record(self, child: Run, assessment: Assessment) -> None:
        """Write all of a generation to its run except the mark that it counts; what a trainer logged there stays."""
        run_id, values = child.info.run_id, layout.metrics(assessment)
        step = self._step if run_id == self._run_id else None
        if step is None:
            values = {name: value for name, value in values.items() if name not in child.data.metrics}
            step = assessment.generation.index
        note = {layout.NOTE: child.data.tags.get(layout.NOTE) or dashboard.generation_note(assessment)}
        tags = _tags(layout.tags(assessment) | note)
        self._client.log_batch(run_id, metrics=_metrics(values, step), tags=tags)
        self._client.log_inputs(run_id, datasets=[_dataset(entry) for entry in layout.datasets(assessment)])
        artifacts.write(self._client, child, layout.files(assessment), self._connection.path, self.experiment)

    def _commit(self, run_id: str, lineage: str) -> None:
        """Make the generation count; step back where another process did so for the same one in the meantime."""
        self._client.set_tag(run_id, layout.COMPLETE, "true")
        try:
            self._generations(lineage)
        except LineageError:
            self._client.delete_tag(run_id, layout.COMPLETE)
            raise

    def _project(self, parent: str, history: Sequence[Assessment], new: Assessment | None) -> None:
        """Bring the lineage's run up to date: metrics of generations that it does not show yet, verdict, note."""
        shown = {metric.step for metric in self._client.get_metric_history(parent, layout.SEVERITY_METRIC)}
        late = [item for item in history if item is new or item.generation.index not in shown]
        metrics = [metric for item in late for metric in _metrics(layout.metrics(item), item.generation.index)]
        newest = max(history, key=lambda item: item.generation.index)
        tags = {layout.VERDICT: newest.verdict.severity.value, layout.NOTE: dashboard.lineage_note(history)}
        self._client.log_batch(parent, metrics=metrics, tags=_tags(tags))

    def _install_dashboard(self, home: str, history: Sequence[Assessment]) -> None:
        """Mark the experiment, so that it is found under any name, and bring notes and dashboard up to date."""
        experiment = self._client.get_experiment(home)
        for name, value in experiments.tags(self.experiment).items():
            if name not in experiment.tags:
                self._client.set_experiment_tag(home, name, value)
        if layout.NOTE not in experiment.tags:
            note = dashboard.experiment_note(experiment.experiment_id)
            self._client.set_experiment_tag(experiment.experiment_id, layout.NOTE, note)
        if Version(mlflow.__version__) < _SAVED_VIEWS_SINCE:
            return
        names = {name for item in history for name in layout.metrics(item)}
        view = dashboard.updated_view(experiment.tags.get(dashboard.VIEW_TAG), names, now=_now())
        if view is not None:
            self._client.set_experiment_tag(experiment.experiment_id, dashboard.VIEW_TAG, view)

    # Experiments

    def _experiments(self) -> list[str]:
        """Ids of the experiments, that for new lineages first; none where there is none yet. Does not make a file."""
        if not self._homes and self._connection.is_made:
            self._homes = experiments.found(self._client, self.tracking_uri, self.experiment)
        return self._homes

    def _made_experiment(self) -> str:
        """Id of the experiment for new lineages, which is made where it is missing."""
        if not self._experiments():
            name, path = address.experiment_name(self.tracking_uri, self.experiment), self._connection.path
            # Beside an sqlite file; a server knows its own. MLflow's default depends on the working directory.
            location = None if path is None else artifacts.home(path, self.experiment).as_uri()
            try:
                made = self._client.create_experiment(name, location, tags=experiments.tags(self.experiment))
                self._homes = [str(made)]
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or not self._experiments():
                    raise
        return self._homes[0]


def _index(run: Run, lineage: str) -> int:
    number = run.data.tags.get(layout.GENERATION, "")
    if not number.isdecimal():
        raise LineageError(
            f"run {run.info.run_id} of lineage `{lineage}` must have the number of its generation in the tag "
            f"`{layout.GENERATION}`, but got {number!r:.80}: set the tag to the number"
        )
    return int(number)


def _noted(parents: Sequence[Run]) -> list[str]:
    tags = (run.data.tags.get(layout.EXPERIMENTS, "") for run in parents)
    return sorted({experiment for tag in tags for experiment in tag.split(",") if experiment})


def _now() -> int:
    return time.time_ns() // 1_000_000


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = _now()
    return [Metric(name, value, now, step) for name, value in values.items()]


def _tags(values: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in values.items()]


def _dataset(entry: layout.DatasetEntry) -> DatasetInput:
    description = json.dumps(entry.description)
    source = json.dumps({"tags": entry.description})
    dataset = Dataset(entry.name, entry.digest, source_type="code", source=source, profile=description)
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", entry.context)])
