"""What a wild type can detect: the smallest harm that its own readings would find, before any model is trained."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from collapse_guard.comparison.compare import compare, obstacle
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Comparison, Reading
from collapse_guard.records.readings import Readings

MORE = 4
"""How many times as much data `Detection.with_more` is about."""
_FIRST = 1
"""The first generation after the founder."""


class Detection(NamedTuple):
    """What one indicator finds; harm is in the unit of the comparison's effect."""

    now: Comparison
    """Two samples as large as the evaluation data; `detectable` is the smallest harm found with 80% power."""
    with_more: Comparison
    """The same with so many times as much data as was asked for."""


def detections(reference: Readings, policy: Policy, times: float = MORE) -> list[Detection]:
    """What the first generation after a founder would be found from, if it writes as many samples as there are
    evaluation documents.

    Losses are not among them: how much the losses of documents change differs between models.

    Args:
        reference: Readings of the wild type itself; those that cannot be compared are left out.
        policy: Its deciding indicators, margins and error budget.
        times: How many times as much data `Detection.with_more` is about.
    """
    found = []
    for name in policy.decides:
        reading = reference.get(name)
        if reading is not None and not obstacle(reading, reading):
            found.append(Detection(_with_itself(reading, policy), _with_itself(_larger(reading, times), policy)))
    return found


def _with_itself(reading: Reading, policy: Policy) -> Comparison:
    limits = policy.limits(reading.indicator, "founder", direction=reading.direction, scale=reading.scale)
    return compare(
        reading,
        reading,
        baseline="founder",
        baseline_generation=0,
        margin=limits.margin,
        watch=limits.watch,
        level=policy.confidence,
        alert_level=policy.alert_level(_FIRST) / len(policy.decides),
    )


def _larger(reading: Reading, times: float) -> Reading:
    """As if there were so many times as many groups of the same spread."""
    census = tuple((often, max(1, round(times * different))) for often, different in reading.census)
    values, n = np.array(reading.replicates), len(reading.replicates)
    more = round(times * n)
    if n > 1:
        # Repeating values lowers their estimated spread a little.
        values = values.mean() + (values - values.mean()) * math.sqrt((more - 1) * n / (more * (n - 1)))
    replicates = tuple(np.resize(values, more).tolist())
    return reading.model_copy(update={"replicates": replicates, "census": census, "n": round(times * reading.n)})
