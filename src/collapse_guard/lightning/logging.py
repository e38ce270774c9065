"""The loggers of a trainer: which store they lead to, which run a generation is kept in, and readings for all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.lightning.bases import Trainer, is_a
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, RunStore, open_store
from collapse_guard.store.mlflow.address import without_password
from collapse_guard.store.mlflow.layout import metric_name, metrics

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


def mlflow_logger(trainer: Trainer) -> Any:
    """The trainer's first MLFlowLogger, of either Lightning; None where there is none."""
    return next((logger for logger in trainer.loggers if is_a(logger, "MLFlowLogger")), None)


def store_of(store: LineageStore | str | None, trainer: Trainer) -> LineageStore:
    """The store itself, or the one at an address; None: that of the trainer's MLFlowLogger, else `open_store()`."""
    if isinstance(store, LineageStore):
        return store
    logger = mlflow_logger(trainer)
    return open_store(str(logger._tracking_uri) if store is None and logger is not None else store)


def in_training_run(store: LineageStore, trainer: Trainer) -> LineageStore:
    """The store that keeps a generation in the run that the trainer logs to, where that run lies in the store.

    It logs the readings there too, at the global step, unless the logger gives its metrics names of its own.
    """
    logger = mlflow_logger(trainer)
    if logger is None or not isinstance(store, RunStore) or not store.tracks(logger._tracking_uri):
        return store
    try:
        run_id = str(logger.run_id)
    except Exception as error:
        _warn(logger, "say which run it logs to", error)
        return store
    return store.in_run(run_id, step=None if _renames(logger) else trainer.global_step)


def others(trainer: Trainer) -> list[Logger]:
    """The loggers that are not told of a generation by keeping it in the run that the trainer logs to."""
    keeps = mlflow_logger(trainer)
    return [logger for logger in trainer.loggers if logger is not keeps or _renames(logger)]


def log_readings(loggers: Sequence[Logger], assessment: Assessment, *, step: int, under: str = "") -> None:
    """Log finite readings to loggers as `<family>/<indicator>`; `under` is a lineage whose name is put before them."""
    generation, prefix = assessment.generation, f"{metric_name(under)}/" if under else ""
    values = {f"{prefix}{name}": value for name, value in metrics(assessment).items()}
    log(loggers, values, step=step, what=f"the readings of generation {generation.index} of {generation.lineage!r}")


def log(loggers: Sequence[Logger], values: Mapping[str, float], *, step: int, what: str) -> None:
    """Tell every logger; one that fails is warned of, and costs neither the training nor the other loggers."""
    for logger in loggers:
        try:
            logger.log_metrics(dict(values), step=step)
        except Exception as error:
            _warn(logger, f"take {what}", error)


def _renames(logger: Any) -> bool:
    """Whether a logger puts a prefix before the names of its metrics."""
    return bool(getattr(logger, "_prefix", ""))


def _warn(logger: Any, what: str, error: Exception) -> None:
    failure = f"{type(logger).__name__} did not {what}: {type(error).__name__}: {error}"
    message = f"{without_password(failure)}. Training and the lineage go on without it"
    warnings.warn(message, CollapseGuardWarning, stacklevel=3)
