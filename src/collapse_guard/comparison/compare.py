"""The comparison of two readings, and what keeps two from being compared.

`compare` chooses the method from what the readings are: documents that can be paired (likelihood) are paired, groups
of equal size (everything measured on samples) are compared as two samples. Both baselines of the guard go through it:
the founder (what retraining did) and the wild type (what was lost in total).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from collapse_guard.comparison.betting import paired_e_value
from collapse_guard.comparison.contrast import Contrast, beyond, interval, within
from collapse_guard.comparison.paired import paired_difference, paired_log_ratio
from collapse_guard.comparison.power import detectable, detectable_by_betting, samples_needed
from collapse_guard.comparison.prompts import on_common_prompts
from collapse_guard.comparison.rarefaction import rarefied_log_ratio
from collapse_guard.comparison.two_sample import counted, two_sample_difference, two_sample_log_ratio
from collapse_guard.errors import FOUND_ANEW, InputError
from collapse_guard.records import Baseline, Chance, Comparison, Direction, EffectScale, Reading
from collapse_guard.records.census import Census, size_of


def obstacle(reading: Reading, reference: Reading) -> str:
    """Say why two readings cannot be compared, as a sentence; empty if they can.

    Paired readings must be of the same documents with the same token counts, unpaired ones of groups of the same
    size, and the baseline of a ratio must not be zero.
    """
    reading, reference = on_common_prompts(reading, reference)
    name = reading.indicator
    for side, which in ((reading, "this generation"), (reference, "the baseline")):
        if not side.is_usable:
            return f"{name} of {which}: {side.problem or 'it is not a number'}"
    if reading.is_only_told or reference.is_only_told:
        return f"{name} has an interval, but no replicates to compare: remove it from `decides` in the policy"
    if reading.keys or reference.keys:
        return _pairing_obstacle(reading, reference)
    if bool(reading.census) != bool(reference.census):
        return (
            f"{name} is read over all samples together now, and was read in groups by an earlier version: {FOUND_ANEW}"
        )
    if reading.group != reference.group:
        return f"{name} was measured on groups of {reading.group}, its baseline on groups of {reference.group}"
    if reading.scale is EffectScale.LOG_RATIO and not reference.census and math.fsum(reference.replicates) <= 0.0:
        return f"{name} of the baseline is 0, so a ratio to it is not defined: remove it from `decides` in the policy"
    return ""


def _pairing_obstacle(reading: Reading, reference: Reading) -> str:
    name, here = reading.indicator, dict(zip(reading.keys, reading.weights, strict=True))
    if not (reading.keys and reference.keys):
        which = "this generation" if reading.keys else "the baseline"
        return f"{name} has ids of {reading.group}s only in {which}: give them in every generation, or in none"
    missing = [key for key in reference.keys if key not in here]
    if missing:
        return (
            f"{name} lacks {len(missing)} of its baseline's {len(reference.keys)} {reading.group}s "
            f"(first: {missing[0]}); score the same {reading.group}s in every generation"
        )
    if reading.budget != reference.budget:
        return (
            f"{name} was learnt from parts of {reading.budget} tokens, its baseline from parts of {reference.budget}: "
            "assess them behind the same founder"
        )
    if any(here[key] != weight for key, weight in zip(reference.keys, reference.weights, strict=True)):
        return f"{name} counts other tokens than its baseline: another tokenizer? Compare bits_per_byte instead"
    return ""


def compare(
    reading: Reading,
    reference: Reading,
    *,
    baseline: Baseline,
    baseline_generation: int | None = None,
    margin: float,
    watch: float,
    level: float = 0.95,
    alert_level: float = 0.05,
    decides: bool = True,
    seed_limit: float | None = None,
    chance: Callable[[Contrast], Chance] | None = None,
    without_worst: int = 0,
) -> Comparison:
    """Compare a reading with its baseline against a margin of harm.

    For paired documents an e-value shows harm beyond the margin (betting, valid for any distribution and any n); for
    groups a t test does. The interval, and harm within the margin, use t tests.

    Args:
        reading: This generation's reading.
        reference: The baseline's reading of the same indicator.
        baseline: What the reference is: "founder", "parent" or "wild_type".
        baseline_generation: Index of the founder or parent.
        margin: Harm that is still acceptable, in the unit of the effect; above 0.
        watch: Harm that gives a WATCH; above 0, at most `margin`.
        level: Confidence of the two-sided interval; the within-margin test is one-sided at 1 - level.
        alert_level: One-sided level at which an alert is raised; it only determines which harm would be found at this
            n, and how many samples would decide.
        decides: Whether the verdict rests on the comparison.
        seed_limit: Harm that another seed alone does not reach; None: not known.
        chance: From the effect with its error to what chance alone does to it, which raises margin and watch level
            where it is larger; None: nothing is said of it.
        without_worst: So many paired documents may be no fair ones: those with most harm are left out of the evidence
            that harm is beyond margin or watch level, and of nothing else.

    Returns:
        The comparison. Power grows with n; the margin does not shrink with n.

    Raises:
        InputError: `obstacle` finds a reason why the two cannot be compared.
    """
    why_not = obstacle(reading, reference)
    if why_not:
        raise InputError(f"`reading` and `reference` cannot be compared: {why_not}")
    reading, reference = on_common_prompts(reading, reference)
    contrast = contrast_of(reading, reference)
    alone = None if chance is None else chance(contrast)
    if alone is not None:
        margin, watch = max(margin, alone.margin), max(watch, alone.watch)
    direction = reading.direction
    low, high = interval(contrast, level)
    e_margin, e_watch = (_e_value(reading, reference, harm, without_worst) for harm in (margin, watch))
    p_beyond = beyond(contrast, margin, direction) if e_margin is None else _p_of(e_margin)
    p_within = within(contrast, margin, direction)
    bets = e_margin is not None
    find = detectable_by_betting if bets else detectable
    freedom = len(reference.keys) - 1.0 if bets else contrast.degrees_of_freedom
    smallest = find(contrast.standard_error, freedom, level=alert_level, margin=margin)
    n, n_reference = _replicates(reading, reference)
    undecided = p_beyond > alert_level and p_within > 1 - level
    needed = samples_needed(contrast, margin, direction, reading.n, alert_level, 1 - level, bets=bets)
    return Comparison(
        indicator=reading.indicator,
        baseline=baseline,
        baseline_generation=baseline_generation,
        observed=reading.scale.value_of(contrast.observed),
        reference=reading.scale.value_of(contrast.reference),
        scale=reading.scale,
        effect=contrast.effect,
        effect_unit=effect_unit(reading),
        standard_error=contrast.standard_error,
        degrees_of_freedom=contrast.degrees_of_freedom,
        low=low,
        high=high,
        level=level,
        direction=direction,
        margin=margin,
        watch=watch,
        p_beyond_margin=p_beyond,
        p_beyond_watch=beyond(contrast, watch, direction) if e_watch is None else _p_of(e_watch),
        p_within_margin=p_within,
        method=_method(reading, contrast),
        n=n,
        n_reference=n_reference,
        n_counted=_counted(reading),
        n_needed=needed if undecided else None,
        detectable=smallest if math.isfinite(smallest) else None,
        e_beyond_margin=e_margin,
        e_beyond_watch=e_watch,
        seed_limit=seed_limit,
        chance=alone,
        replicate=reading.group,
        decides=decides,
        without_worst=without_worst,
    )


def _e_value(reading: Reading, reference: Reading, harm: float, without_worst: int) -> float | None:
    """Evidence against "harm is at most `harm`" of paired documents; two-sided harm takes the mean of both sides."""
    if not reading.keys:
        return None
    observed = _observed(reading, reference)
    sides = {Direction.UP: (1,), Direction.DOWN: (-1,), Direction.BOTH: (1, -1)}[reading.direction]
    e_values = [
        paired_e_value(
            observed=observed,
            reference=reference.replicates,
            weights=reference.weights,
            hypothesis=side * harm,
            side=side,
            log_ratio=reading.scale is EffectScale.LOG_RATIO,
            without_worst=without_worst,
        )
        for side in sides
    ]
    return math.fsum(e_values) / len(e_values)


def _method(reading: Reading, contrast: Contrast) -> str:
    if not reading.keys:
        return contrast.method
    return f"bets on paired documents; interval: {contrast.method}".replace("documents", f"{reading.group}s")


def _p_of(e_value: float) -> float:
    return min(1.0, 1.0 / e_value) if e_value > 0.0 else 1.0


def effect_unit(reading: Reading) -> str:
    """Unit of effects on a reading: the indicator's, but on a relative scale."""
    return "log ratio" if reading.scale.is_relative else reading.unit


def contrast_of(reading: Reading, reference: Reading) -> Contrast:
    """Choose the method: paired where replicates have keys, two samples where not, shares of different samples."""
    if reading.census:
        here, there = _at_equal_size(reading, reference)
        inflated = (reading.by_prompts, reference.by_prompts)
        return rarefied_log_ratio(observed=here, reference=there, inflated=inflated)
    if not reading.keys:
        two_sample = two_sample_log_ratio if reading.scale is EffectScale.LOG_RATIO else two_sample_difference
        return two_sample(
            observed=reading.replicates,
            reference=reference.replicates,
            different=(reading.different, reference.different),
        )
    paired = paired_log_ratio if reading.scale is EffectScale.LOG_RATIO else paired_difference
    observed = _observed(reading, reference)
    return paired(observed=observed, reference=reference.replicates, weights=reference.weights)


def _at_equal_size(reading: Reading, reference: Reading) -> tuple[Census, Census]:
    """The censuses of the largest number of samples that both were counted at; else of all samples."""
    here, there = (
        {size_of(census): census for census in (*side.smaller, side.census)} for side in (reading, reference)
    )
    common = here.keys() & there.keys()
    if not common or not (reading.smaller or reference.smaller):
        return reading.census, reference.census
    return here[max(common)], there[max(common)]


def _replicates(reading: Reading, reference: Reading) -> tuple[int, int]:
    """How many replicates, or samples, are compared on each side."""
    if not reading.census:
        return len(reading.replicates), len(reference.replicates)
    here, there = _at_equal_size(reading, reference)
    return size_of(here), size_of(there)


def _counted(reading: Reading) -> float | None:
    """As how many replicates intervals count them; None: as many as there are."""
    if reading.census or reading.keys or reading.different == 1.0:
        return None
    return counted(len(reading.replicates), reading.different)


def _observed(reading: Reading, reference: Reading) -> list[float]:
    """What was observed for each key of the reference, in its order."""
    here = dict(zip(reading.keys, reading.replicates, strict=True))
    return [here[key] for key in reference.keys]
