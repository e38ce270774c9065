"""Where an MLflow store is, and whether it answers: checked in seconds, instead of MLflow's minutes of retries."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from collapse_guard.errors import InputError, StoreUnreachableError, near

CONNECT_SECONDS = 5
PLUGINS = "mlflow.tracking_store"
"""Group of entry points in which a package adds a scheme of tracking URIs to MLflow."""
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SCHEMES = ("sqlite", *_DATABASE_PORTS, "http", "https", "databricks")
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/\s]*@")
_SECRET = re.compile(r"(?i)([?&;](?:password|passwd|pwd|token|secret|api_?key)=)[^&;\s'\"`]+")


def default_uri() -> str:
    """The store of the working directory, for those who name none."""
    return f"sqlite:///{Path('mlflow.db').absolute()}"


def scheme_of(uri: str) -> str:
    """What a tracking URI begins with, without the driver of a database; empty for a directory.

    Example:
        >>> scheme_of("postgresql+psycopg2://host/db"), scheme_of("databricks"), scheme_of("./mlruns")
        ('postgresql', 'databricks', '')
    """
    if uri == "databricks":
        return uri
    match = re.match(r"([A-Za-z][\w.+-]+):", uri)
    return match[1].partition("+")[0].lower() if match else ""


def absolute(uri: str) -> str:
    """The tracking URI with an absolute path where it names an sqlite file.

    Raises:
        InputError: a directory, which MLflow no longer keeps runs in, a scheme that neither MLflow nor a plugin of it
            knows, or a database that no other process can see.

    Example:
        >>> absolute("http://localhost:5000")
        'http://localhost:5000'
    """
    scheme = scheme_of(uri)
    if scheme in ("", "file"):
        raise InputError(
            f"`tracking_uri` must be a database or a server, but got {uri!r}, a directory, in which MLflow no longer "
            f"keeps runs: use sqlite:///mlflow.db ({_migration(uri)} moves old runs)"
        )
    if scheme not in _SCHEMES and not entry_points(group=PLUGINS, name=scheme):
        known = (*_SCHEMES, *entry_points(group=PLUGINS).names)
        raise InputError(
            f"`tracking_uri` must begin with a scheme that MLflow or a plugin of it knows, but got "
            f"{without_password(uri)!r}: {near(scheme, known)}"
        )
    if scheme != "sqlite":
        return uri
    match = _SQLITE.match(uri)
    if match is None or match[2] in ("", ":memory:"):
        raise InputError(
            f"`tracking_uri` must name an sqlite file, but got {uri!r}: "
            "use sqlite:///mlflow.db, or memory: for a dry run"
        )
    return f"{match[1]}{Path(match[2]).absolute()}{match[3]}"


def _migration(directory: str) -> str:
    source = directory.removeprefix("file://").removeprefix("file:") or "mlruns"
    return f"`{shlex.join(['mlflow', 'migrate-filestore', '--source', source, '--target', 'sqlite:///mlflow.db'])}`"


def is_server(uri: str) -> bool:
    """Whether a tracking server or a workspace answers at the URI, which shows itself in a browser."""
    return scheme_of(uri) in ("http", "https", "databricks")


def experiment_name(uri: str, name: str) -> str:
    """The name by which MLflow finds an experiment at a URI: Databricks takes only paths in the workspace.

    Example:
        >>> experiment_name("databricks", "collapse_guard"), experiment_name("sqlite:///mlflow.db", "collapse_guard")
        ('/Shared/collapse_guard', 'collapse_guard')
    """
    return f"/Shared/{name}" if scheme_of(uri) == "databricks" and not name.startswith("/") else name


def mlflow_command(uri: str, *arguments: str) -> str:
    """A command of MLflow for one store, as it is typed into a shell; a password is blanked.

    Example:
        >>> mlflow_command("sqlite:////data/mlflow.db", "experiments", "restore", "--experiment-id", "1")
        'MLFLOW_TRACKING_URI=sqlite:////data/mlflow.db mlflow experiments restore --experiment-id 1'
    """
    return f"MLFLOW_TRACKING_URI={shlex.quote(without_password(uri))} {shlex.join(['mlflow', *arguments])}"


def other_store(uri: str) -> str:
    """A sentence that names the store of the working directory where another one was looked in; empty: there is none.

    A lineage that is missing in one store may be in the other.
    """
    default = default_uri()
    if uri == default or not Path("mlflow.db").is_file():
        return ""
    return f"Another store is in this directory: `--store {shlex.quote(default)}`"


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
            "Check that it runs and that this machine can reach it, or give another one (--store, MLFLOW_TRACKING_URI)"
        )
    )


def without_password(text: str) -> str:
    """Blank the passwords of all URIs in a text.

    Example:
        >>> without_password("postgresql://ann:secret@host/db?sslmode=require&password=secret")
        'postgresql://ann:***@host/db?sslmode=require&password=***'
    """
    return _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


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
