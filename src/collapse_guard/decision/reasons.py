"""The sentences of a verdict: what was seen against what was expected, how sure, by how much, on how many."""

from __future__ import annotations

import math

from collapse_guard.records import Comparison, Direction, ReasonKind

SMALLEST_P = 1e-99
"""Smaller p-values are told as "less than this": distributions are not known so far out."""


def sentence(comparison: Comparison, kind: ReasonKind, *, p: float, level: float, generation: int) -> str:
    """What a comparison shows, in plain words with its numbers.

    Args:
        comparison: What is told.
        kind: What the verdict makes of it.
        p: Against "harm is at most the margin", for the whole lineage and all indicators.
        level: What p is held against.
        generation: Index of the generation.
    """
    position = {
        ReasonKind.BEYOND_MARGIN: _beyond(comparison, p, level),
        ReasonKind.BEYOND_WATCH: _watched(comparison),
        ReasonKind.BEYOND_SEEDS: _unlike_seeds(comparison),
        ReasonKind.WITHIN_MARGIN: f"within the margin of {_margin(comparison)}; {_power(comparison)}",
    }.get(kind, _unshown(comparison))
    return f"{_movement(comparison)}; {position}{_whose(comparison, generation)}"


def _movement(comparison: Comparison) -> str:
    against = {
        "founder": "the founder",
        "wild_type": "the wild type",
        "parent": f"its parent, generation {comparison.baseline_generation}",
    }[comparison.baseline]
    effect, low, high = (_change(end, comparison) for end in (comparison.effect, comparison.low, comparison.high))
    return (
        f"{comparison.indicator} is {comparison.observed:.4g} against {comparison.reference:.4g} of {against}: "
        f"{_what(comparison)} changed by {effect} ({comparison.level:.0%} interval {low} to {high})"
    )


def _what(comparison: Comparison) -> str:
    """What a change in percent is a change of: nats are logarithms."""
    if "nats" not in comparison.effect_unit:
        return "it"
    return "its exponential" if "entropy" in comparison.indicator else "perplexity on these documents"


def _beyond(comparison: Comparison, p: float, level: float) -> str:
    told = f"p = {p:.1g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
    sure = f"{told} over the lineage, level {level:g}; {_n(comparison)}"
    return f"{_side(comparison)} beyond the margin of {_margin(comparison)} ({sure})"


def _watched(comparison: Comparison) -> str:
    watch = _change(_signed(comparison, comparison.watch), comparison)
    return (
        f"{_side(comparison)} within the margin of {_margin(comparison)}, but beyond the watch level of {watch}; "
        f"{_power(comparison)}"
    )


def _unlike_seeds(comparison: Comparison) -> str:
    limit = _change(_signed(comparison, comparison.seed_limit or 0.0), comparison)
    return (
        f"{_side(comparison)} within the margin of {_margin(comparison)}, but more than another seed alone does, "
        f"{limit}; {_power(comparison)}"
    )


def _unshown(comparison: Comparison) -> str:
    more = f"; about {comparison.n_needed:,} documents or samples would decide" if comparison.n_needed else ""
    return (
        f"this is too uncertain to say on which side of the margin of {_margin(comparison)} it is; "
        f"{_power(comparison)}{more}"
    )


def _power(comparison: Comparison) -> str:
    if comparison.detectable is None:
        return _n(comparison)
    harm = _change(_signed(comparison, comparison.detectable), comparison)
    return f"{_n(comparison)} would find a collapse from {harm} on (80 % power)"


def _n(comparison: Comparison) -> str:
    unit = "replicates"
    if comparison.replicate:
        single = comparison.replicate in ("document", "item")
        unit = f"{comparison.replicate}s" if single else f"groups of {comparison.replicate}"
    return f"{comparison.n:,} {unit}"


def _margin(comparison: Comparison) -> str:
    seeds = ", which is what another seed alone does" if comparison.margin_by_seeds else ""
    return _change(_signed(comparison, comparison.margin), comparison) + seeds


def _whose(comparison: Comparison, generation: int) -> str:
    if comparison.baseline != "wild_type" or generation:
        return ""
    return "; this is said of the founder, its size and its decoding, and is not charged to later generations"


def _side(comparison: Comparison) -> str:
    return {Direction.UP: "a rise", Direction.DOWN: "a fall", Direction.BOTH: "a change"}[comparison.direction]


def _signed(comparison: Comparison, harm: float) -> float:
    return -harm if comparison.direction is Direction.DOWN else harm


def _change(effect: float, comparison: Comparison) -> str:
    if comparison.effect_unit != "log ratio" and "nats" not in comparison.effect_unit:
        return f"{100.0 * effect:+.1f} points" if comparison.effect_unit.startswith("share") else f"{effect:+.4g}"
    if math.isnan(effect):
        return "nan %"
    percent = f"{100.0 * math.expm1(min(effect, 50.0)):+.1f} %"
    return "+inf %" if effect > 20 else "±0.0 %" if percent[1:] == "0.0 %" else percent
