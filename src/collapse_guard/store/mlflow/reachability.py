"""Whether a store can be used now: asked of the file or the database itself, instead of MLflow's minutes of retries."""

from __future__ import annotations

import os
import sqlite3
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from collapse_guard.errors import StoreUnreachableError
from collapse_guard.store.mlflow.address import is_database, shown, sqlite_path, without_password

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
}
"""Module of a database's driver -> the package that brings it, with all that it needs."""
_LONGEST_CAUSE = 1000
"""Characters: a server may answer with a whole page."""
_PATIENCE = 0.8
"""Share of the time that is left for which a locked file is waited for, so that the lock is what is said."""


def check_reachable(uri: str, *, seconds: float) -> None:
    """Refuse a file or a database that cannot be used; servers are asked by MLflow's own client.

    A write that another process did not end, because it was killed, is rolled back here.

    Args:
        uri: Address of the store.
        seconds: For how long a locked file is waited for.

    Raises:
        OSError: No such directory, not an sqlite file, or one that this process may not repair.
        ImportError: The driver of the database is not installed.
        sqlalchemy.exc.SQLAlchemyError: The database refuses, or nobody listens at its host.
    """
    path = sqlite_path(uri)
    if path is not None:
        _check_sqlite(path, seconds * _PATIENCE)
    elif is_database(uri):
        with connected(uri):
            pass


def _check_sqlite(path: Path, seconds: float) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the directory {path.parent} does not exist; make it first")
    if not path.exists():
        return
    mode = "rw" if os.access(path, os.W_OK) else "ro"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=seconds)) as connection:
            connection.execute("PRAGMA schema_version")  # reads the file: what was left half is rolled back now
    except sqlite3.Error as error:
        raise OSError(_explained(path, error)) from error


def _explained(path: Path, error: sqlite3.Error) -> str:
    """What an sqlite file lacks, in words."""
    left = next((file for end in ("-journal", "-wal") if (file := Path(f"{path}{end}")).exists()), None)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"another process holds a lock on {path}: wait until it is done, or end it"
    if left is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return (
            f"{path} cannot be read without writing, because {left.name} is beside it, from a process that writes or "
            f"was killed, and this account may not write there ({error}): run any command of collapse-guard on it as "
            f"an account that may write both {path} and its directory"
        )
    return str(error)


@contextmanager
def connected(uri: str) -> Iterator[Connection]:
    """A connection of our own to a database, made with the settings that MLflow's connections have."""
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def missing_driver(error: ImportError) -> str:
    """What to do about the driver of a database that cannot be imported.

    Example:
        >>> missing_driver(ModuleNotFoundError("No module named 'psycopg'", name="psycopg"))
        "its driver is not installed (No module named 'psycopg'): `pip install 'psycopg[binary]'`"
    """
    module = (error.name or "").partition(".")[0]
    package = _PACKAGES.get(module, module)
    command = f"pip install '{package}'" if "[" in package else f"pip install {package}"
    return f"its driver is not installed ({error}): `{command}`" if package else f"its driver cannot be used ({error})"


def unreachable(uri: str, cause: object) -> StoreUnreachableError:
    """The error for a store that does not answer, without any secret in it."""
    said = without_password(str(cause), uri).strip().rstrip(".")
    if len(said) > _LONGEST_CAUSE:
        said = f"{said[:_LONGEST_CAUSE]}…"
    return StoreUnreachableError(
        f"the lineage store `{shown(uri)}` does not answer: {said}. "
        "Check that it runs and that this machine can reach it, or give another one (--store, MLFLOW_TRACKING_URI)"
    )


def showable(error: BaseException, uri: str) -> BaseException | None:
    """The error as the cause of another one; None where its traceback would show a secret."""
    lines = "".join(traceback.format_exception(error))
    return error if without_password(lines, uri) == lines else None


_ANSWER: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
FIRST_ANSWER: Mapping[str, str] = {**_ANSWER, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""Settings for the first question to a server: where nobody listens, that is said at once."""
LATER_ANSWERS: Mapping[str, str] = {**_ANSWER, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Settings after the server has answered; no progress bars, and no output."""


@contextmanager
def mlflow_settings(settings: Mapping[str, str]) -> Iterator[None]:
    """Hold MLflow's environment settings for the body of a `with`, except those that the user has set.

    MLflow's client takes no such argument: it reads them from the environment at every request.
    """
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
