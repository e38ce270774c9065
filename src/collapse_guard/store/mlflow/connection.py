"""The way to one MLflow store: its client, and every way in which it cannot be used as one error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from collapse_guard.errors import LineageError
from collapse_guard.store.mlflow import address

REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
"""MLflow's codes for "the store answers, and says no"; all others mean that it cannot be used now."""


class Connection:
    """Opens the store at a tracking URI when it is first asked."""

    def __init__(self, uri: str) -> None:
        """Remember where the store is."""
        self.uri = uri
        self._has_answered = False

    @property
    def path(self) -> Path | None:
        """The file of the store; None where it is no file of this machine."""
        return address.sqlite_path(self.uri)

    @property
    def is_made(self) -> bool:
        """Whether the store is there, as far as can be seen without making it."""
        return self.path is None or self.path.exists()

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn every way in which MLflow says that it cannot be used into StoreUnreachableError, soon."""
        try:
            if not self._has_answered:
                address.check_reachable(self.uri)
                with address.mlflow_settings(address.FIRST_ANSWER):
                    if self.is_made:
                        self.client.search_experiments(max_results=1)
                self._has_answered = True
            with address.mlflow_settings(address.LATER_ANSWERS):
                yield
        except (OSError, SQLAlchemyError) as error:
            raise address.unreachable(self.uri, error) from error
        except MlflowException as error:
            if error.error_code in REFUSALS:
                raise LineageError(address.without_password(f"MLflow refuses: {error}")) from error
            raise address.unreachable(self.uri, error) from error

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other writers waiting, where the store has a lock; True: it has, and nobody else is writing."""
        self.client.search_experiments(max_results=1)  # makes the tables, under the same lock
        lock = self._opening()
        with lock:
            yield isinstance(lock, FileLock)

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of the store."""
        with self._opening():
            return MlflowClient(tracking_uri=self.uri)

    def _opening(self) -> AbstractContextManager[object]:
        """A lock while MLflow makes the tables of an sqlite file: two processes that do so at once break it."""
        if self.path is None or not os.access(self.path.parent, os.W_OK):
            return nullcontext()
        return FileLock(f"{self.path}.lock", timeout=60)
