"""What a user would calibrate: seed noise of healthy lineages of other seeds, by corpus and model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from collapse_guard.comparison.compare import contrast_of, obstacle
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import PRESETS, Policy
from detecting.lineages import Lineage

Policies = Mapping[str, Policy]
"""Corpus and model -> the policy that its lineages are judged by."""
CALIBRATED = "calibrated"
CONTROLS = 20
"""How many control retrains the noise counts as. It rests on ten retrains for each of several founders, more than that
in all, but those of one founder share its luck."""
SCENARIOS = ("fresh", "same")
"""Retrains on other real documents, and on the same: a guard must bear both."""


class Everywhere(dict[str, Policy]):
    """The same policy for every corpus and model."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __missing__(self, source: str) -> Policy:
        return self._policy


def chosen(name: str | Path | None, calibration: Path | None = None) -> Policies:
    """The policies of a name: a preset, a file, or `calibrated` from a file of lineages."""
    if str(name) != CALIBRATED:
        return Everywhere(Policy() if name is None else Policy.load(name))
    if calibration is None:
        raise SystemExit("the policy `calibrated` needs --calibration, the series of lineages with tuning seeds")
    return calibrated(calibration)


def calibrated(path: Path) -> Policies:
    """The default policy with the seed noise that healthy lineages in a file show."""
    effects: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for lineage in Lineage.read_all(path):
        if lineage.task.scenario in SCENARIOS:
            for indicator, effect in _effects(lineage):
                effects[lineage.task.source][indicator].append(effect)
    found = Everywhere(Policy())
    found.update({source: _policy(measured) for source, measured in effects.items()})
    return found


def _effects(lineage: Lineage) -> list[tuple[str, float]]:
    founder, *later = lineage.readings(frozenset(Policy().decides), with_losses=lineage.has_losses)
    return [
        (name, contrast_of(reading, founder[name]).effect)
        for readings in later
        for name, reading in readings.items()
        if name in founder and not obstacle(reading, founder[name])
    ]


def _policy(effects: Mapping[str, list[float]]) -> Policy:
    noise = {
        name: SeedNoise(controls=CONTROLS, mean=float(np.mean(values)), sd=float(np.std(values, ddof=1)))
        for name, values in effects.items()
        if len(values) > 1 and all(map(math.isfinite, values))
    }
    return Policy.from_dict({**PRESETS["default"], "seed_noise": {k: v.model_dump() for k, v in noise.items()}})
