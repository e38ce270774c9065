"""The lineage store in MLflow: a run per lineage, a child run per generation. The only module that imports MLflow.

A generation counts once the tag `collapse_guard.complete` is on its run, which is set last. The lineage's run, the
notes and the dashboard are projections of what counts: an append brings them up to date, also after a killed process.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from packaging.version import Version
from sqlalchemy.exc import SQLAlchemyError

from collapse_guard.errors import CollapseGuardWarning, InputError, LineageError
from collapse_guard.records import Assessment, is_lineage_name
from collapse_guard.store.base import (
    NO_ATTACHMENTS,
    LineageStore,
    check_append,
    check_attachments,
    from_text,
    lineage_not_found,
)
from collapse_guard.store.mlflow import address, dashboard, layout

_SAVED_VIEWS_SINCE = Version("3.15")
_PAGE = 1000
_REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
"""MLflow's codes for "the store answers, and says no"; all others mean that it cannot be used now."""


class MLflowStore(LineageStore):
    """Lineages in MLflow, in a database or behind a tracking server.

    It leaves MLflow's global state alone (tracking URI, active run). Nothing is opened before the first call, and
    reading makes nothing. An append takes about twenty requests, whatever the number of readings.

    Args:
        tracking_uri: "sqlite:///mlflow.db", another database, or the address of a server.
        experiment: Name of the experiment that holds the lineages.

    Raises:
        InputError: `tracking_uri` is a directory or an in-memory database.
    """

    def __init__(self, tracking_uri: str, experiment: str = "collapse_guard") -> None:
        """Remember where the store is; see the class."""
        self.tracking_uri = address.absolute(tracking_uri)
        self.experiment = experiment
        self._run_id: str | None = None
        self._reached = False
        self._known_experiment: str | None = None
        self._texts: dict[str, str] = {}

    def server_address(self) -> str:
        """Address of the tracking server, which shows itself; empty for a database. See `BrowsableStore`."""
        return self.tracking_uri.rstrip("/") if self.tracking_uri.startswith(("http://", "https://")) else ""

    def server_command(self, port: int) -> list[str]:
        """The command that starts MLflow's server on a database; see `BrowsableStore`."""
        return dashboard.ui_command(self.tracking_uri, port=port)

    def dashboard_path(self) -> str:
        """Deep link of the saved view; see `BrowsableStore`."""
        with self._reaching():
            experiment = self._experiment_id()
        return "" if experiment is None else dashboard.dashboard_path(experiment)

    def tracks(self, uri: str) -> bool:
        """Whether runs at this tracking URI are in the store; see `RunStore`. Not those in MLflow's old directories."""
        try:
            return address.absolute(uri) == self.tracking_uri
        except InputError:
            return False

    def in_run(self, run_id: str) -> MLflowStore:
        """The store that appends to a run which is left running: its logger ends it. See `RunStore`."""
        bound = copy.copy(self)
        bound._run_id = run_id
        return bound

    def lineages(self) -> list[str]:
        """Return the names of all lineages with at least one complete generation, sorted."""
        with self._reaching():
            elsewhere = _experiments(self._search({layout.KIND: "lineage"}))
            runs = self._search({layout.KIND: "generation", layout.COMPLETE: "true"}, elsewhere)
            return sorted({run.data.tags[layout.LINEAGE] for run in runs})

    def history(self, lineage: str) -> list[Assessment]:
        """Return the generations of a lineage, sorted by index; see `LineageStore.history`."""
        with self._reaching():
            history = self._history(lineage)
            if not history:
                raise lineage_not_found(lineage, self.lineages())
            return history

    def append(self, assessment: Assessment, *, attachments: Mapping[str, str] = NO_ATTACHMENTS) -> None:
        """Add one generation; see `LineageStore.append`."""
        check_attachments(attachments)
        with self._reaching():
            history = self._history(assessment.generation.lineage)
            is_new = check_append(history, assessment)
            parent = self._parent(assessment.generation.lineage)
            if is_new:
                child = self._child(assessment, parent)
                self._record(child, assessment, attachments)
                if child.info.run_id != self._run_id:
                    self._client.set_terminated(child.info.run_id)
                self._commit(child.info.run_id, assessment.generation.lineage)
                history.append(assessment)
            self._project(parent, history, assessment if is_new else None)
            self._install_dashboard(history)

    # Reading

    def _history(self, lineage: str) -> list[Assessment]:
        return [self._assessment(lineage, index, run) for index, run in self._generations(lineage).items()]

    def _generations(self, lineage: str) -> dict[int, Run]:
        """The runs of a lineage that count, by generation index, in order."""
        elsewhere = _experiments(self._parents(lineage))
        runs = self._search({layout.KIND: "generation", layout.LINEAGE: lineage, layout.COMPLETE: "true"}, elsewhere)
        indices = [int(run.data.tags[layout.GENERATION]) for run in runs]
        for index, count in Counter(indices).items():
            if count > 1:
                ids = [run.info.run_id for run, other in zip(runs, indices, strict=True) if other == index]
                raise LineageError(
                    f"lineage `{lineage}` must have one run per generation, but generation {index} has "
                    f"{', '.join(ids)}: keep one and delete the others in MLflow"
                )
        return dict(sorted(zip(indices, runs, strict=True), key=lambda pair: pair[0]))

    def _parents(self, lineage: str) -> list[Run]:
        """The lineage's run; more than one where two processes began it at once, the oldest first."""
        runs = self._search({layout.KIND: "lineage", layout.LINEAGE: lineage})
        return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))

    def _search(self, tags: Mapping[str, str], elsewhere: Sequence[str] = ()) -> list[Run]:
        home = self._experiment_id()
        if home is None or not is_lineage_name(tags.get(layout.LINEAGE, "any")):
            return []
        query = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs: list[Run] = []
        token: str | None = None
        while token is None or token:
            page = self._client.search_runs([home, *elsewhere], query, max_results=_PAGE, page_token=token)
            runs += page
            token = page.token or ""
        # Some databases compare without case: compare again.
        return [run for run in runs if all(run.data.tags.get(name) == value for name, value in tags.items())]

    def _assessment(self, lineage: str, index: int, run: Run) -> Assessment:
        run_id = run.info.run_id
        where = f"assessment.json of run {run_id} of lineage `{lineage}`"
        if run_id not in self._texts:
            self._texts[run_id] = self._text(run_id, where)
        return from_text(self._texts[run_id], lineage=lineage, index=index, where=where)

    def _text(self, run_id: str, where: str) -> str:
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = self._client.download_artifacts(run_id, "assessment.json", folder)
                return Path(path).read_bytes().decode(errors="replace")
        except (OSError, MlflowException) as error:
            if any(file.path == "assessment.json" for file in self._client.list_artifacts(run_id)):
                raise
            raise LineageError(f"{where} is not there: restore it, or delete the run and append again") from error

    # Writing

    def _parent(self, lineage: str) -> str:
        """Id of the lineage's run, which is made where it is missing."""
        parents = self._parents(lineage)
        if parents:
            return str(parents[0].info.run_id)
        tags = {layout.KIND: "lineage", layout.LINEAGE: lineage}
        run = self._client.create_run(self._made_experiment(), tags=tags, run_name=lineage)
        self._client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _child(self, assessment: Assessment, parent: str) -> Run:
        """The run of a generation: that of `in_run`, unless there is none or it holds another generation."""
        run = None if self._run_id is None else self._given_run(self._run_id)
        if run is None:
            name = f"{assessment.generation.lineage} generation {assessment.generation.index}"
            return self._client.create_run(self._made_experiment(), tags={layout.PARENT_RUN: parent}, run_name=name)
        self._client.set_tag(run.info.run_id, layout.PARENT_RUN, parent)
        self._remember_experiment(parent, run.info.experiment_id)
        return run

    def _given_run(self, run_id: str) -> Run | None:
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
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
        known = _experiments([self._client.get_run(parent)])
        if experiment not in (self._experiment_id(), *known):
            self._client.set_tag(parent, layout.EXPERIMENTS, ",".join([*known, experiment]))

    def _record(self, child: Run, assessment: Assessment, attachments: Mapping[str, str]) -> None:
        """Write all of a generation to its run except the mark that it counts; what a trainer logged there stays."""
        run_id = child.info.run_id
        values = {name: value for name, value in layout.metrics(assessment).items() if name not in child.data.metrics}
        note = {layout.NOTE: child.data.tags.get(layout.NOTE) or dashboard.generation_note(assessment)}
        tags = _tags(layout.tags(assessment) | note)
        self._client.log_batch(run_id, metrics=_metrics(values, assessment.generation.index), tags=tags)
        self._client.log_inputs(run_id, datasets=[_dataset(entry) for entry in layout.datasets(assessment)])
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**attachments, **layout.files(assessment)}.items():
                Path(folder, name).write_bytes(text.encode())
            self._client.log_artifacts(run_id, folder)

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

    def _install_dashboard(self, history: Sequence[Assessment]) -> None:
        experiment = self._client.get_experiment(self._made_experiment())
        if layout.NOTE not in experiment.tags:
            note = dashboard.experiment_note(experiment.experiment_id)
            self._client.set_experiment_tag(experiment.experiment_id, layout.NOTE, note)
        if Version(mlflow.__version__) < _SAVED_VIEWS_SINCE:
            return
        names = {name for item in history for name in layout.metrics(item)}
        view = dashboard.updated_view(experiment.tags.get(dashboard.VIEW_TAG), names, now=_now())
        if view is not None:
            self._client.set_experiment_tag(experiment.experiment_id, dashboard.VIEW_TAG, view)

    # Connecting

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn every way in which MLflow says that it cannot be used into StoreUnreachableError, soon."""
        try:
            if not self._reached:
                address.check_reachable(self.tracking_uri)
                with address.mlflow_settings(address.FIRST_ANSWER):
                    self._experiment_id()
                self._reached = True
            with address.mlflow_settings(address.LATER_ANSWERS):
                yield
        except (OSError, SQLAlchemyError) as error:
            raise address.unreachable(self.tracking_uri, error) from error
        except MlflowException as error:
            if error.error_code in _REFUSALS:
                raise LineageError(address.without_password(f"MLflow refuses: {error}")) from error
            raise address.unreachable(self.tracking_uri, error) from error

    @cached_property
    def _client(self) -> MlflowClient:
        with self._opening():
            return MlflowClient(tracking_uri=self.tracking_uri)

    def _opening(self) -> AbstractContextManager[object]:
        """A lock while MLflow makes the tables of an sqlite file: two processes that do so at once break it."""
        path = address.sqlite_path(self.tracking_uri)
        if path is None or not os.access(path.parent, os.W_OK):
            return nullcontext()
        return FileLock(f"{path}.lock", timeout=60)

    def _experiment_id(self) -> str | None:
        """Id of the experiment; None where there is none yet. Does not make an sqlite file."""
        path = address.sqlite_path(self.tracking_uri)
        if self._known_experiment is None and (path is None or path.exists()):
            experiment = self._client.get_experiment_by_name(self.experiment)
            if experiment is not None and experiment.lifecycle_stage != "active":
                raise LineageError(
                    f"experiment `{self.experiment}` must be active, but it was deleted: "
                    f"`mlflow experiments restore --experiment-id {experiment.experiment_id}` brings it back"
                )
            self._known_experiment = None if experiment is None else experiment.experiment_id
        return self._known_experiment

    def _made_experiment(self) -> str:
        """Id of the experiment, which is made where it is missing."""
        if self._experiment_id() is None:
            try:
                location = self._artifact_location()
                self._known_experiment = self._client.create_experiment(self.experiment, artifact_location=location)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or self._experiment_id() is None:
                    raise
        return str(self._experiment_id())

    def _artifact_location(self) -> str | None:
        """Beside an sqlite file; a server knows its own. MLflow's default depends on the working directory."""
        path = address.sqlite_path(self.tracking_uri)
        return None if path is None else (path.parent / "mlruns" / quote(self.experiment, safe="")).as_uri()


def _experiments(parents: Sequence[Run]) -> list[str]:
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
