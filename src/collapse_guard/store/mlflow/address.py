"""Where an MLflow store is, as a tracking URI, and how the URI is shown: without its secrets."""

from __future__ import annotations

import os
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote, unquote, unquote_plus

from collapse_guard.errors import InputError, near

PLUGINS = "mlflow.tracking_store"
"""Group of entry points in which a package adds a scheme of tracking URIs to MLflow."""
_DATABASES = ("postgresql", "mysql", "mssql")
_SCHEMES = ("sqlite", *_DATABASES, "http", "https", "databricks")
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)

BLANK = "***"
_USERINFO = re.compile(r"((?:\b[A-Za-z][\w.+-]*:)?//)([^\s'\"`<>]*)@")
"""What is before the last `@`: a password may hold every other sign, also where it ought to be escaped."""
_WHOLE_USERINFO = re.compile(r"(?s)^([\w.+-]*:?//)(.*)@")
_HOST_AND_PORT = re.compile(r"[^:/?#@]+:\d+/")
_CONFIDENTIAL = (
    "passw|passphrase|pwd|token|secret|api_?key|access_?key|signature|credential|authorization|\\bsig\\b|odbc_connect"
)
_PARAMETER = re.compile(rf"(?i)([?&;#][\w.%-]*(?:{_CONFIDENTIAL})[\w.%-]*=)[^&\s'\"`<>]+")
_HEADER = re.compile(r"\b(Bearer|Basic)(\s+)[^\s'\"`<>]{12,}")
_SECRET_SETTINGS = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "DATABRICKS_TOKEN",
    "DATABRICKS_CLIENT_SECRET",
)
_SHORTEST = 3
"""Characters of a piece of a secret that is blanked wherever it stands; a shorter one may be part of any sentence."""


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
        seen = shown(uri)
        raise InputError(
            f"`tracking_uri` must be a database or a server, but got {seen!r}, a directory, in which MLflow no longer "
            f"keeps runs: use sqlite:///mlflow.db ({_migration(seen)} moves old runs)"
        )
    if scheme not in _SCHEMES and not entry_points(group=PLUGINS, name=scheme):
        known = (*_SCHEMES, *entry_points(group=PLUGINS).names)
        raise InputError(
            f"`tracking_uri` must begin with a scheme that MLflow or a plugin of it knows, but got "
            f"{shown(uri)!r}: {near(scheme, known)}"
        )
    if scheme != "sqlite":
        return uri
    match = _SQLITE.match(uri)
    if match is None or match[2] in ("", ":memory:"):
        raise InputError(
            f"`tracking_uri` must name an sqlite file, but got {shown(uri)!r}: "
            "use sqlite:///mlflow.db, or memory: for a dry run"
        )
    return f"{match[1]}{Path(match[2]).absolute()}{match[3]}"


def _migration(directory: str) -> str:
    source = directory.removeprefix("file://").removeprefix("file:") or "mlruns"
    return f"`{shlex.join(['mlflow', 'migrate-filestore', '--source', source, '--target', 'sqlite:///mlflow.db'])}`"


def is_server(uri: str) -> bool:
    """Whether a tracking server or a workspace answers at the URI, which shows itself in a browser."""
    return scheme_of(uri) in ("http", "https", "databricks")


def is_database(uri: str) -> bool:
    """Whether the URI is of a database that a program of its own serves, which is reached by a driver."""
    return scheme_of(uri) in _DATABASES


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
    return f"MLFLOW_TRACKING_URI={shlex.quote(shown(uri))} {shlex.join(['mlflow', *arguments])}"


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


def shown(uri: str) -> str:
    """The address of a store as a person may see it.

    Example:
        >>> shown("postgresql://ann:se/c@ret@host/db"), shown("https://token@host"), shown("ann:secret@host/db")
        ('postgresql://ann:***@host/db', 'https://***@host', 'ann:***@host/db')
    """
    if "://" not in uri:  # mistyped
        return re.sub(r"(?s)^([^:@]*:(?:/?[^:/@]*:)?).*@", rf"\1{BLANK}@", uri)
    return _PARAMETER.sub(rf"\1{BLANK}", _WHOLE_USERINFO.sub(_blanked_userinfo, uri))


def without_password(text: str, uri: str = "") -> str:
    """Blank what is secret in a text: passwords and tokens in URIs, in their queries, and in headers of HTTP.

    Args:
        text: Text from anywhere, such as the message of another library.
        uri: Address of a store, whose secrets are blanked wherever they stand, whole or in pieces, escaped or not.

    Example:
        >>> without_password("postgresql://ann:secret@host/db?sslmode=require&password=secret")
        'postgresql://ann:***@host/db?sslmode=require&password=***'
        >>> without_password("no host 'ss@host'", uri="postgresql://ann:p/q@ss@host/db")
        "no host '***@host'"
    """
    if uri:
        text = text.replace(uri, shown(uri))
    text = _HEADER.sub(rf"\1\2{BLANK}", _PARAMETER.sub(rf"\1{BLANK}", _USERINFO.sub(_blanked_userinfo, text)))
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", BLANK, text)
    host = re.split(r"[/?#]", uri.rpartition("@")[2])[0] if "@" in uri else ""
    end = rf"[^\s'\"`<>/]+(?<!{re.escape(BLANK)})@(?={re.escape(host)})"
    return re.sub(end, f"{BLANK}@", text) if host else text


def _blanked_userinfo(found: re.Match[str]) -> str:
    scheme, userinfo = found.groups()
    is_server = scheme.lower() in ("http://", "https://")
    user, colon, _ = userinfo.partition(":")
    if "/" in user or (is_server and _HOST_AND_PORT.match(userinfo)):
        return found[0]  # the `@` is in the path
    if not colon:
        return f"{scheme}{BLANK}@" if is_server else found[0]  # a token, or the name of a user
    return f"{scheme}{user}:{BLANK}@"


def _secrets(uri: str) -> set[str]:
    """The secrets of a store's address and of MLflow's settings, whole and in the pieces that a parser makes of them.

    Words that the address shows anyway are none: the password of `postgres` may be `postgres`.
    """
    given = [os.environ.get(name, "") for name in _SECRET_SETTINGS]
    given += [found[0].partition("=")[2] for found in _PARAMETER.finditer(uri)]
    userinfo = _WHOLE_USERINFO.match(uri)
    if userinfo and _blanked_userinfo(userinfo) != userinfo[0]:
        given.append(userinfo[2].partition(":")[2] or userinfo[2])
    plain = {form for secret in given for form in (secret, unquote(secret), unquote_plus(secret))}
    whole = plain | {quote(secret, safe="") for secret in plain}
    pieces = {piece for secret in whole for piece in re.split(r"[/@?#:\s%]", secret)}
    return {one for one in whole | pieces if len(one) >= _SHORTEST} - set(re.split(r"\W", shown(uri)))
