"""Loggers of Lightning or Fabric: which store they lead to, which run a generation is kept in, and readings for all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from collapse_guard.guard.journal import Journal, warn_of
from collapse_guard.store import LineageStore, RunStore, open_store


def is_a(thing: object, class_name: str) -> bool:
    """Whether `thing` is of a class of that name in either Lightning, or of a subclass.

    Example:
        >>> from pytorch_lightning.loggers import CSVLogger
        >>> is_a(CSVLogger("."), "Logger"), is_a(CSVLogger("."), "MLFlowLogger")
        (True, False)
    """
    return any(base.__name__ == class_name for base in type(thing).__mro__)


class Loggers(Journal):
    """Loggers, known by their methods. The first MLFlowLogger, of either Lightning, has the run of the training."""

    def __init__(self, loggers: Sequence[Any]) -> None:
        self._loggers = list(loggers)
        self._keeper: Any = next((logger for logger in self._loggers if is_a(logger, "MLFlowLogger")), None)

    def open(self, store: LineageStore | str | None) -> LineageStore:
        """The store itself, or the one at an address; None: that of the MLFlowLogger, else `open_store()`."""
        if isinstance(store, LineageStore):
            return store
        return open_store(str(self._keeper._tracking_uri) if store is None and self._keeper is not None else store)

    def place(self, store: LineageStore, step: int) -> LineageStore:
        """The store that keeps a generation in the run that the MLFlowLogger logs to, where that lies in the store.

        It logs the readings there too, at the step, unless the logger gives its metrics names of its own.
        """
        logger = self._keeper
        if logger is None or not isinstance(store, RunStore) or not store.tracks(logger._tracking_uri):
            return store
        try:
            run_id = str(logger.run_id)
        except Exception as error:
            warn_of(logger, "say which run it logs to", error)
            return store
        return store.in_run(run_id, step=None if _renames(logger) else step)

    def log(self, values: Mapping[str, float], *, step: int, what: str, in_run: Collection[str] = ()) -> None:
        """Tell every logger, but not the MLFlowLogger what its run has already."""
        for logger in self._loggers:
            has = in_run if logger is self._keeper and not _renames(logger) else ()
            told = {name: value for name, value in values.items() if name not in has}
            try:
                if told:
                    logger.log_metrics(told, step=step)
            except Exception as error:
                warn_of(logger, f"take {what}", error)


def _renames(logger: Any) -> bool:
    """Whether a logger puts a prefix before the names of its metrics."""
    return bool(getattr(logger, "_prefix", ""))
