"""Replicates: samples cut into groups of one fixed size, and the readings that formulas over groups give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.base import MINIMUM_GROUPS, Indicator
from collapse_guard.indicators.groups import equal_groups, group_samples, samples_needed
from collapse_guard.records import Reading

Member = TypeVar("Member")
Other = TypeVar("Other")


@dataclass(frozen=True, kw_only=True)
class Groups(Generic[Member]):
    """Groups of equal size, each of which gives one replicate of a reading."""

    members: Sequence[Member]
    """The groups."""
    label: str
    """What a group is: "4096 tokens"."""
    n: int
    """Samples in all."""
    n_minimum: int
    """Samples that a comparison needs at least."""
    problem: str
    """Why the groups are too few, as a sentence; empty where they are not."""

    def of(self, members: Sequence[Other]) -> Groups[Other]:
        """The same groups in another form."""
        return Groups(members=members, label=self.label, n=self.n, n_minimum=self.n_minimum, problem=self.problem)

    def read(self, metric: type[Indicator], formula: Callable[[Member], float]) -> Reading:
        """A reading whose replicates are `formula` of each group."""
        return self.of_values(metric, [formula(member) for member in self.members])

    def of_values(self, metric: type[Indicator], values: Sequence[float]) -> Reading:
        """A reading of values that are there already, one for each group."""
        undefined = sum(math.isnan(value) for value in values)
        why = f"{metric.name} is undefined in {undefined} of {len(values)} groups of {self.label}: {metric.undefined}"
        return metric.reading(
            value=float(np.mean(values)) if values else math.nan,
            n=self.n,
            n_minimum=self.n_minimum,
            replicates=tuple(values),
            group=self.label,
            problem=self.problem or (why if undefined else ""),
        )


def groups_of_units(sequences: Sequence[IntArray], budget: int, unit: str, source: str) -> Groups[list[IntArray]]:
    """Groups of `budget` tokens or words; `source` is the word for samples in problems."""
    members = equal_groups(sequences, budget)
    needed = samples_needed(sequences, budget, MINIMUM_GROUPS)
    label, n_minimum = f"{budget} {unit}", needed or MINIMUM_GROUPS * budget
    problem = _too_few(len(sequences), len(members), label, n_minimum, source)
    if needed is None and len(sequences):
        problem = f"none of the {len(sequences)} {source} has any {unit}"
    return Groups(members=members, label=label, n=len(sequences), n_minimum=n_minimum, problem=problem)


def groups_of_samples(contents: Sequence[bytes], size: int, source: str) -> Groups[IntArray]:
    """Groups of `size` samples, as their row numbers, in an order that depends on the contents alone."""
    members, n = group_samples(contents, size), len(contents)
    label, n_minimum = f"{size} samples", MINIMUM_GROUPS * size
    problem = _too_few(n, len(members), label, n_minimum, source)
    return Groups(members=members, label=label, n=n, n_minimum=n_minimum, problem=problem)


def no_groups(n: int, size: int, problem: str) -> Groups[Any]:
    """Groups of samples that cannot be had, and why."""
    return Groups(members=[], label=f"{size} samples", n=n, n_minimum=MINIMUM_GROUPS * size, problem=problem)


def groups_of_vectors(
    vectors: npt.NDArray[Any], size: int, *, contents: Sequence[bytes] | None = None, source: str = "samples"
) -> Groups[FloatArray]:
    """Groups of `size` rows in content order; none where a vector is not finite.

    Args:
        vectors: n d.
        size: Rows in a group.
        contents: n: what the order goes by; None: the rows themselves. Give the samples where rows are their
            embeddings: an embedder may round a row differently in another batch.
        source: The word for samples in problems.
    """
    n = len(vectors)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        return no_groups(n, size, f"{len(bad)} of {n} vectors are not finite (first: row {bad[0]})")
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    chosen = groups_of_samples([row.tobytes() for row in rows] if contents is None else contents, size, source)
    return chosen.of([rows[member] for member in chosen.members])


def _too_few(n: int, n_groups: int, label: str, n_minimum: int, source: str) -> str:
    if n_groups >= MINIMUM_GROUPS:
        return ""
    return f"{n} {source} fill {n_groups} groups of {label}, {MINIMUM_GROUPS} are needed: {n_minimum} {source} would do"
