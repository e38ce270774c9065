"""The tables of a report, before they become Markdown or HTML: one row per generation, one row per comparison.

A cell is text for people plus what it means; how it is marked up is the business of the two writers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from collapse_guard.comparison.effects import limit, phrase, share, shown, with_interval
from collapse_guard.indicators.registry import FAMILIES, built_in
from collapse_guard.records import Assessment, Comparison, Direction, Severity
from collapse_guard.report import sentences
from collapse_guard.report.sentences import MISSING, STATUSES

HEADLINE = {
    "perplexity": "perplexity",
    "tail_loss": "tail loss",
    "distinct_2": "distinct-2",
    "rare_coverage": "rare coverage",
    "total_variance": "spread",
}
"""Indicators that come first, with their headings in the table of generations."""

_COLUMNS = 5
_ORDER = list(STATUSES)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table."""

    text: str
    """What it says."""
    detail: str = ""
    """What stands beside it in smaller print."""
    severity: Severity | None = None
    """The severity that it shows; None if it shows none."""
    is_name: bool = False
    """Whether the text is a name to be shown as it is, such as an indicator's."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose rows all have one cell per column."""

    caption: str
    """What the table shows."""
    columns: tuple[str, ...]
    """Headings."""
    rows: tuple[tuple[Cell, ...], ...]
    """Cells, row by row, the most important row first."""


def in_order(history: Iterable[Assessment]) -> list[Assessment]:
    """Generations by index, the founder first."""
    return sorted(history, key=lambda assessment: assessment.generation.index)


def foundations(history: Iterable[Assessment]) -> list[list[Assessment]]:
    """The generations of each founder, oldest first; more than one where the lineage was founded anew."""
    return [list(past) for _, past in groupby(in_order(history), key=lambda assessment: assessment.generation.founder)]


def indicators(history: Iterable[Assessment]) -> list[str]:
    """All indicators that were read: the headline ones first, then as in the catalogue, then by family and name."""
    families = {name: reading.family for assessment in history for name, reading in assessment.readings.items()}
    first = [name for name in HEADLINE if name in families]
    rest = families.keys() - HEADLINE.keys()
    return first + sorted(rest, key=lambda name: (_place(name), families[name], name))


def _place(indicator: str) -> int:
    """Where an indicator stands in the catalogue; those from outside come last."""
    known = list(built_in())
    return known.index(indicator) if indicator in built_in() else len(known)


def compared_with(assessment: Assessment, indicator: str, baseline: str) -> Comparison | None:
    """The comparison of an indicator with a baseline; None where there is none."""
    matches = (c for c in assessment.comparisons if c.indicator == indicator and c.baseline == baseline)
    return next(matches, None)


def generations(history: Sequence[Assessment]) -> Table:
    """A row per generation, the newest first: verdict, real share, and the headline indicators with their change.

    A lineage that lacks some headline indicators shows others in their place, at most five in all.
    """
    shown = indicators(history)[:_COLUMNS]
    return Table(
        caption="Generations, newest first; changes against the founder before them",
        columns=("generation", "verdict", "real share", *(HEADLINE.get(name, sentences.title(name)) for name in shown)),
        rows=tuple(_generation_row(assessment, shown) for assessment in reversed(in_order(history))),
    )


def _generation_row(assessment: Assessment, shown: Sequence[str]) -> tuple[Cell, ...]:
    severity = assessment.verdict.severity
    return (
        Cell(text=str(assessment.generation.index), detail="founded anew" if assessment.generation.founding else ""),
        Cell(text=str(severity), severity=severity),
        Cell(text=sentences.real_share(assessment.generation.mixture)),
        *(_reading_cell(assessment, name) for name in shown),
    )


def _reading_cell(assessment: Assessment, indicator: str) -> Cell:
    reading = assessment.readings.get(indicator)
    if reading is None or not reading.is_usable:
        return Cell(text=MISSING, severity=_trouble(assessment, indicator))
    drift = compared_with(assessment, indicator, "founder")
    detail = phrase(drift, drift.effect) if drift else ""
    return Cell(text=shown(reading.value, reading.scale), detail=detail, severity=_trouble(assessment, indicator))


def _trouble(assessment: Assessment, indicator: str) -> Severity | None:
    reason = sentences.reason_for(indicator, assessment.verdict)
    return reason.severity if reason and reason.severity is not Severity.HEALTHY else None


def comparisons(assessment: Assessment, chosen: Iterable[Comparison] | None = None) -> Table:
    """A row per comparison of one generation: those that the verdict rests on first, worst first, as in the catalogue.

    Args:
        assessment: The generation.
        chosen: Which of its comparisons; None: all.
    """
    rows = sorted(
        assessment.comparisons if chosen is None else chosen,
        key=lambda comparison: (
            _ORDER.index(sentences.status(comparison, assessment.verdict)),
            _place(comparison.indicator),
        ),
    )
    levels = " or ".join(sorted({share(comparison.level, digits=6) for comparison in rows}))
    return Table(
        caption=f"Comparisons of generation {assessment.generation.index}; intervals at {levels or MISSING}",
        columns=("indicator", "status", "observed", "reference", "change (interval)", "margin", "method", "n"),
        rows=tuple(_comparison_row(comparison, assessment) for comparison in rows),
    )


def deciding(assessment: Assessment) -> list[Comparison]:
    """The comparisons that the verdict rests on."""
    return [comparison for comparison in assessment.comparisons if comparison.decides]


def informative(assessment: Assessment) -> dict[str, list[Comparison]]:
    """Family -> its comparisons that decide nothing; families as in the catalogue, then others by name."""
    grouped: dict[str, list[Comparison]] = {}
    for comparison in assessment.comparisons:
        if not comparison.decides:
            grouped.setdefault(_family(comparison.indicator, assessment), []).append(comparison)
    known = [family for family in FAMILIES if family in grouped]
    return {family: grouped[family] for family in [*known, *sorted(grouped.keys() - set(FAMILIES))]}


def has_moved(comparison: Comparison) -> bool:
    """Whether the whole interval is beyond the watch level, on the side of collapse."""
    rise, fall = comparison.low > comparison.watch, -comparison.high > comparison.watch
    return {Direction.UP: rise, Direction.DOWN: fall, Direction.BOTH: rise or fall}[comparison.direction]


def _family(indicator: str, assessment: Assessment) -> str:
    reading = assessment.readings.get(indicator)
    return built_in().get(indicator) or (reading.family if reading else "") or "other"


def _comparison_row(comparison: Comparison, assessment: Assessment) -> tuple[Cell, ...]:
    status = sentences.status(comparison, assessment.verdict)
    return (
        Cell(text=comparison.indicator, is_name=True),
        Cell(text=STATUSES[status], severity=status, detail=_beyond(comparison)),
        Cell(text=shown(comparison.observed, comparison.scale)),
        Cell(text=shown(comparison.reference, comparison.scale), detail=sentences.baseline(comparison)),
        Cell(text=with_interval(comparison, comparison.effect, comparison.low, comparison.high)),
        Cell(text=limit(comparison, comparison.margin)),
        Cell(text=comparison.method),
        Cell(text=f"{comparison.n:,}", detail=f"against {comparison.n_reference:,}"),
    )


def _beyond(comparison: Comparison) -> str:
    return "beyond its watch level" if not comparison.decides and has_moved(comparison) else ""
