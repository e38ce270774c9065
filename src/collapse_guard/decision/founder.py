"""The founder: how far it is from the wild type is said once. It cannot collapse, because nothing came before it.

Where a lineage is founded anew, generations did come before, and the verdict says that none of them counts any more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.comparison.effects import ends, phrase, shown
from collapse_guard.records import Assessment, Comparison, Generation, Reason, ReasonKind, Severity

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


def founded_anew(generation: Generation, history: Sequence[Assessment]) -> list[Reason]:
    """The remark that a lineage is founded anew with a generation, and why; none where it is not.

    Args:
        generation: The generation.
        history: The earlier generations of the lineage.
    """
    if not generation.founding:
        return []
    before = max(history, key=lambda past: past.generation.index, default=None)
    last = f"; generation {before.generation.index} before it was {before.verdict.severity}" if before else ""
    sentence = (
        f"the lineage is founded anew with generation {generation.index}: {generation.founding.rstrip('.')}. Earlier "
        f"generations are not compared with it, and later ones are compared with it alone{last}"
    )
    return [Reason(kind=ReasonKind.FOUNDED_ANEW, severity=Severity.HEALTHY, sentence=sentence)]


def _far(far: Sequence[Judged]) -> Reason:
    first, *others = (comparison.indicator for comparison, _ in far)
    is_shown = any(reason.kind is not ReasonKind.NOT_SHOWN for _, reason in far)
    changes = "; ".join(change(comparison) for comparison, _ in far)
    return Reason(
        kind=ReasonKind.FAR_FROM_REAL,
        severity=Severity.WATCH,
        indicator=first,
        others=tuple(others),
        definitions=tuple(sorted({number for _, reason in far for number in reason.definitions})),
        sentence=f"the founder {'is' if is_shown else 'may be'} far from the wild type: {changes}; {_WHOSE}",
    )


def change(comparison: Comparison) -> str:
    """What an indicator is against its baseline, and by how much it differs."""
    here, there = (shown(value, comparison.scale) for value in (comparison.observed, comparison.reference))
    return (
        f"{comparison.indicator} is {here} against {there} ({phrase(comparison, comparison.effect)}, "
        f"{ends(comparison, comparison.low, comparison.high)})"
    )
