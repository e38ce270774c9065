"""REMEMBER: the lineages of models, append-only. Importing this room does not import MLflow; opening its store does."""

from __future__ import annotations

import os
from pathlib import Path

from collapse_guard.store.base import BrowsableStore, LineageStore, RunStore, check_append, next_index
from collapse_guard.store.memory import MemoryStore

__all__ = [
    "BrowsableStore",
    "LineageStore",
    "MemoryStore",
    "RunStore",
    "check_append",
    "dashboard_link",
    "next_index",
    "open_store",
]


def open_store(uri: str | None = None) -> LineageStore:
    """Open a lineage store; nothing is read or made before it is used.

    Args:
        uri: "memory:" for a store that ends with the process, else an MLflow tracking URI. None: MLFLOW_TRACKING_URI,
            and where that is not set `mlflow.db` in the working directory.

    Raises:
        InputError: `uri` is a directory, which MLflow no longer keeps runs in.

    Example:
        >>> open_store("memory:").lineages()
        []
    """
    if uri == "memory:":
        return MemoryStore()
    from collapse_guard.store.mlflow.store import MLflowStore

    return MLflowStore(uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow.db').absolute()}")


def dashboard_link(store: LineageStore) -> str:
    """Path of a store's page of all lineages, to be put behind the address of its server; empty where there is none.

    Example:
        >>> dashboard_link(open_store("memory:"))
        ''
    """
    return store.dashboard_path() if isinstance(store, BrowsableStore) else ""
