"""A lineage begins when somebody says so: a mistyped name, a renamed one or another store is no new founder."""

from __future__ import annotations

import os
import warnings

from collapse_guard.errors import CollapseGuardWarning, LineageNotFoundError
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, lineage_not_found


def joined(
    store: LineageStore, lineage: str, *, index: int | None = None, must_exist: bool | None = None
) -> list[Assessment]:
    """The generations of the lineage that a new generation joins, sorted by index; none if it is to be founded.

    What is compared with nothing cannot be seen to have collapsed. So a lineage that the store does not have is
    refused, or warned of, unless the generation is its founder.

    Args:
        store: Where the lineage is looked for.
        lineage: Its name.
        index: Number that the generation is given; 0 founds a lineage, None is one after the newest.
        must_exist: Whether an unknown lineage is refused rather than warned of; None: where the environment variable CI
            is set, because nobody reads warnings there.

    Raises:
        LineageNotFoundError: The lineage is unknown and must exist; the message has the near names and the store.
        LineageError: What is stored differs from what was written.
        StoreUnreachableError: The store does not answer.

    Example:
        >>> from collapse_guard import open_store
        >>> joined(open_store("memory:"), "newsbot", index=0)
        []
    """
    history = store.history_so_far(lineage)
    if history or index == 0:
        return history
    error = _not_found(store, lineage)
    if in_ci() if must_exist is None else must_exist:
        raise LineageNotFoundError(f"{error}. {HOW_TO_FOUND}")
    warnings.warn(f"a new lineage begins here: {error}. {HOW_TO_FOUND}", CollapseGuardWarning, stacklevel=3)
    return []


HOW_TO_FOUND = (
    "If a lineage begins here, say so: `--founder` on the command line, `generation=0` in Python. "
    "If it is in another store, name that: `--store` or `store=`"
)
"""What to do about a lineage that is not there."""


def in_ci() -> bool:
    """Whether the process runs in a CI job, where nobody reads warnings: CI is set, and not to a no."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no", "off")


def _not_found(store: LineageStore, lineage: str) -> LineageNotFoundError:
    """What the store itself says of a lineage that it does not have."""
    try:
        store.history(lineage)
    except LineageNotFoundError as error:
        return error
    return lineage_not_found(lineage, store.lineages(), address=store.address)
