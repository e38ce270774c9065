"""What is asked of the guard by default, and whether it is met: one row for each kind of lineage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from detecting.models import GRU
from detecting.scoring import COLLAPSED, EQUAL_ALARMS, EVIDENCE, MANY, WATCH, Outcome, Rate, found_by, guard, score

MOST_COLLAPSED, MOST_COLLAPSED_BOUND, MOST_WATCH, FOUND = 0.05, 0.08, 0.10, 0.9
LATER = {"losses and samples": 0, "samples only": 1}
"""What the guard sees -> generations that it may be behind the oracle."""


class Measured(NamedTuple):
    """What came of one question."""

    cell: str
    """For the table."""
    is_met: bool


class Bar(NamedTuple):
    """What is asked of one kind of lineage."""

    title: str
    """What happens in it, for people."""
    groups: tuple[str, ...]
    """What its lineages are examples of."""
    asked: str
    """In words."""
    measured: Callable[[Sequence[Outcome], str], Measured]
    """Of these lineages, by what the guard sees."""
    evidence: tuple[str, ...] = tuple(EVIDENCE)
    """What the guard sees in what is asked."""


class Line(NamedTuple):
    """One line of the table."""

    title: str
    asked: str
    cells: tuple[str, ...]
    """For each kind of evidence."""
    oracle: str
    """The perplexity rule whose threshold these very lineages have set."""
    verdict: str
    """Met, not met, or met by one kind of evidence only."""


def lines(outcomes: Sequence[Outcome]) -> list[Line]:
    """Every bar of which there are lineages."""
    found = []
    for bar in BARS:
        some = [one for one in outcomes if one.group in bar.groups]
        if some:
            found.append(_row(bar, some))
    return found


def _row(bar: Bar, outcomes: Sequence[Outcome]) -> Line:
    measured = {evidence: bar.measured(outcomes, evidence) for evidence in EVIDENCE}
    met = [evidence for evidence in bar.evidence if measured[evidence].is_met]
    verdict = "met" if len(met) == len(bar.evidence) else f"met with {' and '.join(met)}" if met else "**not met**"
    title = f"{bar.title} ({len(outcomes)})"
    return Line(title, bar.asked, tuple(one.cell for one in measured.values()), _oracle(bar, outcomes), verdict)


def _oracle(bar: Bar, outcomes: Sequence[Outcome]) -> str:
    known = [one for one in outcomes if EQUAL_ALARMS in one.alarms]
    if bar.groups == HEALTHY:
        return _percent(found_by(known, EQUAL_ALARMS, MANY)) if known else ""
    return _found(known, EQUAL_ALARMS) if known else ""


def _few(alarm: str, most: float, bound: float) -> Callable[[Sequence[Outcome], str], Measured]:
    """An alarm in a share of the lineages at most."""

    def measured(outcomes: Sequence[Outcome], evidence: str) -> Measured:
        rate = found_by(outcomes, guard(alarm, evidence), MANY)
        cell = f"{rate.hits} of {rate.n}: {_percent(rate)}"
        neural = [one for one in outcomes if one.task.model == GRU]
        if neural and len(neural) < len(outcomes):
            of_neural = found_by(neural, guard(alarm, evidence), MANY)
            cell += f"; of the GRU's {of_neural.hits} of {of_neural.n}"
        return Measured(cell, rate.share <= most and rate.interval[1] <= bound)

    return measured


def _found_by(alarm: str, generation: int) -> Callable[[Sequence[Outcome], str], Measured]:
    """An alarm by a generation in nine of ten lineages."""

    def measured(outcomes: Sequence[Outcome], evidence: str) -> Measured:
        detector = guard(alarm, evidence)
        rate = found_by(outcomes, detector, generation)
        return Measured(f"{_percent(rate)} by {generation}; {_found(outcomes, detector)}", rate.share >= FOUND)

    return measured


def _like_the_oracle(outcomes: Sequence[Outcome], evidence: str) -> Measured:
    """In as many lineages as the oracle finds, and no later, or hardly later."""
    detector, known = guard(WATCH, evidence), [one for one in outcomes if EQUAL_ALARMS in one.alarms]
    ours, theirs = score(known, detector), score(known, EQUAL_ALARMS)
    late = sum(not _in_time(one, detector, LATER[evidence]) for one in known)
    is_met = ours.missed.hits <= theirs.missed.hits and ours.median <= theirs.median + LATER[evidence]
    allowed = "later than the oracle" if not LATER[evidence] else "more than one generation later than the oracle"
    return Measured(f"{_found(known, detector)}; in {late} of {len(known)} {allowed}", is_met)


def _in_time(one: Outcome, detector: str, later: int) -> bool:
    ours, theirs = one.alarms[detector], one.alarms[EQUAL_ALARMS]
    return theirs is None or (ours is not None and ours <= theirs + later)


def _found(outcomes: Sequence[Outcome], detector: str) -> str:
    found = score(outcomes, detector)
    share = 1.0 - found.missed.share
    return f"{share:.0%} in all" + (f", median generation {found.median:g}" if math.isfinite(found.median) else "")


def _percent(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.share:.0%} ({low:.0%} to {high:.0%})"


HEALTHY = ("healthy",)
BARS = (
    Bar(
        "healthy: COLLAPSED",
        HEALTHY,
        f"at most {MOST_COLLAPSED:.0%} of the lineages, upper bound {MOST_COLLAPSED_BOUND:.0%}",
        _few(COLLAPSED, MOST_COLLAPSED, MOST_COLLAPSED_BOUND),
    ),
    Bar("healthy: WATCH or worse", HEALTHY, f"at most {MOST_WATCH:.0%}", _few(WATCH, MOST_WATCH, 1.0)),
    Bar("a topic vanishes, by a column of topics", ("mode",), "WATCH in 90% by generation 4", _found_by(WATCH, 4)),
    Bar("a topic vanishes, by kinds found", ("mode, found",), "WATCH in 90% by generation 4", _found_by(WATCH, 4)),
    Bar("the tail fades", ("fading tail",), "WATCH in 90% by generation 6", _found_by(WATCH, 6)),
    Bar("5 to 50% synthetic", ("mixed",), "WATCH in as many as the oracle finds, no later", _like_the_oracle),
    Bar("slow drift", ("slow",), "WATCH in as many as the oracle finds, no later", _like_the_oracle),
    Bar(
        "10% narrow decoding",
        ("narrow",),
        "WATCH in 90% at generation 1, samples only",
        _found_by(WATCH, 1),
        ("samples only",),
    ),
    Bar("replaced by samples", ("fast",), "COLLAPSED in 90% at generation 1", _found_by(COLLAPSED, 1)),
    Bar("copies", ("duplication",), "WATCH in 90% by generation 2", _found_by(WATCH, 2)),
)
"""Asked by default, without control retrains, over ten generations."""
