"""The sentences of a verdict: what was seen against what was expected, how sure, by how much, on how many."""

from __future__ import annotations

from collapse_guard.comparison.effects import ends, limit, phrase, share, shown
from collapse_guard.records import Comparison, Direction, ReasonKind

SMALLEST_P = 1e-99
"""Smaller p-values are shown as "less than this": distributions are not known so far out."""

_DOUBTS = {"document": "another evaluation set, or a leak?", "item": "other items, or a leak?"}
"""What makes a generation better than its founder, other than a better training, by what its replicates are."""


def sentence(comparison: Comparison, kind: ReasonKind, *, p: float, level: float, since_founder: int) -> str:
    """What a comparison shows, in plain words with its numbers.

    Args:
        comparison: The comparison to describe.
        kind: What the verdict makes of it.
        p: Against "harm is at most the margin", for the whole lineage and all indicators.
        level: What p is held against.
        since_founder: How many generations it is after its founder.
    """
    position = {
        ReasonKind.BEYOND_MARGIN: _beyond(comparison, p, level),
        ReasonKind.BEYOND_WATCH: _within_but(
            comparison, "beyond the watch level of ", comparison.watch, why=_known_of_chance(comparison)
        ),
        ReasonKind.BEYOND_SEEDS: _within_but(
            comparison, "more than another seed alone does, ", comparison.seed_limit or 0.0
        ),
        ReasonKind.BETTER: _better(comparison),
        ReasonKind.WITHIN_MARGIN: f"within the margin of {_margin(comparison)}; {_power(comparison)}",
    }.get(kind, _unshown(comparison))
    told = "; ".join([_movement(comparison), position, *_growth(comparison)])
    return f"{told}{_whose(comparison, since_founder)}{_of_slice(comparison)}"


def is_better(comparison: Comparison) -> bool:
    """Whether the whole interval of a change since an earlier generation is beyond the margin, but for the better."""
    if comparison.baseline == "wild_type" or comparison.direction is Direction.BOTH:
        return False
    nearest = comparison.high if comparison.direction is Direction.UP else -comparison.low
    return nearest < -comparison.margin


def _movement(comparison: Comparison) -> str:
    baseline = {
        "founder": "the founder",
        "wild_type": "the wild type",
        "parent": f"generation {comparison.baseline_generation}",
    }[comparison.baseline]
    if comparison.slice:
        return (
            f"{comparison.indicator}: against {baseline}, documents of the slice {comparison.slice!r} got harder than "
            f"the others by {phrase(comparison, comparison.effect)} ({share(comparison.level, digits=6)} interval "
            f"{ends(comparison, comparison.low, comparison.high)}), the most of {comparison.n_slices} slices"
        )
    here, there = (shown(value, comparison.scale) for value in (comparison.observed, comparison.reference))
    return (
        f"{comparison.indicator} is {here} against {baseline}'s {there}: it changed by "
        f"{phrase(comparison, comparison.effect)} ({share(comparison.level, digits=6)} interval "
        f"{ends(comparison, comparison.low, comparison.high)})"
    )


def _beyond(comparison: Comparison, p: float, level: float) -> str:
    p_value = f"p = {p:.1g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
    sure = f"{p_value} over the lineage, level {level:g}; {_n(comparison)}"
    return f"{_side(comparison)} beyond the margin of {_margin(comparison)} ({sure})"


def _known_of_chance(comparison: Comparison) -> str:
    """Whether the watch level is the policy's, or what chance alone does, and what that is known from."""
    chance = comparison.chance
    if chance is None:
        return ""
    if not comparison.watch_by_chance:
        return " (the policy's)"
    known = [
        *([f"{chance.refits} refits of a small model to other real documents"] if chance.refits else []),
        *([f"the changes of {chance.generations} generations"] if chance.generations else []),
        *([f"{chance.slices} other slices"] if chance.slices else []),
    ]
    return f" (what chance alone does, by {' and '.join(known or [_n(comparison)])})"


def _growth(comparison: Comparison) -> list[str]:
    """Whether the shift grows from generation to generation, or stays as it was; nothing where too few are known."""
    growth = comparison.growth
    if growth is None or not comparison.harm > min(comparison.watch, comparison.margin):
        return []
    if growth.grows:
        change = comparison.direction.sign(comparison.effect) * growth.slope
        return [f"it grows, by {phrase(comparison, change)} a generation since generation {growth.since}"]
    return [f"it has not grown since generation {growth.since}"]


def _of_slice(comparison: Comparison) -> str:
    """Two documents of the slice, so that a person sees what it is about."""
    if not comparison.examples:
        return ""
    return "; such as " + " and ".join(f"“{text}”" for text in comparison.examples)


def _within_but(comparison: Comparison, more_than: str, harm: float, *, why: str = "") -> str:
    beyond = f"{more_than}{_limit(comparison, harm)}{why}"
    return f"{_side(comparison)} within the margin of {_margin(comparison)}, but {beyond}; {_power(comparison)}"


def _better(comparison: Comparison) -> str:
    moved = "fell" if comparison.effect < 0.0 else "rose"
    change = phrase(comparison, comparison.effect).lstrip("+-")
    doubts = _DOUBTS.get(comparison.replicate, "other prompts or decoding, or copies of real text?")
    return (
        f"{comparison.indicator} {moved} by {change}, for the better beyond the margin of {_margin(comparison)}: "
        f"{doubts} {_power(comparison)}"
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
    return f"{_n(comparison)} would find a collapse from {_limit(comparison, comparison.detectable)} on (80% power)"


def _n(comparison: Comparison) -> str:
    unit = "replicates"
    if comparison.replicate:
        single = comparison.replicate in ("document", "item", "prompt", "sample")
        unit = f"{comparison.replicate}s" if single else f"groups of {comparison.replicate}"
    if comparison.replicate.startswith("part "):
        unit = comparison.replicate.replace("part ", "parts ")
    if comparison.n_counted is None:
        return f"{comparison.n:,} {unit}"
    return f"{comparison.n:,} {unit}, which count as {comparison.n_counted:,.0f} because samples are copies,"


def _margin(comparison: Comparison) -> str:
    if comparison.margin_by_seeds:
        return f"{_limit(comparison, comparison.margin)}, which is what another seed alone does"
    alone = ", which is what chance alone does" if comparison.margin_by_chance else ""
    return _limit(comparison, comparison.margin) + alone


def _limit(comparison: Comparison, harm: float) -> str:
    return limit(comparison, harm, beside=comparison.effect)


def _whose(comparison: Comparison, since_founder: int) -> str:
    if comparison.baseline != "wild_type" or since_founder:
        return ""
    return "; this is said of the founder, its size and its decoding, and is not charged to later generations"


def _side(comparison: Comparison) -> str:
    return "a rise" if comparison.direction.sign(comparison.effect) > 0.0 else "a fall"
