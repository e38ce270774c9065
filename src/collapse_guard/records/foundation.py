"""Foundations: the stretches of a lineage that each begin with a founder. Generations of two are never compared."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.records.assessment import Assessment
from collapse_guard.records.generation import Generation


def founder_before(history: Sequence[Assessment], index: int) -> int:
    """Number of the founder that a generation with this number counts from, if it founds nothing itself.

    It is the founder of the newest generation before it, even if the founder's own record is missing; 0 if there is
    none.

    Example:
        >>> founder_before([], 3)
        0
    """
    earlier = [past.generation for past in history if past.generation.index < index]
    return max(earlier, key=lambda past: past.index).founder if earlier else 0


def of_foundation(history: Sequence[Assessment], generation: Generation) -> list[Assessment]:
    """The generations of a history before this one that count from the same founder; none where it is a founder."""
    return [
        past
        for past in history
        if past.generation.founder == generation.founder and past.generation.index < generation.index
    ]


def founder_of(history: Sequence[Assessment], generation: Generation) -> Assessment | None:
    """The founder that a generation counts from, itself included; None where it is not in the history."""
    return next((past for past in history if past.generation.index == generation.founder), None)
