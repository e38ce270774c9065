"""Lost items: what real data show and a generation does not."""

from __future__ import annotations

from typing import Literal

from collapse_guard.records.record import Record


class LostItem(Record):
    """Something that real data show and a generation does not, or shows too rarely to be chance."""

    kind: Literal["word", "2-gram", "3-gram", "cluster", "document"]
    """What is lost: a word, words in a row, a cluster of the wild type, or the surroundings of one real document."""
    what: str
    """The words; for a cluster its most typical real document, shortened; for vectors "row 17" of those for evaluation,
    with its values where it is of a table. Text from outside: escape it before it is shown."""
    real_count: int
    """Occurrences in the wild type; for a cluster or a document, how many real documents lie there."""
    expected: float
    """Mean number of occurrences in as much real text, or as many real documents, as there are samples."""
    observed: int
    """Occurrences in the samples."""
    chance: float
    """Probability of so few or fewer if the samples were real."""
    lost_in_all: int = 1
    """Number of lost items of its kind; a table holds only the worst of them."""
    cluster: int | None = None
    """For a cluster its number in the wild type's codebook (`Geometry.assign`); None for the other kinds."""
