"""Where a Trainer logs: its log history, the reporters among its callbacks, and the MLflow run that is active."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from transformers import Trainer, TrainerState
from transformers.integrations.integration_utils import MLflowCallback

from collapse_guard.guard.journal import Journal, warn_of
from collapse_guard.store import LineageStore, RunStore, open_store
from collapse_guard.store.mlflow.active import ActiveRun, tracking_uri


class TrainerJournal(Journal):
    """Logs as `Trainer.log` does, where the trainer is known; else to the log history and the active MLflow run."""

    def __init__(self, state: TrainerState, run: ActiveRun | None, trainer: Trainer | None) -> None:
        self._state, self._run, self._trainer = state, run, trainer

    def open(self, store: LineageStore | str | None) -> LineageStore:
        """The store itself, or the one at an address; None: where MLflow was told to log, else `open_store()`."""
        if isinstance(store, LineageStore):
            return store
        return open_store(tracking_uri() if store is None else store)

    def place(self, store: LineageStore, step: int) -> LineageStore:
        """The store that keeps a generation in the active MLflow run, where that lies in the store."""
        if self._run is None or not isinstance(store, RunStore) or not store.tracks(self._run.uri):
            return store
        return store.in_run(self._run.run_id, step=step)

    def log(self, values: Mapping[str, float], *, step: int, what: str, in_run: Collection[str] = ()) -> None:
        """Tell all that the trainer tells, but not the MLflow run what it has already."""
        if self._trainer is None:
            self._state.log_history.append({**values, "epoch": self._state.epoch, "step": step})
        else:
            self._log_by(self._trainer, values, what, but_run=bool(in_run))
        left = {name: value for name, value in values.items() if name not in in_run}
        if self._run is not None and left and (in_run or self._trainer is None):
            try:
                self._run.log(left, step=step)
            except Exception as error:
                warn_of(self._run, f"take {what}", error)

    @staticmethod
    def _log_by(trainer: Trainer, values: Mapping[str, float], what: str, *, but_run: bool) -> None:
        try:
            with _without((MLflowCallback,) if but_run else (), trainer):
                # Not `trainer.log`: those of TRL end the averages of the training's metrics.
                Trainer.log(trainer, dict(values))
        except Exception as error:
            warn_of(trainer, f"take {what}", error)


@contextmanager
def _without(kinds: tuple[type, ...], trainer: Trainer) -> Iterator[None]:
    """The trainer without its callbacks of some kinds."""
    handler: Any = trainer.callback_handler
    every = handler.callbacks
    handler.callbacks = [callback for callback in every if not isinstance(callback, kinds)]
    try:
        yield
    finally:
        handler.callbacks = every
