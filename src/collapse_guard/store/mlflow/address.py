"""Where an MLflow store is, and whether it answers: checked in seconds, instead of MLflow's minutes of retries."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from collapse_guard.errors import InputError, StoreUnreachableError

CONNECT_SECONDS = 5
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/\s]*@")


def absolute(uri: str) -> str:
    """The tracking URI with an absolute path where it names an sqlite file.

    Raises:
        InputError: a directory, which MLflow no longer keeps runs in, or a database that no other process can see.

    Example:
        >>> absolute("http://localhost:5000")
        'http://localhost:5000'
    """
    if not uri or uri.startswith("file:") or not re.match(r"[\w+.-]{2,}:", uri):
        raise InputError(
            f"`tracking_uri` must be a database or a server, but got {uri!r}, a directory, in which MLflow no longer "
            "keeps runs: use sqlite:///mlflow.db (`mlflow migrate-filestore` moves old runs)"
        )
    if not uri.startswith("sqlite"):
        return uri
    match = _SQLITE.match(uri)
    if match is None or match[2] in ("", ":memory:"):
        raise InputError(
            f"`tracking_uri` must name an sqlite file, but got {uri!r}: "
            "use sqlite:///mlflow.db, or memory: for a dry run"
        )
    return f"{match[1]}{Path(match[2]).absolute()}{match[3]}"


def sqlite_path(uri: str) -> Path | None:
    """The file of an sqlite URI; None for any other store.

    Example:
        >>> sqlite_path("sqlite:////data/mlflow.db").name
        'mlflow.db'
    """
    match = _SQLITE.match(uri)
    return Path(match[2]) if match else None


def check_reachable(uri: str) -> None:
    """Refuse an sqlite file or a database host that cannot answer; servers are asked by MLflow's own client.

    Raises:
        StoreUnreachableError: no such directory, not an sqlite file, or nobody listens at the host.
    """
    path = sqlite_path(uri)
    try:
        if path is None:
            _check_database_host(uri)
        else:
            _check_sqlite(path)
    except (OSError, sqlite3.Error) as error:
        raise unreachable(uri, error) from error


def _check_sqlite(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the directory {path.parent} does not exist; make it first")
    if path.exists():
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")


def _check_database_host(uri: str) -> None:
    parts = urlsplit(uri)
    port = _DATABASE_PORTS.get(parts.scheme.partition("+")[0])
    if port and parts.hostname:
        socket.create_connection((parts.hostname, parts.port or port), timeout=CONNECT_SECONDS).close()


def unreachable(uri: str, cause: object) -> StoreUnreachableError:
    """The error for a store that does not answer, without any password in it."""
    return StoreUnreachableError(
        without_password(
            f"the lineage store `{uri}` does not answer: {cause}. "
            "Check that it runs and that this machine can reach it, or give another one (MLFLOW_TRACKING_URI)"
        )
    )


def without_password(text: str) -> str:
    """Blank the passwords of all URIs in a text.

    Example:
        >>> without_password("postgresql://ann:secret@host/db")
        'postgresql://ann:***@host/db'
    """
    return _PASSWORD.sub(r"\1:***@", text)


FIRST_ANSWER: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(CONNECT_SECONDS),
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
"""Limits for the first question to a server: it answers within about ten seconds, or counts as unreachable."""

LATER_ANSWERS: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Limits after the server has answered, since uploads take longer; no progress bars, and no output."""


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
