"""The data of the figures: points with intervals, the levels of margins, and the same in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collapse_guard.comparison.effects import number, share
from collapse_guard.records import Assessment, Comparison, Direction, Severity
from collapse_guard.report import sentences
from collapse_guard.report.tables import compared_with, in_order

Histories = Mapping[str, Sequence[Assessment]]
"""Lineage name -> its generations."""

REAL_SHARE = "real_share"
"""Names the panel of the real share of the training mixture, which is no indicator."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One generation in one panel."""

    generation: int
    """Index of the generation."""
    founder: int
    """Index of its founder."""
    value: float
    """Value of the indicator; always finite."""
    severity: Severity
    """Verdict on the generation."""
    low: float
    """Lower end of the interval, in the unit of the value; the value itself where there is none."""
    high: float
    """Upper end of the interval."""


def series(history: Sequence[Assessment], indicator: str) -> list[Point]:
    """The points of one lineage in one panel; generations without a usable reading are left out."""
    return [point for assessment in in_order(history) if (point := _point(assessment, indicator))]


def has_series(histories: Histories, indicator: str) -> bool:
    """Whether any lineage has a point to draw."""
    return any(series(history, indicator) for history in histories.values())


def _point(assessment: Assessment, indicator: str) -> Point | None:
    value = _value(assessment, indicator)
    if value is None:
        return None
    drift = compared_with(assessment, indicator, "founder")
    low, high = (
        (drift.scale.moved(value, end - drift.effect) for end in (drift.low, drift.high)) if drift else (value, value)
    )
    return Point(
        generation=assessment.generation.index,
        founder=assessment.generation.founder,
        value=value,
        severity=assessment.verdict.severity,
        low=low if math.isfinite(low) else value,
        high=high if math.isfinite(high) else value,
    )


def _value(assessment: Assessment, indicator: str) -> float | None:
    if indicator == REAL_SHARE:
        return assessment.generation.mixture.real if assessment.generation.mixture else None
    reading = assessment.readings.get(indicator)
    return reading.value if reading and reading.is_usable else None


def margin_ends(comparison: Comparison) -> tuple[float, float]:
    """The levels between which the indicator is within its margin; one-sided margins start at the founder's level."""
    level, margin = comparison.reference, comparison.margin
    up, down = comparison.scale.moved(level, margin), comparison.scale.moved(level, -margin)
    return {Direction.UP: (level, up), Direction.DOWN: (down, level), Direction.BOTH: (down, up)}[comparison.direction]


def description(histories: Histories, indicator: str) -> str:
    """One panel in words, for people who do not see it: where each lineage began and where it is now."""
    parts = []
    for name, history in histories.items():
        points = series(history, indicator)
        ends = dict.fromkeys((points[0], points[-1])) if points else {}
        ends_in_words = " and ".join(
            f"{_spoken(p.value, indicator)} at generation {p.generation} ({p.severity})" for p in ends
        )
        parts.append(f"{sentences.one_line(name)}: {ends_in_words or 'not measured'}")
    return f"{sentences.title(indicator)} over generations. {'; '.join(parts)}."


def _spoken(value: float, indicator: str) -> str:
    return share(value) if indicator == REAL_SHARE else number(value)
