"""The way to one MLflow store: its client, and every way in which it cannot be used as one error, in time."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import SQLAlchemyError

from collapse_guard.errors import CollapseGuardError, LineageError
from collapse_guard.store.mlflow import deadline, reachability
from collapse_guard.store.mlflow.address import is_server, sqlite_path, without_password
from collapse_guard.store.mlflow.locks import lock
from collapse_guard.store.mlflow.tables import make_tables

REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
"""MLflow's codes for "the store answers, and says no"; all others mean that it cannot be used now."""


def _blank(record: logging.LogRecord) -> bool:
    """Show no secret in what urllib3 notes of a request that it sends again: it names the whole address."""
    record.msg, record.args = without_password(record.getMessage()), ()
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_blank)


class Connection:
    """Opens the store at a tracking URI when it is first asked.

    Each operation of the store has one deadline (`deadline.operation`), over all its requests.
    """

    def __init__(self, uri: str) -> None:
        """Remember where the store is."""
        self.uri = uri
        self._has_answered = False

    @property
    def path(self) -> Path | None:
        """The file of the store; None where it is no file of this machine."""
        return sqlite_path(self.uri)

    @property
    def is_made(self) -> bool:
        """Whether the store is there, as far as can be seen without making it."""
        return self.path is None or self.path.exists()

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn every way in which MLflow says that it cannot be used into StoreUnreachableError, before the deadline.

        Raises:
            LineageError: The store answers, and refuses.
        """
        try:
            with deadline.operation():
                if not self._has_answered:
                    self._ask_first()
                with reachability.mlflow_settings(reachability.LATER_ANSWERS):
                    yield
        except ImportError as error:
            raise reachability.unreachable(self.uri, reachability.missing_driver(error)) from error
        except (OSError, SQLAlchemyError, MlflowException) as error:
            raise self._error(error) from reachability.showable(error, self.uri)

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of the store, each of whose requests ends with the deadline."""
        client = deadline.current().run(self._opened)
        return cast(MlflowClient, _Bounded(client))

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold a lock that other processes heed which use the store. See `locks.lock`.

        Yields:
            Whether there is a lock, so that nobody else is writing: there is none behind a server.
        """
        self.client  # noqa: B018 - to open it takes the same lock
        now, held = deadline.current(), ExitStack()

        def take() -> bool:
            alone = held.enter_context(lock(self.uri, seconds=now.remaining))
            if not now.remaining:  # nobody waits for it any more
                held.close()
            return alone

        alone = now.run(take)
        try:
            yield alone
        finally:
            with suppress(OSError, SQLAlchemyError):  # what was done is done: it ends with the process at the latest
                now.run(held.close)

    def _ask_first(self) -> None:
        now = deadline.current()
        now.run(lambda: reachability.check_reachable(self.uri, seconds=now.remaining))
        with reachability.mlflow_settings(reachability.FIRST_ANSWER):
            if self.is_made:
                self.client.search_experiments(max_results=1)
        self._has_answered = True

    def _opened(self) -> MlflowClient:
        """The client, with the tables made: two processes that make them at once break them."""
        with lock(self.uri, seconds=deadline.current().remaining):
            make_tables(self.uri)
            return MlflowClient(tracking_uri=self.uri)

    def _error(self, error: Exception) -> CollapseGuardError:
        if isinstance(error, MlflowException) and error.error_code in REFUSALS and self._is_of_mlflow(error):
            return LineageError(without_password(f"MLflow refuses: {error}", self.uri))
        original = getattr(error, "orig", None)  # what the driver said, without SQLAlchemy's advice
        return reachability.unreachable(self.uri, original or error)

    def _is_of_mlflow(self, error: MlflowException) -> bool:
        """Whether the store itself refuses, and not something that answers in its place."""
        return isinstance(error, RestException) or not is_server(self.uri)


class _Bounded:
    """A client whose methods run up to the deadline of the operation.

    What they raise beside MLflow's own errors comes of an answer that is none of MLflow's.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):  # also what copies of a client ask for before it has one
            raise AttributeError(name)
        request = getattr(self._client, name)

        @functools.wraps(request)
        def bounded(*arguments: Any, **settings: Any) -> Any:
            try:
                return deadline.current().run(functools.partial(request, *arguments, **settings))
            except (MlflowException, SQLAlchemyError, OSError, ImportError):
                raise
            except Exception as error:
                raise OSError(f"it answered with what is not of MLflow ({type(error).__name__}: {error})") from error

        return bounded
