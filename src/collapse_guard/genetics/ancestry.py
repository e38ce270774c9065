"""Who a generation descends from: its ancestors, and its line of descent from the founder."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.records import Assessment, Severity


def ancestors(history: Sequence[Assessment]) -> list[Assessment]:
    """All generations of `history` that the last one descends from, by index."""
    by_index = {assessment.generation.index: assessment for assessment in history}
    indices: set[int] = set()
    frontier = set(history[-1].generation.parents)
    while frontier:
        indices |= frontier
        frontier = {parent for index in frontier & by_index.keys() for parent in by_index[index].generation.parents}
        frontier -= indices
    return [by_index[index] for index in sorted(indices & by_index.keys())]


def healthy_ancestor(history: Sequence[Assessment]) -> Assessment | None:
    """The newest HEALTHY generation that the last one of `history` descends from; None if there is none."""
    healthy = [past for past in ancestors(history) if past.verdict.severity is Severity.HEALTHY]
    return healthy[-1] if healthy else None


def line_of_descent(history: Sequence[Assessment]) -> list[Assessment]:
    """The line from the founder to the last generation of `history`; each is the newest parent of the next.

    Empty if the line does not lead to a founder.
    """
    by_index = {assessment.generation.index: assessment for assessment in history}
    line = [history[-1]]
    while not line[0].generation.is_founder:
        parents = line[0].generation.parents
        if not parents or max(parents) not in by_index:
            return []
        line.insert(0, by_index[max(parents)])
    return line
