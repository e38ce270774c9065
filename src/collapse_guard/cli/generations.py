"""The stored generations of a lineage that a command is about."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.errors import LineageError
from collapse_guard.records import Assessment


def up_to(stored: Sequence[Assessment], lineage: str, generation: int | None) -> list[Assessment]:
    """The generations up to the given one; without one, all generations.

    Raises:
        LineageError: The lineage has no such generation.
    """
    known = [past.generation.index for past in stored]
    if generation is not None and generation not in known:
        raise LineageError(
            f"`--generation` must be one of lineage `{lineage}` ({', '.join(map(str, known))}), but got {generation}"
        )
    return [past for past in stored if generation is None or past.generation.index <= generation]
