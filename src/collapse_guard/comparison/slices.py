"""The comparison of slices: the one that got worse beyond the others, with the choice among them paid for.

What happens to all documents alike, such as another seed or learning rate, cancels out: each document of a slice is
compared less a block of documents of the other slices. Every other document belongs to one block, so that the blocks of
a slice are independent, and their spread tells how well its distance from the others is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.comparison.chance import Spread, spread_of_others
from collapse_guard.records import Comparison, Reading


def slice_readings(reading: Reading) -> dict[str, Reading]:
    """Slice -> a reading whose replicates are its documents, each less its block of other documents.

    Blocks depend on the ids of documents alone, so those of two generations pair. Where the other documents are fewer
    than those of the slice, some belong to several blocks. O(S d) for S slices and d documents.

    Args:
        reading: Of all documents, with `slices`; "" stands for no slice, and such documents are others to all.

    Example:
        >>> declared = {"indicator": "worst_slice_loss", "family": "likelihood", "unit": "nats per token"}
        >>> all_documents = Reading(
        ...     **declared, direction="up", value=1.0, n=4, n_minimum=2, replicates=(3.0, 4.0, 1.0, 2.0),
        ...     keys=("a", "b", "c", "d"), slices=("x", "x", "y", "y"),
        ... )
        >>> slice_readings(all_documents)["x"].replicates
        (2.0, 2.0)
    """
    order = np.array(sorted(range(len(reading.keys)), key=reading.keys.__getitem__), dtype=np.int64)
    labels = np.array(reading.slices)[order]
    rates = np.array(reading.replicates)[order]
    weights = np.array(reading.weights or [1.0] * len(rates))[order]
    keys = [reading.keys[i] for i in order]
    return {
        str(name): _of_slice(reading, keys, rates, weights, np.flatnonzero(labels == name), labels != name)
        for name in np.unique(labels)
        if name and not (labels == name).all()
    }


def _of_slice(
    reading: Reading, keys: list[str], rates: FloatArray, weights: FloatArray, inside: IntArray, outside: FloatArray
) -> Reading:
    others = np.flatnonzero(outside)
    if len(others) < len(inside):
        others = np.resize(others, len(inside))
    block = np.arange(len(others)) % len(inside)
    sums = np.bincount(block, weights[others] * rates[others], minlength=len(inside))
    elsewhere = sums / np.bincount(block, weights[others], minlength=len(inside))
    contrasts = rates[inside] - elsewhere
    return reading.model_copy(
        update={
            "value": float(weights[inside] @ contrasts / weights[inside].sum()),
            "replicates": tuple(contrasts.tolist()),
            "weights": tuple(weights[inside].tolist()),
            "keys": tuple(keys[i] for i in inside),
            "slices": (),
            "n": len(inside),
        }
    )


def spread_between(effects: Mapping[str, float], errors: Mapping[str, float], slice_: str) -> Spread | None:
    """Spread of the effects of the other slices, beside the errors that they were measured with.

    Args:
        effects: Slice -> its effect.
        errors: Slice -> the standard error of its effect.
        slice_: The slice whose effect is held against the others.
    """
    others = [name for name in effects if name != slice_]
    found = spread_of_others([effects[name] for name in others])
    if found is None:
        return None
    measured = math.fsum(errors[name] ** 2 for name in others) / len(others)
    return Spread(math.sqrt(max(0.0, found.sd**2 - measured)), found.freedom)


def worst_of(comparisons: Mapping[str, Comparison]) -> Comparison:
    """The slice with the most harm for its watch level, as one comparison that holds for all slices together.

    The e-values of all slices are averaged, which gives an e-value whatever their dependence (Vovk and Wang (2021),
    Ann. Statist. 49:1736): so the choice of the worst is paid. That all are within the margin needs each of them to be.

    Args:
        comparisons: Slice -> its comparison; at least one.
    """
    worst = max(comparisons, key=lambda name: comparisons[name].harm / comparisons[name].watch)
    chosen, all_of_them = comparisons[worst], list(comparisons.values())
    e_margin, e_watch = (
        math.fsum(getattr(one, which) or 0.0 for one in all_of_them) / len(all_of_them)
        for which in ("e_beyond_margin", "e_beyond_watch")
    )
    return chosen.model_copy(
        update={
            "slice": worst,
            "n_slices": len(all_of_them),
            "e_beyond_margin": e_margin,
            "e_beyond_watch": e_watch,
            "p_beyond_margin": _p_of(e_margin),
            "p_beyond_watch": _p_of(e_watch),
            "p_within_margin": max(one.p_within_margin for one in all_of_them),
        }
    )


def _p_of(e_value: float) -> float:
    return min(1.0, 1.0 / e_value) if e_value > 0.0 else 1.0
