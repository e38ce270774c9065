"""Which experiments hold the lineages: found by their tag, so that a person may rename them."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Experiment, ViewType

from collapse_guard.errors import LineageError
from collapse_guard.store.mlflow import address, layout

_PAGE = 1000


def tags(name: str) -> dict[str, str]:
    """What marks an experiment as one that holds the lineages of the store of this name."""
    return {layout.KIND: "lineages", layout.EXPERIMENT: name}


def found(client: MlflowClient, uri: str, name: str) -> list[str]:
    """The ids of the experiments that hold the lineages, the one for new lineages first; none: it is to be made.

    There are several where one was renamed and another was made under the old name: lineages may be in each of them.

    Args:
        client: Asks the store.
        uri: Its address, for what the user is told to do.
        name: The name under which it looks for them.

    Raises:
        LineageError: The experiment was deleted; the message says how to bring it back.
    """
    marked = _marked(client, name)
    named = client.get_experiment_by_name(address.experiment_name(uri, name))
    if named is not None and layout.EXPERIMENT not in named.tags:
        marked.append(named)
    active = [experiment.experiment_id for experiment in marked if _is_active(experiment)]
    if marked and not active:
        deleted = marked[0]
        restore = address.mlflow_command(uri, "experiments", "restore", "--experiment-id", deleted.experiment_id)
        raise LineageError(
            f"experiment `{deleted.name}` must be active, but it was deleted: `{restore}` brings it back"
        )
    return active


def _marked(client: MlflowClient, name: str) -> list[Experiment]:
    """The experiments with the tag, oldest first."""
    query = f"tags.`{layout.KIND}` = 'lineages'"
    experiments = [one for one in _search(client, query, ViewType.ALL) if one.tags.get(layout.EXPERIMENT) == name]
    return sorted(experiments, key=lambda one: (one.creation_time or 0, one.experiment_id))


def elsewhere(client: MlflowClient, lineage: str, homes: Mapping[str, object] | list[str]) -> list[str]:
    """The names of other experiments that have a lineage of this name."""
    others = {one.experiment_id: one.name for one in _search(client, "", ViewType.ACTIVE_ONLY)}
    ids = [one for one in others if one not in homes]
    query = f"tags.`{layout.KIND}` = 'lineage' AND tags.`{layout.LINEAGE}` = '{lineage}'"
    runs = client.search_runs(ids, query) if ids else []
    return sorted({others[run.info.experiment_id] for run in runs if run.data.tags.get(layout.LINEAGE) == lineage})


def _search(client: MlflowClient, query: str, view: int) -> list[Experiment]:
    experiments: list[Experiment] = []
    token: str | None = None
    while token is None or token:
        page = client.search_experiments(view, max_results=_PAGE, filter_string=query or None, page_token=token)
        experiments += page
        token = page.token or ""
    return experiments


def _is_active(experiment: Experiment) -> bool:
    return bool(experiment.lifecycle_stage == "active")
