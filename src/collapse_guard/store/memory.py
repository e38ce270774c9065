"""A lineage store that lives as long as the process: for tests, notebooks and dry runs."""

from __future__ import annotations

from collections import defaultdict

from collapse_guard.records import Assessment
from collapse_guard.store.base import (
    LineageStore,
    check_append,
    from_text,
    lineage_not_found,
    to_text,
)


class MemoryStore(LineageStore):
    """Keeps lineages in memory as JSON, like a store on disk: reading never returns the object that was appended.

    Files that are attached to a generation are dropped.

    Example:
        >>> MemoryStore().lineages()
        []
    """

    def __init__(self) -> None:
        """Make an empty store."""
        self._texts: defaultdict[str, dict[int, str]] = defaultdict(dict)

    def lineages(self) -> list[str]:
        """Return the names of all lineages, sorted."""
        return sorted(self._texts)

    def history(self, lineage: str) -> list[Assessment]:
        """Return the generations of a lineage, sorted by index; raises LineageNotFoundError."""
        if lineage not in self._texts:
            raise lineage_not_found(lineage, self._texts)
        texts = self._texts[lineage]
        return [from_text(texts[index], lineage=lineage, index=index, where="memory") for index in sorted(texts)]

    def append(self, assessment: Assessment) -> None:
        """Add one generation; see `LineageStore.append`."""
        lineage = assessment.generation.lineage
        if check_append(self.history(lineage) if lineage in self._texts else [], assessment):
            self._texts[lineage][assessment.generation.index] = to_text(assessment)
