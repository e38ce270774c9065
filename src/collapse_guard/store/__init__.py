"""Stores of lineages, append-only. Importing this room does not import MLflow; opening its store does."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from collapse_guard.errors import InputError
from collapse_guard.store.base import (
    BrowsableStore,
    LineageStore,
    LineageSummary,
    RunStore,
    check_append,
    check_attachments,
    from_text,
    lineage_not_found,
    next_index,
    to_text,
)
from collapse_guard.store.memory import MemoryStore
from collapse_guard.store.mlflow.address import default_uri

__all__ = [
    "BrowsableStore",
    "LineageStore",
    "LineageSummary",
    "MemoryStore",
    "RunStore",
    "check_append",
    "check_attachments",
    "dashboard_link",
    "from_text",
    "lineage_not_found",
    "next_index",
    "open_store",
    "to_text",
]

ENTRY_POINTS = "collapse_guard.stores"
"""Group of entry points: the scheme of an address -> what opens a store at it."""


def open_store(uri: str | None = None) -> LineageStore:
    """Open a lineage store; nothing is read or made before it is used.

    A package adds a store of its own with an entry point in the group `collapse_guard.stores`: the scheme, such as
    "folder", leads to a function or class that takes the address, such as "folder:/srv/lineages".

    Args:
        uri: "memory:" for a store that ends with the process, the address of a store that a package adds, else an
            MLflow tracking URI: a database, a server, "databricks", or the scheme of an MLflow plugin. None:
            MLFLOW_TRACKING_URI, and where that is not set `mlflow.db` in the working directory.

    The store that is opened has an `address`, which opens it again in another process.

    Raises:
        InputError: `uri` is a directory, which MLflow no longer keeps runs in, has a scheme that nothing is known of,
            or an entry point leads to no store.

    Example:
        >>> open_store("memory:").lineages()
        []
    """
    if uri == "memory:":
        return MemoryStore()
    if uri and (store := _from_a_package(uri)):
        store.address = store.address or uri
        return store
    from collapse_guard.store.mlflow.store import MLflowStore

    return MLflowStore(uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri())


def _from_a_package(uri: str) -> LineageStore | None:
    scheme = uri.partition(":")[0]
    for entry in entry_points(group=ENTRY_POINTS, name=scheme):
        store = entry.load()(uri)
        if not isinstance(store, LineageStore):
            raise InputError(
                f"the entry point `{scheme}` in the group {ENTRY_POINTS} must open a LineageStore, but {entry.value} "
                f"returned {type(store).__name__}: let its class inherit from LineageStore"
            )
        return store
    return None


def dashboard_link(store: LineageStore) -> str:
    """Path of a store's page of all lineages, to be put behind the address of its server; empty where there is none.

    Example:
        >>> dashboard_link(open_store("memory:"))
        ''
    """
    return store.dashboard_path() if isinstance(store, BrowsableStore) else ""
