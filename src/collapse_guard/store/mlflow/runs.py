"""The runs of lineages, found by their tags.

MLflow loads every metric and tag of a run that it finds, so a search costs as much as its runs. `LineageRuns` therefore
asks for few: the generations of a lineage are the steps of the curve of severities on its run, and those that are not
shown there yet. What counts is asked anew for every generation that matters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException

from collapse_guard.errors import LineageError
from collapse_guard.records import is_lineage_name
from collapse_guard.store.mlflow import address, artifacts, experiments, layout
from collapse_guard.store.mlflow.connection import Connection

SET_ASIDE = f"set the tag `{layout.COMPLETE}` to false"
_PAGE = 1000
_NARROW = 3
"""So many generations are asked for one by one; more are found by one search for all."""


def tag(name: str) -> str:
    """A tag as it stands in a search."""
    return f"tags.`{name}`"


COUNTS = f"{tag(layout.COMPLETE)} = 'true'"
NOT_SHOWN = f"{tag(layout.SHOWN_BY)} = '{layout.NOT_SHOWN}'"
_SET_ASIDE = (
    f"{tag(layout.COMPLETE)} != 'true'",
    f"{tag(layout.COMPLETE)} IS NULL AND {tag(layout.SHOWN_BY)} != '{layout.NOT_SHOWN}'",
)
"""What runs meet whose mark was changed, and those whose mark was taken away."""


class Runs:
    """The experiments of one store, and searches in them."""

    def __init__(self, connection: Connection, experiment: str) -> None:
        """Remember where to search; nothing is asked yet."""
        self.connection = connection
        self.experiment = experiment
        self._homes: list[str] = []

    @property
    def client(self) -> MlflowClient:
        """MLflow's client of the store."""
        return self.connection.client

    def experiments(self) -> list[str]:
        """Ids of the experiments, that for new lineages first; none where there is none yet. Does not make a file."""
        if not self._homes and self.connection.is_made:
            self._homes = experiments.found(self.client, self.connection.uri, self.experiment)
        return self._homes

    def made_experiment(self) -> str:
        """Id of the experiment for new lineages, which is made where it is missing."""
        if not self.experiments():
            name, path = address.experiment_name(self.connection.uri, self.experiment), self.connection.path
            # Beside an sqlite file; a server knows its own. MLflow's default depends on the working directory.
            location = None if path is None else artifacts.home(path, self.experiment).as_uri()
            try:
                made = self.client.create_experiment(name, location, tags=experiments.tags(self.experiment))
                self._homes = [str(made)]
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or not self.experiments():
                    raise
        return self._homes[0]

    def search(
        self,
        *conditions: str,
        tags: Mapping[str, str] | None = None,
        elsewhere: Sequence[str] = (),
        view: int = ViewType.ACTIVE_ONLY,
    ) -> list[Run]:
        """Runs that meet all conditions.

        Args:
            conditions: In MLflow's language.
            tags: Tags, and the values that they must have.
            elsewhere: Ids of more experiments to search.
            view: Whether deleted runs are meant.
        """
        wanted, homes = tags or {}, self.experiments()
        if not homes or not is_lineage_name(wanted.get(layout.LINEAGE, "any")):
            return []
        query = " AND ".join([*(f"{tag(name)} = '{value}'" for name, value in wanted.items()), *conditions])
        runs: list[Run] = []
        token: str | None = None
        while token is None or token:
            page = self.client.search_runs(
                [*homes, *elsewhere], query, run_view_type=view, max_results=_PAGE, page_token=token
            )
            runs += page
            token = page.token or ""
        # Some databases compare without case: compare again.
        return [run for run in runs if all(run.data.tags.get(name) == value for name, value in wanted.items())]

    def deleted(self, elsewhere: Sequence[str], tags: Mapping[str, str] | None = None) -> list[Run]:
        """Runs that counted until they were deleted."""
        return self.search(COUNTS, tags=tags, elsewhere=elsewhere, view=ViewType.DELETED_ONLY)

    def set_aside(self, elsewhere: Sequence[str], tags: Mapping[str, str] | None = None) -> list[Run]:
        """Runs that counted until a person changed their mark or took it away."""
        return [run for one in _SET_ASIDE for run in self.search(one, tags=tags, elsewhere=elsewhere)]


class LineageRuns:
    """The runs of one lineage as they are now. Its methods raise LineageError where a run's number cannot be told."""

    def __init__(self, runs: Runs, lineage: str) -> None:
        """Find the run of the lineage."""
        found = runs.search(tags={layout.KIND: "lineage", layout.LINEAGE: lineage})
        self.lineage = lineage
        self.parents = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
        """Runs of the lineage, the oldest first; more than one where two processes began it at once."""
        self.elsewhere = noted_experiments(self.parents)
        self._runs = runs

    @property
    def parent(self) -> Run | None:
        """The run of the lineage that is written to."""
        return self.parents[0] if self.parents else None

    @property
    def _is_shown(self) -> bool:
        """Whether the run of the lineage knows its generations: not if it is new, or of an earlier version."""
        return self.parent is not None and layout.NEWEST in self.parent.data.tags

    def all(self) -> dict[int, Run]:
        """Every run that counts, by generation, in order. Costs as much as there are."""
        found: defaultdict[int, list[Run]] = defaultdict(list)
        for run in self._counting(**{layout.KIND: "generation"}):
            found[self.index_of(run)].append(run)
        return {index: self._one(index, found[index]) for index in sorted(found)}

    def at(self, index: int) -> Run | None:
        """The run of a generation that counts."""
        runs = self._numbered(index)
        return self._one(index, runs) if runs else None

    def each(self, indices: Iterable[int]) -> dict[int, Run]:
        """The runs of those of the generations that count."""
        wanted = list(indices)
        if len(wanted) > _NARROW:
            return {index: run for index, run in self.all().items() if index in wanted}
        found = {index: self.at(index) for index in wanted}
        return {index: run for index, run in found.items() if run is not None}

    def newest(self) -> Run | None:
        """The run of the newest generation that counts."""
        steps = sorted(self.steps, reverse=True)
        for index in steps[:_NARROW]:
            run = self.at(index)
            if run is not None:
                return run
        runs = self.all() if steps else {}
        return runs[max(runs)] if runs else None

    @cached_property
    def steps(self) -> set[int]:
        """The generations that count, and some that do no more."""
        if not self._is_shown:
            return set(self.all())
        return {*self.shown, *(self.index_of(run) for run in self.late)}

    @cached_property
    def shown(self) -> set[int]:
        """The generations that a run of the lineage shows."""
        curves = (self._runs.client.get_metric_history(one.info.run_id, layout.SEVERITY_METRIC) for one in self.parents)
        return {int(point.step) for curve in curves for point in curve}

    @cached_property
    def late(self) -> list[Run]:
        """Runs marked as complete that are not shown: their process was killed, or the lineage's run is a new one."""
        if self.parent is None or not self._is_shown:
            return list(self.all().values())
        return self._counting(f"{tag(layout.SHOWN_BY)} != '{self.parent.info.run_id}'")

    @cached_property
    def deleted(self) -> list[Run]:
        """Runs that counted until they were deleted."""
        return self._runs.deleted(self.elsewhere, {layout.LINEAGE: self.lineage})

    @cached_property
    def set_aside(self) -> list[Run]:
        """Runs that counted until a person set them aside."""
        return self._runs.set_aside(self.elsewhere, {layout.LINEAGE: self.lineage})

    @cached_property
    def gone(self) -> set[str]:
        """Ids of the runs that counted once."""
        return {run.info.run_id for run in [*self.deleted, *self.set_aside]}

    def counts(self) -> bool:
        """Whether any generation counts, also one whose number cannot be told."""
        try:
            newest = max(self.shown, default=None)
            return (newest is not None and self.at(newest) is not None) or self.newest() is not None
        except LineageError:
            return True

    def marked(self, index: int) -> list[str]:
        """Ids of all runs that are marked as complete for a generation; more than one while several processes do so."""
        return [run.info.run_id for run in self._numbered(index)]

    def _counting(self, *conditions: str, **tags: str) -> list[Run]:
        ours = {layout.LINEAGE: self.lineage, layout.COMPLETE: "true"}
        return self._runs.search(*conditions, tags=ours | tags, elsewhere=self.elsewhere)

    def _numbered(self, index: int) -> list[Run]:
        return self._counting(**{layout.GENERATION: layout.number(index)})

    def index_of(self, run: Run) -> int:
        """The number of the generation of a run."""
        number = run.data.tags.get(layout.GENERATION, "")
        if not number.isdecimal():
            raise LineageError(
                f"run {run.info.run_id} of lineage `{self.lineage}` must have the number of its generation in the tag "
                f"`{layout.GENERATION}`, but got {number!r:.80}: set the tag to the number"
            )
        return int(number)

    def _one(self, index: int, runs: Sequence[Run]) -> Run:
        """The run of a generation among those that are marked as complete.

        Two writers that do so at once step back; one that is killed before it could leaves a second one, which is not
        shown yet.
        """
        shown = [run for run in runs if is_shown(run)]
        if len(shown) > 1:
            raise LineageError(
                f"lineage `{self.lineage}` must have one run per generation, but generation {index} has "
                f"{', '.join(run.info.run_id for run in shown)}: {SET_ASIDE} on all of them but one"
            )
        return shown[0] if shown else min(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def is_shown(run: Run) -> bool:
    """Whether the run of its lineage shows a generation; what earlier versions wrote counts as shown."""
    return bool(run.data.tags.get(layout.SHOWN_BY) != layout.NOT_SHOWN)


def noted_experiments(parents: Sequence[Run]) -> list[str]:
    """Ids of the experiments of trainings that are noted on runs of lineages."""
    tags = (run.data.tags.get(layout.EXPERIMENTS, "") for run in parents)
    return sorted({experiment for tag in tags for experiment in tag.split(",") if experiment})
