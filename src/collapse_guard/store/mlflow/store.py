"""The lineage store in MLflow: a run per lineage, a child run per generation.

A generation counts once the tag `collapse_guard.complete` is on its run, which is set last. The lineage's run, its
ledger, the notes and the dashboard are projections of what counts: an append brings them up to date, also after a
killed process.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from collapse_guard.errors import CollapseGuardWarning, InputError, LineageError, LineageNotFoundError
from collapse_guard.records import Assessment, is_lineage_name
from collapse_guard.store.base import (
    LineageStore,
    LineageSummary,
    check_append,
    check_attachments,
    lineage_not_found,
)
from collapse_guard.store.mlflow import address, dashboard, experiments, layout, overview
from collapse_guard.store.mlflow.connection import Connection
from collapse_guard.store.mlflow.projection import Projection
from collapse_guard.store.mlflow.recording import Recording
from collapse_guard.store.mlflow.runs import LineageRuns, Runs


class MLflowStore(LineageStore):
    """Lineages in MLflow, in a database or behind a tracking server.

    It leaves MLflow's global state alone (tracking URI, active run). Nothing is opened before the first call, and
    reading makes nothing. An append takes about thirty requests, whatever the number of readings and of generations.

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
        self._connection = Connection(self.tracking_uri)
        self._runs = Runs(self._connection, experiment)
        self._recording = Recording(self._runs)
        self._projection = Projection(self._runs, self._recording)

    def server_address(self) -> str:
        """Address of the tracking server, which shows itself; empty for a database. See `BrowsableStore`."""
        return self.tracking_uri.rstrip("/") if self.tracking_uri.startswith(("http://", "https://")) else ""

    def server_command(self, port: int) -> list[str]:
        """The command that starts MLflow's server on a database; see `BrowsableStore`."""
        return dashboard.ui_command(self.tracking_uri, port=port, registry=os.environ.get("MLFLOW_REGISTRY_URI", ""))

    def dashboard_path(self) -> str:
        """Deep link of the saved view; see `BrowsableStore`."""
        with self._connection.reaching():
            homes = self._runs.experiments()
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
        bound._recording = Recording(self._runs, run_id, step)
        return bound

    def lineages(self) -> list[str]:
        """Return the names of all lineages with at least one complete generation, sorted."""
        with self._connection.reaching():
            heads = overview.heads(self._runs)
            return sorted(name for name, head in heads.items() if head or self._lineage(name).counts())

    def summaries(self) -> dict[str, LineageSummary | LineageError]:
        """The newest generations, from the tags of the runs of lineages wherever these are sure; see `LineageStore`."""
        with self._connection.reaching():
            heads = overview.heads(self._runs)
            found = {name: head or self._summary(name) for name, head in sorted(heads.items())}
            return {name: one for name, one in found.items() if not isinstance(one, LineageNotFoundError)}

    def has(self, lineage: str) -> bool:
        """Whether the store has a generation of that lineage."""
        with self._connection.reaching():
            return self._lineage(lineage).counts()

    def latest(self, lineage: str) -> Assessment:
        """Return the newest generation of a lineage, the only one that is read; raises as `history`."""
        with self._connection.reaching():
            runs = self._lineage(lineage)
            newest = runs.newest()
            if newest is None:
                raise self._not_found(lineage)
            return self._read(runs, newest)

    def history(self, lineage: str) -> list[Assessment]:
        """Return the generations of a lineage, sorted by index; see `LineageStore.history`."""
        with self._connection.reaching():
            runs = self._lineage(lineage)
            history = [self._read(runs, run) for run in runs.all().values()]
            if not history:
                raise self._not_found(lineage)
            return history

    def ledger(self, lineage: str) -> list[Assessment]:
        """What the next generation is compared with, in a dozen requests; see `LineageStore.ledger`."""
        with self._connection.reaching():
            runs = self._lineage(lineage)
            newest = runs.newest()
            if newest is None:
                return []
            last = self._read(runs, newest)
            ends = {last.generation.founder, last.generation.index}
            founder = runs.each(ends - {last.generation.index})
            whole = {last.generation.index: last} | {index: self._read(runs, run) for index, run in founder.items()}
            lines = [line for index, line in self._projection.lines(runs).items() if index in runs.steps - ends]
            copies = {line.generation: line.assessment(lineage) for line in lines}
            abridged = {index: copied for index, copied in copies.items() if copied is not None}
            others = runs.each(runs.steps - ends - abridged.keys())
            abridged |= {index: self._read(runs, run).abridged() for index, run in others.items()}
            return [item for _, item in sorted((whole | abridged).items())]

    def missing(self, lineage: str) -> dict[int, str]:
        """Generations whose runs were deleted or set aside, and how they come back; see `LineageStore`."""
        with self._connection.reaching():
            return overview.missing(self._runs, self._lineage(lineage))

    def append(self, assessment: Assessment) -> None:
        """Add one generation; see `LineageStore.append`."""
        lineage, index = assessment.generation.lineage, assessment.generation.index
        with self._connection.reaching(), self._connection.locked() as alone:
            runs = self._lineage(lineage)
            known = runs.at(index) or runs.newest()
            is_new = check_append([] if known is None else [self._read(runs, known)], assessment)
            home, parent = self._parent(runs)
            appended = {}
            if is_new:
                child = self._recording.write(assessment, home, parent)
                self._recording.commit(child, lineage, index)
                appended[child.info.run_id] = assessment
            self._project(lineage, appended, alone=alone)

    def attach(self, lineage: str, index: int, attachments: Mapping[str, str]) -> None:
        """Keep files beside a generation, among the artifacts of its run; see `LineageStore.attach`."""
        check_attachments(attachments)
        with self._connection.reaching():
            run = self._lineage(lineage).at(index)
            if run is None:
                raise LineageError(f"`index` must be a stored generation of lineage `{lineage}`, but got {index}")
            self._recording.attach(run, attachments)

    def _lineage(self, name: str) -> LineageRuns:
        return LineageRuns(self._runs, name)

    def _read(self, runs: LineageRuns, run: Run) -> Assessment:
        return self._recording.read(run, runs.lineage, runs.index_of(run))

    def _not_found(self, lineage: str) -> LineageNotFoundError:
        """The error for a lineage that is not there; it says where one of this name is."""
        hint = address.other_store(self.tracking_uri)
        homes = self._runs.experiments()
        if is_lineage_name(lineage) and self._connection.is_made:
            others = experiments.elsewhere(self._runs.client, lineage, homes)
            named = ", ".join(f"`{name}`" for name in others)
            hint = f"A lineage of this name is in the experiment {named} of this store" if others else hint
            gone = self.missing(lineage)
            hint = f"It had generation {min(gone)}: {gone[min(gone)]}" if gone else hint
        return lineage_not_found(lineage, self.lineages(), address=self.tracking_uri, hint=hint)

    def _parent(self, runs: LineageRuns) -> tuple[str, str]:
        """Experiment and id of the lineage's run, which is made where it is missing."""
        if runs.parent is not None:
            return str(runs.parent.info.experiment_id), str(runs.parent.info.run_id)
        tags, home = {layout.KIND: "lineage", layout.LINEAGE: runs.lineage}, self._runs.made_experiment()
        made = self._runs.client.create_run(home, tags=tags, run_name=runs.lineage).info.run_id
        self._runs.client.set_terminated(made)
        first = self._lineage(runs.lineage).parent
        if first is None or first.info.run_id == made:
            return home, str(made)
        self._runs.client.set_tag(made, layout.KIND, layout.SECOND)
        return str(first.info.experiment_id), str(first.info.run_id)

    def _project(self, lineage: str, appended: Mapping[str, Assessment], *, alone: bool) -> None:
        """Show what counts. What was appended counts already, so that a fault here is no reason to append it again."""
        try:
            runs = self._lineage(lineage)
            if runs.parent is not None:
                self._projection.update(runs, runs.parent, appended)
                self._projection.end_abandoned(runs.parent, alone=alone)
        except (OSError, SQLAlchemyError, MlflowException, LineageError) as error:
            if not appended:
                raise
            message = (
                f"the new generation of lineage `{lineage}` is stored, but the run of the lineage does not show it yet "
                f"(the next append makes it): {error}"
            )
            warnings.warn(address.without_password(message, self.tracking_uri), CollapseGuardWarning, stacklevel=3)
