"""The loggers of a trainer: which store they lead to, which run a generation is kept in, and readings for all."""

from __future__ import annotations

from typing import Any

from collapse_guard.lightning.bases import Trainer, is_a
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, RunStore, open_store
from collapse_guard.store.mlflow.layout import metrics


def mlflow_logger(trainer: Trainer) -> Any:
    """The trainer's first MLFlowLogger, of either Lightning; None where there is none."""
    return next((logger for logger in trainer.loggers if is_a(logger, "MLFlowLogger")), None)


def store_address(store: LineageStore | str | None, trainer: Trainer) -> str | None:
    """The address that is given, else that of the trainer's MLFlowLogger; None for a store that is open already."""
    logger = mlflow_logger(trainer)
    if store is None and logger is not None:
        return str(logger._tracking_uri)
    return store if isinstance(store, str) else None


def store_of(store: LineageStore | str | None, trainer: Trainer) -> LineageStore:
    """The store itself, or the one at an address; None: that of the trainer's MLFlowLogger, else `open_store()`."""
    return store if isinstance(store, LineageStore) else open_store(store_address(store, trainer))


def in_training_run(store: LineageStore, trainer: Trainer) -> LineageStore:
    """The store that keeps a generation in the run that the trainer logs to, where that run lies in the store."""
    logger = mlflow_logger(trainer)
    if logger is None or not isinstance(store, RunStore) or not store.tracks(logger._tracking_uri):
        return store
    return store.in_run(str(logger.run_id))


def log_readings(trainer: Trainer, assessment: Assessment, *, under: str = "") -> None:
    """Log finite readings to every logger of the trainer, as `<family>/<indicator>` at the global step."""
    values = {f"{under}{name}": value for name, value in metrics(assessment).items()}
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.global_step)
