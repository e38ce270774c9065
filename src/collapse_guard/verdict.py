"""DECIDE: from comparisons to a verdict. Pure and total: no trainer, clock, file or random number is read.

Each deciding comparison, and each obstacle that kept one from being made, becomes a reason with a severity; the
verdict is the worst of them (the truth table is `Severity`). Nothing is averaged.

| the deciding comparison                                     | severity  |
|-------------------------------------------------------------|-----------|
| harm beyond the margin, Holm-corrected at the alert level   | COLLAPSED |
| else not shown to be within the margin                      | UNDECIDED |
| else harm beyond the watch level                            | WATCH     |
| else                                                        | HEALTHY   |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.policy import Policy
from collapse_guard.records import Comparison, Direction, Generation, Reason, ReasonKind, Severity, Verdict

SMALLEST_P = 1e-99
"""Smaller p-values are told as "less than this": the t distribution is not known so far out."""


def decide(
    comparisons: Sequence[Comparison], *, generation: Generation, policy: Policy, obstacles: Sequence[Reason] = ()
) -> Verdict:
    """Decide on one generation.

    A COLLAPSED is corrected for all deciding indicators (Holm) and for all generations of the lineage
    (`Policy.alert_level`), so the chance of any false one is at most `Policy.alpha`. A pass needs every deciding
    indicator within its margin (intersection-union), so it needs no correction.

    Args:
        comparisons: Of this generation; those with `decides` false are ignored.
        generation: What the verdict is about.
        policy: Levels and margins.
        obstacles: Reasons why a comparison that should decide could not be made.

    Returns:
        The verdict, worst reasons first.
    """
    deciding = [comparison for comparison in comparisons if comparison.decides]
    adjusted = holm([comparison.p_beyond_margin for comparison in deciding])
    level = policy.alert_level(generation.index)
    reasons = [
        judge(comparison, p_adjusted=p, alert_level=level, policy=policy)
        for comparison, p in zip(deciding, adjusted, strict=True)
    ]
    ordered = [
        reason for _, reason in sorted(zip(map(_excess, deciding), reasons, strict=True), key=lambda pair: -pair[0])
    ]
    everything = sorted([*ordered, *obstacles], key=lambda reason: -reason.severity.rank)
    return Verdict(
        severity=Severity.worst([reason.severity for reason in everything]),
        reasons=tuple(everything),
        lineage=generation.lineage,
        generation=generation.index,
        wild_type=generation.wild_type,
        policy=policy.fingerprint,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given: valid under any dependence. Holm (1979).

    Example:
        >>> [round(p, 4) for p in holm([0.001, 0.012, 0.021, 0.04, 0.3])]
        [0.005, 0.048, 0.063, 0.08, 0.3]
    """
    adjusted, running = [1.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return adjusted


def judge(comparison: Comparison, *, p_adjusted: float, alert_level: float, policy: Policy) -> Reason:
    """Turn one comparison into a reason, by the table at the top of this file."""
    if p_adjusted <= alert_level:
        kind, severity = ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED
    elif not comparison.p_within_margin <= 1.0 - policy.confidence:
        kind, severity = ReasonKind.NOT_SHOWN, Severity.UNDECIDED
    elif comparison.p_beyond_watch <= alert_level:
        kind, severity = ReasonKind.BEYOND_WATCH, Severity.WATCH
    else:
        kind, severity = ReasonKind.WITHIN_MARGIN, Severity.HEALTHY
    sentence = f"{_movement(comparison)}; {_position(comparison, kind, p_adjusted, alert_level)}"
    return Reason(kind=kind, severity=severity, indicator=comparison.indicator, sentence=sentence)


def _excess(comparison: Comparison) -> float:
    excess = comparison.harm - comparison.margin
    return excess if not math.isnan(excess) else math.inf


def _movement(comparison: Comparison) -> str:
    against = {
        "founder": "the founder",
        "wild_type": "the wild type",
        "parent": f"its parent, generation {comparison.baseline_generation}",
    }[comparison.baseline]
    effect, low, high = (_change(end, comparison) for end in (comparison.effect, comparison.low, comparison.high))
    what = "perplexity on these documents" if "nats" in comparison.effect_unit else "it"
    return (
        f"{comparison.indicator} is {_number(comparison.observed)} against {_number(comparison.reference)} "
        f"of {against}: "
        f"{what} changed by {effect} ({comparison.level:.0%} interval {low} to {high})"
    )


def _position(comparison: Comparison, kind: ReasonKind, p_adjusted: float, alert_level: float) -> str:
    side = {Direction.UP: "a rise", Direction.DOWN: "a fall", Direction.BOTH: "a change"}[comparison.direction]
    sign = -1.0 if comparison.direction is Direction.DOWN else 1.0
    margin, watch = (_change(sign * level, comparison) for level in (comparison.margin, comparison.watch))
    if kind is ReasonKind.BEYOND_MARGIN:
        p = f"p = {p_adjusted:.1g}" if p_adjusted >= SMALLEST_P else f"p < {SMALLEST_P:g}"
        return f"{side} beyond the margin of {margin} ({p} after correction, level {alert_level:.1g})"
    if kind is ReasonKind.BEYOND_WATCH:
        return f"{side} within the margin of {margin}, but beyond the watch level of {watch}"
    if kind is ReasonKind.WITHIN_MARGIN:
        return f"within the margin of {margin}"
    more = f"; about {comparison.n_needed:,} documents or samples would decide" if comparison.n_needed else ""
    return f"this is too uncertain to say on which side of the margin of {margin} it is{more}"


def _change(effect: float, comparison: Comparison) -> str:
    if comparison.effect_unit != "log ratio" and "nats" not in comparison.effect_unit:
        return f"{effect:+.4g}"
    if math.isnan(effect):
        return "nan %"
    percent = f"{100.0 * math.expm1(min(effect, 50.0)):+.1f} %"
    return "+inf %" if effect > 20 else "±0.0 %" if percent[1:] == "0.0 %" else percent


def _number(value: float) -> str:
    return f"{value:.4g}"
