"""The founder: how far it is from the wild type is said once. It cannot collapse, because nothing came before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.comparison.effects import ends, phrase, shown
from collapse_guard.records import Comparison, Reason, ReasonKind, Severity

Judged = tuple[Comparison, Reason]
_WHOSE = "this is said of the founder, its size and its decoding, and is not charged to later generations"


def of_founder(judged: Sequence[Judged]) -> list[Reason]:
    """The reasons of a founder: those that are not HEALTHY become one WATCH, which names its indicators, worst first.

    A comparison that has no p-value stays UNDECIDED.

    Args:
        judged: Its comparisons with the wild type, worst first, each with its reason.
    """
    far = [
        pair for pair in judged if pair[1].severity is not Severity.HEALTHY and not math.isnan(pair[0].p_within_margin)
    ]
    rest = [pair[1] for pair in judged if pair not in far]
    return [*([_far(far)] if far else []), *rest]


def _far(far: Sequence[Judged]) -> Reason:
    first, *others = (comparison.indicator for comparison, _ in far)
    is_shown = any(reason.kind is not ReasonKind.NOT_SHOWN for _, reason in far)
    changes = "; ".join(_change(comparison) for comparison, _ in far)
    return Reason(
        kind=ReasonKind.FAR_FROM_REAL,
        severity=Severity.WATCH,
        indicator=first,
        others=tuple(others),
        definitions=tuple(sorted({number for _, reason in far for number in reason.definitions})),
        sentence=f"the founder {'is' if is_shown else 'may be'} far from the wild type: {changes}; {_WHOSE}",
    )


def _change(comparison: Comparison) -> str:
    here, there = (shown(value, comparison.scale) for value in (comparison.observed, comparison.reference))
    return (
        f"{comparison.indicator} is {here} against {there} ({phrase(comparison, comparison.effect)}, "
        f"{ends(comparison, comparison.low, comparison.high)})"
    )
