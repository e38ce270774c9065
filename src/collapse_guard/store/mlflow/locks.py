"""A lock that all processes heed which use one database: beside its file, or in the database itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock

from collapse_guard.store.mlflow.address import is_database, scheme_of, sqlite_path
from collapse_guard.store.mlflow.reachability import connected

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NUMBER = 0x636F6C6C61707365
"""Of the lock in PostgreSQL, which numbers them: "collapse"."""
_NAME = "collapse_guard"


@contextmanager
def lock(uri: str, *, seconds: float) -> Iterator[bool]:
    """Hold the store's lock for the body of a `with`; the end of the process releases it too.

    Nothing is locked behind a server, which has no such thing, in a directory that may not be written, and in
    databases other than sqlite, PostgreSQL and MySQL.

    Args:
        uri: Address of the store.
        seconds: How long it is waited for.

    Yields:
        Whether something is locked.

    Raises:
        TimeoutError: Another process held it for that long.
        sqlalchemy.exc.SQLAlchemyError: The database refuses, or PostgreSQL held it for that long.
    """
    path = sqlite_path(uri)
    if path is not None and os.access(path.parent, os.W_OK):
        with FileLock(f"{path}.lock", timeout=seconds, thread_local=False):
            yield True
    elif is_database(uri):
        with connected(uri) as connection:
            yield _is_taken(connection, scheme_of(uri), seconds)
    else:
        yield False


def _is_taken(connection: Connection, scheme: str, seconds: float) -> bool:
    """Take the lock in a transaction, which releases it at its end, or in a session of its own, in MySQL."""
    from sqlalchemy import text

    if scheme == "postgresql":
        limit = {"limit": f"{max(1, int(seconds * 1000))}ms"}
        connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), limit)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _NUMBER})
    elif scheme == "mysql":
        taken = connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), {"name": _NAME, "seconds": seconds})
        if taken.scalar() != 1:
            raise TimeoutError("another process holds the lock of the store")
    return scheme in ("postgresql", "mysql")
