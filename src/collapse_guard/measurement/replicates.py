"""Replicates: samples cut into groups of one fixed size, and the readings that formulas over groups give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray, IntArray, is_usable
from collapse_guard.indicators.base import Indicator
from collapse_guard.indicators.groups import equal_groups, group_samples, samples_needed
from collapse_guard.records import Reading
from collapse_guard.records.census import census_of, share_of_different

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
    needed: Callable[[int], int]
    """Samples that fill so many groups."""
    source: str = "samples"
    """The word for samples in problems."""
    unit: str = "units"
    """What the length of a sample is counted in."""
    longest: int | None = None
    """Length of the longest sample; None: samples have no length."""
    problem: str = ""
    """Why there are no groups, as a sentence; empty where the samples are merely too few, or enough."""
    different: float = 1.0
    """Share of the samples that differ from each other."""

    def of(self, members: Sequence[Other]) -> Groups[Other]:
        """The same groups in another form."""
        return replace(cast("Groups[Any]", self), members=members)

    def of_values(
        self, metric: type[Indicator], values: Sequence[float], *, drawn: str = "", lacking: str = ""
    ) -> Reading:
        """A reading whose replicates are these values, one for each group.

        Args:
            metric: The indicator.
            values: One for each group.
            drawn: What it is a probability of draws of.
            lacking: Why there cannot be a value (`Indicator.lacking`); empty where there can.
        """
        undefined = sum(math.isnan(value) for value in values)
        why = f"{metric.name} is undefined in {undefined} of {len(values)} groups of {self.label}: {metric.undefined}"
        return metric.reading(
            value=float(np.mean(values)) if values else math.nan,
            n=self.n,
            n_minimum=self.needed(metric.minimum_n),
            replicates=tuple(values),
            group=self.label,
            drawn=drawn,
            different=self.different,
            problem=self.problem or lacking or self._hindrance(metric) or (why if undefined else ""),
        )

    def _hindrance(self, metric: type[Indicator]) -> str:
        return self._too_short(metric.shortest) or self.too_few(metric.minimum_n)

    def _too_short(self, shortest: int) -> str:
        if self.longest is None or not self.n or self.longest >= shortest:
            return ""
        return f"none of the {self.n} {self.source} has {shortest} {self.unit}: the longest has {self.longest}"

    def too_few(self, minimum: int) -> str:
        """Say how many samples would fill so many groups, as a sentence; empty where these do."""
        if len(self.members) >= minimum:
            return ""
        return (
            f"{self.n} {self.source} fill {len(self.members)} groups of {self.label}, {minimum} are needed: "
            f"{self.needed(minimum)} {self.source} would do"
        )


def groups_of_units(
    sequences: Sequence[IntArray], budget: int, unit: str, source: str, *, different: float = 1.0
) -> Groups[list[IntArray]]:
    """Groups of `budget` tokens or words; `source` names the samples in problems."""
    members, n = equal_groups(sequences, budget), len(sequences)
    is_empty = n > 0 and not any(map(len, sequences))
    return Groups(
        members=members,
        label=f"{budget} {unit}",
        n=n,
        # A pass over all samples, made once for all indicators that need as many groups.
        needed=cache(lambda groups: samples_needed(sequences, budget, groups) or groups * budget),
        source=source,
        unit=unit,
        longest=max(map(len, sequences), default=0),
        problem=f"none of the {n} {source} has any {unit}" if is_empty else "",
        different=different,
    )


def groups_of_samples(contents: Sequence[bytes], size: int, source: str) -> Groups[IntArray]:
    """Groups of `size` samples, as row numbers, in an order that depends only on their contents."""
    members, n = group_samples(contents, size), len(contents)
    return Groups(
        members=members,
        label=f"{size} samples",
        n=n,
        needed=size.__mul__,
        source=source,
        different=share_of_different(census_of(contents)) if n else 1.0,
    )


def no_groups(n: int, size: int, problem: str) -> Groups[Any]:
    """Missing groups of samples, and why they are missing."""
    return Groups(members=[], label=f"{size} samples", n=n, needed=size.__mul__, problem=problem)


def groups_of_vectors(
    vectors: npt.NDArray[Any], size: int, *, contents: Sequence[bytes] | None = None, source: str = "samples"
) -> Groups[FloatArray]:
    """Groups of `size` rows in content order; none if a vector is not finite.

    Args:
        vectors: n d.
        size: Rows in a group.
        contents: n: what the order goes by; None: the rows themselves. Give the samples where rows are their
            embeddings: an embedder may round a row differently in another batch.
        source: The word for samples in problems.
    """
    n = len(vectors)
    bad = np.flatnonzero(~is_usable(vectors).all(axis=1))
    if len(bad):
        return no_groups(n, size, f"{len(bad)} of {n} vectors are not finite (first: row {bad[0]})")
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    groups = groups_of_samples([row.tobytes() for row in rows] if contents is None else contents, size, source)
    return groups.of([rows[member] for member in groups.members])
