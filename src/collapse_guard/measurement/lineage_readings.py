"""Readings that need an earlier generation: effective size against the parent, relative fitness against the founder.

They are descriptions of a lineage. Nothing is compared with them, so they have no replicates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.genetics.fitness import RelativeFitness, relative_fitness
from collapse_guard.indicators.genetics.inbreeding import EffectiveSize, effective_size
from collapse_guard.records import Reading

Readings = Mapping[str, Reading]


def lineage_readings(readings: Readings, *, founder: Readings, parent: Readings) -> dict[str, Reading]:
    """effective_size and relative_fitness, where the earlier generation was measured for what they need.

    Args:
        readings: Of this generation.
        founder: Of generation 0; empty where there is none.
        parent: Of the newest parent; empty where there is none.
    """
    found = {}
    if _both_have("homozygosity", readings, parent):
        found["effective_size"] = _effective_size(readings["homozygosity"], parent["homozygosity"])
    if _both_have("perplexity", readings, founder):
        found["relative_fitness"] = _relative_fitness(readings["perplexity"], founder["perplexity"])
    return found


def _both_have(name: str, readings: Readings, earlier: Readings) -> bool:
    return all(name in side and side[name].is_usable for side in (readings, earlier))


def _effective_size(here: Reading, parent: Reading) -> Reading:
    value = effective_size(here.value, parent.value)
    problem = f"effective_size is undefined: {EffectiveSize.undefined}" if math.isnan(value) else ""
    return EffectiveSize.reading(value=value, n=here.n, n_minimum=here.n_minimum, group=here.group, problem=problem)


def _relative_fitness(here: Reading, founder: Reading) -> Reading:
    shared = sorted(set(here.keys) & set(founder.keys))
    value = relative_fitness(*_sums(here, shared), *_sums(founder, shared))
    return RelativeFitness.reading(value=value, n=len(shared), n_minimum=here.n_minimum, group=here.group)


def _sums(reading: Reading, keys: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Nats and tokens of the documents with these keys."""
    places = {key: i for i, key in enumerate(reading.keys)}
    chosen = [places[key] for key in keys]
    weights = np.array(reading.weights)[chosen]
    return np.array(reading.replicates)[chosen] * weights, weights
