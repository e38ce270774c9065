"""Where a training logs beside the lineage: its loggers, and the MLflow run that one of them has."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.probes.cost import MEGABYTE, Cost
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, open_store
from collapse_guard.store.mlflow.address import without_password
from collapse_guard.store.mlflow.layout import metric_name, metrics


class Journal:
    """Where a training logs. This one logs nowhere; each shell has one for the loggers of its trainer."""

    def open(self, store: LineageStore | str | None) -> LineageStore:
        """The store itself, or the one at an address; None: where the training logs to MLflow, else `open_store()`.

        Raises:
            InputError: No store has such an address.
            StoreUnreachableError: It does not answer.
        """
        return store if isinstance(store, LineageStore) else open_store(store)

    def place(self, store: LineageStore, step: int) -> LineageStore:  # noqa: ARG002
        """The store that keeps a generation in the run that the training logs to, where that run lies in the store.

        Args:
            store: Where the lineage is.
            step: Step of the training at which the readings are logged in that run.
        """
        return store

    def log(self, values: Mapping[str, float], *, step: int, what: str, in_run: Collection[str] = ()) -> None:
        """Tell every logger; one that fails is warned of, and costs neither the training nor the other loggers.

        Args:
            values: Name -> finite number.
            step: Step of the training.
            what: What they are, for the warning.
            in_run: Names of those that the run of `place` has already.
        """


def readings_of(assessment: Assessment, under: str = "") -> dict[str, float]:
    """The finite readings of a generation by the names that loggers know them by: `<family>/<indicator>`.

    Args:
        assessment: Of the generation.
        under: A lineage whose name is put before them; empty: none.
    """
    return _below(under, metrics(assessment))


def costs_of(cost: Cost, under: str = "") -> dict[str, float]:
    """What a guard took, by the names that loggers know it by: `guard/seconds`, of each part too, `guard/share` of the
    time of training, and `guard/megabytes` by which it raised the peak of memory.

    Args:
        cost: Of the training so far.
        under: As in `readings_of`.

    Example:
        >>> cost = Cost()
        >>> with cost.of("drawing samples"):
        ...     pass
        >>> list(costs_of(cost))
        ['guard/seconds', 'guard/megabytes', 'guard/seconds_drawing_samples']
    """
    total, share = cost.total, cost.share
    found = {"guard/seconds": total.seconds, "guard/megabytes": (total.host + total.device) / MEGABYTE}
    found |= {"guard/share": share} if share is not None else {}
    found |= {f"guard/seconds_{name.replace(' ', '_')}": spent.seconds for name, spent in cost.parts.items()}
    return _below(under, found)


def _below(lineage: str, values: Mapping[str, float]) -> dict[str, float]:
    """The values with a lineage before their names, unless it is empty."""
    return {f"{metric_name(lineage)}/{name}" if lineage else name: value for name, value in values.items()}


def warn_of(logger: object, failed_to: str, error: Exception) -> None:
    """Warn of a logger that failed, without the secrets of its address."""
    failure = f"{type(logger).__name__} did not {failed_to}: {type(error).__name__}: {error}"
    message = f"{without_password(failure)}. Training and the lineage go on without it"
    warnings.warn(message, CollapseGuardWarning, stacklevel=3)
