"""Deciding a stored generation anew, by another policy, from what the store has of it.

Readings are stored with their replicates, so comparisons with the founder are made afresh. Of the wild type's own
readings only the values are stored, so a comparison with it is held against a new margin by its stored effect and
standard error (a t test on the log ratio; its `method` says so). Measured numbers never change.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from collapse_guard.assess import conclude
from collapse_guard.comparison.contrast import Contrast, beyond, interval, studentised, within
from collapse_guard.policy import Policy
from collapse_guard.prescription import prescribe
from collapse_guard.records import Assessment, Comparison, Reading, Reason, ReasonKind, Severity
from collapse_guard.verdict import decide

_OBSTACLES = (ReasonKind.BASELINE, ReasonKind.MISSING, ReasonKind.TOO_FEW, ReasonKind.NOT_A_NUMBER)


def rejudge(stored: Assessment, earlier: Sequence[Assessment], policy: Policy) -> Assessment:
    """Decide on a stored generation by another policy.

    Args:
        stored: The generation.
        earlier: Those of its lineage before it.
        policy: What decides now.
    """
    generation, readings = stored.generation, stored.readings
    drift = next((past.readings for past in earlier if past.generation.index == 0), {})
    afresh = conclude(
        generation, readings, {}, history=earlier, policy=policy, stratum=stored.stratum, seed=stored.seed
    )
    distances = _distances(stored, policy, deciding=set(policy.decides) - drift.keys())
    comparisons = (*afresh.comparisons, *distances)
    obstacles = _obstacles(stored, afresh, drift)
    verdict = decide(comparisons, generation=generation, policy=policy, obstacles=obstacles)
    prescription = prescribe(verdict, comparisons, generation=generation, history=earlier, rule=policy.reinjection)
    return stored.model_copy(update={"comparisons": comparisons, "verdict": verdict, "prescription": prescription})


def _distances(stored: Assessment, policy: Policy, *, deciding: Collection[str]) -> list[Comparison]:
    """The stored comparisons with the wild type, held against the margins of another policy."""
    return [
        comparison.model_copy(update={"decides": comparison.indicator in deciding, **_held_against(comparison, policy)})
        for comparison in stored.comparisons
        if comparison.baseline == "wild_type"
    ]


def _held_against(comparison: Comparison, policy: Policy) -> dict[str, Any]:
    """What changes in a comparison with the margins of another policy; nothing where they are the same."""
    margin, watch = policy.margin(comparison.indicator, "wild_type").effects
    level, direction = policy.confidence, comparison.direction
    if (margin, watch, level) == (comparison.margin, comparison.watch, comparison.level):
        return {}
    changed = {"margin": margin, "watch": watch, "n_needed": None}
    if not math.isfinite(comparison.effect):
        # An indicator that fell to 0 everywhere has the same p-value against every margin.
        return changed
    contrast = _contrast(comparison)
    low, high = interval(contrast, level)
    return {
        **changed,
        "low": low,
        "high": high,
        "level": level,
        "method": contrast.method,
        "p_beyond_margin": beyond(contrast, margin, direction),
        "p_beyond_watch": beyond(contrast, watch, direction),
        "p_within_margin": within(contrast, margin, direction),
    }


def _contrast(comparison: Comparison) -> Contrast:
    return Contrast(
        effect=comparison.effect,
        standard_error=comparison.standard_error,
        degrees_of_freedom=comparison.degrees_of_freedom,
        statistic=lambda hypothesis: studentised(comparison.effect - hypothesis, comparison.standard_error),
        method="t of the stored effect",
    )


def _obstacles(stored: Assessment, afresh: Assessment, drift: Mapping[str, Reading]) -> list[Reason]:
    """Why indicators cannot decide: as found afresh, except where the wild type, unknown there, is the baseline."""
    found = [reason for reason in afresh.verdict.reasons if reason.kind in _OBSTACLES]
    known = stored.reference.keys() - drift.keys()
    by_wild_type = {name for name in known if stored.readings[name].is_usable}
    compared = {comparison.indicator for comparison in stored.comparisons}
    others = [reason for reason in found if reason.indicator not in by_wild_type]
    missed = {reason.indicator for reason in found if reason.indicator in by_wild_type - compared}
    return others + [_not_compared(stored, name) for name in sorted(missed)]


def _not_compared(stored: Assessment, name: str) -> Reason:
    sentence = f"{name} could not be compared with the wild type when it was measured"
    said = (reason for reason in stored.verdict.reasons if reason.indicator == name and reason.kind in _OBSTACLES)
    return next(said, Reason(kind=ReasonKind.MISSING, severity=Severity.UNDECIDED, indicator=name, sentence=sentence))
