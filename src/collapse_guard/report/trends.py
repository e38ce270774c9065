"""The trend of a lineage: the slope of harm over its generations, a description that no verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.comparison.effects import phrase, with_interval
from collapse_guard.comparison.trend import Trend, generations_until, theil_sen
from collapse_guard.records import Assessment, Comparison
from collapse_guard.report.tables import Cell, Table, compared_with, deciding, foundations

FEWEST = 4
"""Smallest number of generations, the founder included, for which a slope is shown."""


def table(history: Sequence[Assessment]) -> Table | None:
    """A row per deciding indicator that moves toward collapse: its change per generation, and the generations left.

    None with fewer than four generations since the newest founder, itself included, or if nothing moves.
    """
    ordered = foundations(history)[-1]
    if len(ordered) < FEWEST:
        return None
    trends = [(newest, _trend(ordered, newest)) for newest in deciding(ordered[-1]) if newest.baseline == "founder"]
    moving = [(newest, trend) for newest, trend in trends if trend.n >= FEWEST and trend.low > 0.0]
    if not moving:
        return None
    moving.sort(key=lambda pair: _left(*pair))
    return Table(
        caption="Trend toward collapse (Theil-Sen; a description: generations are chained, so it is less certain than "
        "its interval)",
        columns=("indicator", "change per generation (interval)", "harm now", "margin reached in"),
        rows=tuple(_row(newest, trend) for newest, trend in moving),
    )


def _trend(ordered: Sequence[Assessment], newest: Comparison) -> Trend:
    """Trend of the harm of one indicator; the founder has no harm."""
    harm = {0: 0.0}
    for assessment in ordered:
        comparison = compared_with(assessment, newest.indicator, "founder")
        if comparison is not None and math.isfinite(comparison.effect):
            harm[assessment.generation.since_founder] = comparison.harm
    return theil_sen([harm.get(t, math.nan) for t in range(ordered[-1].generation.since_founder + 1)])


def _left(newest: Comparison, trend: Trend) -> float:
    return generations_until(newest.margin, newest.harm, trend.slope)


def _row(newest: Comparison, trend: Trend) -> tuple[Cell, ...]:
    left = _left(newest, trend)
    when = "beyond it now" if left == 0 else f"{math.ceil(left):,} generation{'s' if left > 1 else ''}"
    sign = newest.direction.sign(newest.effect)
    return (
        Cell(text=newest.indicator, is_name=True),
        Cell(text=with_interval(newest, *(sign * slope for slope in (trend.slope, trend.low, trend.high)))),
        Cell(text=phrase(newest, newest.effect)),
        Cell(text=when),
    )
