"""The MLflow run that is active in this process, begun by a trainer or a script. Asking for it imports no MLflow."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from collapse_guard.store.mlflow.address import without_password


@dataclass(frozen=True)
class ActiveRun:
    """A run, and the tracking URI of the store that it lies in."""

    uri: str
    run_id: str

    @classmethod
    def current(cls) -> ActiveRun | None:
        """The run that is active now; None where there is none, as where nothing has imported MLflow.

        Example:
            >>> ActiveRun.current()
        """
        mlflow = sys.modules.get("mlflow")
        run = mlflow.active_run() if mlflow else None
        return cls(mlflow.get_tracking_uri(), run.info.run_id) if mlflow and run else None

    def __str__(self) -> str:
        """Where it is, without secrets."""
        return f"the MLflow run {self.run_id} in {without_password(self.uri)}"

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Log metrics at a step.

        Raises:
            StoreUnreachableError: The store does not answer in time.
        """
        from collapse_guard.store.mlflow.connection import Connection
        from collapse_guard.store.mlflow.recording import metrics_of

        connection = Connection(self.uri)
        with connection.reaching():
            connection.client.log_batch(self.run_id, metrics=metrics_of(values, step))


def tracking_uri() -> str | None:
    """The tracking URI that MLflow was told in this process, or by MLFLOW_TRACKING_URI; None: it was told none."""
    mlflow = sys.modules.get("mlflow")
    return str(mlflow.get_tracking_uri()) if mlflow and mlflow.is_tracking_uri_set() else None
