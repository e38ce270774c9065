"""The tables of a new sqlite file are there as a whole or not at all.

MLflow makes them in dozens of steps, and a file in which a killed process left some of them is never opened again. So
they are made in a file beside it, which then takes its name.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from collapse_guard.store.mlflow.address import sqlite_path


def make_tables(uri: str) -> None:
    """Make the tables of a store that is an sqlite file and is not there yet, or is empty; no others are changed.

    Whoever calls this holds the store's lock.

    Args:
        uri: Address of the store.

    Raises:
        OSError: The directory cannot be written.
        sqlalchemy.exc.SQLAlchemyError: The database refuses.
    """
    path = sqlite_path(uri)
    if path is None or not path.parent.is_dir() or (path.exists() and path.stat().st_size):
        return
    from mlflow.store.db import utils  # here, because only a new store needs all of MLflow's tables

    for left in path.parent.glob(f".{path.name}.unfinished-*"):  # of a process that was killed, under the same lock
        left.unlink(missing_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished-{uuid.uuid4().hex}")
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{unfinished}")  # type: ignore[no-untyped-call]
    try:
        utils._initialize_tables(engine)  # type: ignore[no-untyped-call]
        engine.dispose()
        _put_in_place(unfinished, path)
    finally:
        engine.dispose()
        unfinished.unlink(missing_ok=True)


def _put_in_place(unfinished: Path, path: Path) -> None:
    """Give the file its name, unless another program has made one meanwhile that heeds no lock."""
    with contextlib.suppress(OSError):  # there is one, or the file system has no hard links
        os.link(unfinished, path)
        return
    if not path.exists() or not path.stat().st_size:
        unfinished.replace(path)
