"""Baselines: what a reading is compared with, on which documents, and why a comparison may be impossible.

Two baselines make two statements. Drift compares this generation with the founder: it is the effect of retraining.
Distance compares it with the wild type: it is the total loss, which for the founder depends on its size and its
decoding. Drift decides if the founder was measured, otherwise distance; both are always shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from collapse_guard.comparison import compare, obstacle
from collapse_guard.comparison.effects import shown
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Baseline, Comparison, Generation, Reading, Reason, ReasonKind, Severity
from collapse_guard.records.readings import Readings

SMALLEST_FOLD = 20
"""Smallest number of documents to judge a generation on, if folds rotate."""


def comparisons_of(
    generation: Generation,
    readings: Readings,
    reference: Readings,
    *,
    drift: Readings,
    policy: Policy,
    look: int | None = None,
) -> list[Comparison]:
    """All comparisons of a generation: with the founder, and with the wild type.

    Drift decides if the founder was measured, otherwise distance to the wild type, which is always shown.
    """
    fold = generation.index if drift else None
    level = policy.alert_level(generation.index, look) / max(1, len(policy.decides))
    here, there = on_fold(readings, fold, policy), on_fold(drift, fold, policy)
    return [
        *_against(here, there, "founder", policy, level, drift.keys()),
        *_against(readings, reference, "wild_type", policy, level, reference.keys() - drift.keys()),
    ]


def on_fold(readings: Readings, generation: int | None, policy: Policy) -> Readings:
    """Cut the readings of paired documents to those that generation t is judged on; keep all others as they are.

    The fold of a document depends only on its id, so founder and generation are cut in the same way.
    """
    folds = policy.rotate_folds
    if folds is None or generation is None:
        return readings
    return {
        name: _cut(reading, (generation - 1) % folds, folds) if reading.keys else reading
        for name, reading in readings.items()
    }


def _cut(reading: Reading, fold: int, folds: int) -> Reading:
    places = [i for i, key in enumerate(reading.keys) if _fold_of(key, folds) == fold]
    parts = {name: tuple(getattr(reading, name)[i] for i in places) for name in ("keys", "replicates", "weights")}
    of_all = f"{len(places)} of {len(reading.keys)} {reading.group}s"
    few = f"{of_all} are in fold {fold + 1} of {folds}, {SMALLEST_FOLD} are needed"
    return reading.model_copy(
        update={**parts, "problem": reading.problem or (few if len(places) < SMALLEST_FOLD else "")}
    )


def _fold_of(document: str, folds: int) -> int:
    return int.from_bytes(hashlib.blake2b(document.encode(), digest_size=8).digest(), "big") % folds


def _against(
    readings: Readings, baseline: Readings, kind: Baseline, policy: Policy, level: float, deciding: Collection[str]
) -> list[Comparison]:
    comparisons = []
    for name, reading in readings.items():
        if name not in baseline or obstacle(reading, baseline[name]):
            continue
        limits = policy.limits(name, kind, direction=reading.direction, scale=reading.scale)
        comparisons.append(
            compare(
                reading,
                baseline[name],
                baseline=kind,
                baseline_generation=0 if kind == "founder" else None,
                margin=limits.margin,
                watch=limits.watch,
                level=policy.confidence,
                alert_level=level,
                decides=name in policy.decides and name in deciding,
                seed_limit=limits.seeds,
            )
        )
    return comparisons


def obstacles_of(
    generation: Generation, readings: Readings, reference: Readings, *, drift: Readings, policy: Policy
) -> list[Reason]:
    """Reasons why indicators that should decide cannot: UNDECIDED, or HEALTHY where the founder is the baseline."""
    fold = generation.index if drift else None
    readings, baseline = on_fold(readings, fold, policy), {**reference, **on_fold(drift, fold, policy)}
    reasons = []
    for name in dict.fromkeys((*policy.decides, *policy.required)):
        if name in readings:
            reason = _obstacle(generation, readings[name], baseline.get(name))
        else:
            reason = _absence(name, name in drift, policy)
        if reason:
            reasons.append(reason)
    nothing = not any(name in readings and name in baseline for name in policy.decides)
    if nothing and not reasons:
        sentence = "no deciding indicator was measured: give losses or samples"
        reasons.append(Reason(kind=ReasonKind.MISSING, severity=Severity.UNDECIDED, sentence=sentence))
    return reasons


def _obstacle(generation: Generation, reading: Reading, reference: Reading | None) -> Reason | None:
    """Why an indicator that was measured cannot decide, as a reason; None if it can."""
    name = reading.indicator
    if not reading.is_usable:
        kind = ReasonKind.TOO_FEW if 0 < reading.n < reading.n_minimum else ReasonKind.NOT_A_NUMBER
        return _undecided(kind, name, f"{name}: {reading.problem}" if reading.problem else f"{name} is not a number")
    if reference is not None:
        why_not = obstacle(reading, reference)
        return _undecided(ReasonKind.MISSING, name, why_not) if why_not else None
    if generation.index == 0:
        value = shown(reading.value, reading.scale)
        sentence = f"{name} is {value}: this is the founder, so it is the baseline of later generations"
        return Reason(kind=ReasonKind.BASELINE, severity=Severity.HEALTHY, indicator=name, sentence=sentence)
    return _undecided(
        ReasonKind.MISSING,
        name,
        f"{name} has no baseline: the founder (generation 0) of this lineage was not measured for it",
    )


def _absence(name: str, founder_has_it: bool, policy: Policy) -> Reason | None:
    """Why an indicator that was not measured should have been; None if nobody expects it."""
    if name in policy.required:
        return _undecided(ReasonKind.MISSING, name, f"{name} is required by the policy, but was not measured")
    if founder_has_it:
        return _undecided(ReasonKind.MISSING, name, f"{name} was measured at the founder, but not in this generation")
    return None


def _undecided(kind: ReasonKind, name: str, sentence: str) -> Reason:
    return Reason(kind=kind, severity=Severity.UNDECIDED, indicator=name, sentence=sentence)
