"""Readings of generated samples: one replicate per group of a fixed size, so that any two readings are comparable."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.evidence import IntArray
from collapse_guard.indicators.base import MINIMUM_GROUPS, Indicator
from collapse_guard.indicators.diversity import Distinct1, Distinct2, Distinct3, Distinct4, distinct_n
from collapse_guard.indicators.groups import equal_groups, group_samples, samples_needed
from collapse_guard.indicators.spread import EffectiveRank, TotalVariance, Vendi, effective_rank, total_variance, vendi
from collapse_guard.indicators.tails import RareCoverage, RareMass, count_types, rare_coverage, rare_mass
from collapse_guard.records import Reading

Member = TypeVar("Member")


@dataclass(frozen=True, kw_only=True)
class _Groups(Generic[Member]):
    members: list[Member]
    label: str
    """What a group is: "4096 tokens"."""
    n: int
    n_minimum: int
    problem: str

    def read(self, metric: type[Indicator], formula: Callable[[Member], float]) -> Reading:
        values = [formula(member) for member in self.members]
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


def token_readings(tokens: Sequence[IntArray], budget: int, *, source: str = "samples") -> list[Reading]:
    """distinct_1 to distinct_4 of groups of `budget` tokens; `source` is the word for samples in problems."""
    groups = _of_units(tokens, budget, "tokens", source)
    return [
        groups.read(Distinct1, partial(distinct_n, n=1)),
        groups.read(Distinct2, partial(distinct_n, n=2)),
        groups.read(Distinct3, partial(distinct_n, n=3)),
        groups.read(Distinct4, partial(distinct_n, n=4)),
    ]


def word_readings(
    types: Sequence[IntArray], rare: Collection[int], n_types: int, budget: int, *, source: str = "samples"
) -> list[Reading]:
    """rare_coverage and rare_mass of groups of `budget` words, given as type ids (`tails.UNKNOWN` for unknown ones)."""

    def counts(group: list[IntArray]) -> Tensor:
        return count_types(np.concatenate(group), n_types)

    groups = _of_units(types, budget, "words", source)
    ids = np.array(sorted(rare), dtype=np.int64)
    return [
        groups.read(RareCoverage, lambda group: rare_coverage(counts(group), ids)),
        groups.read(RareMass, lambda group: rare_mass(counts(group), ids)),
    ]


def vector_readings(
    vectors: npt.NDArray[Any], size: int, *, contents: Sequence[bytes] | None = None, source: str = "samples"
) -> list[Reading]:
    """total_variance, effective_rank and vendi of groups of `size` vectors; `contents` as in `group_samples`."""
    n, n_minimum, label = len(vectors), MINIMUM_GROUPS * size, f"{size} samples"
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        return missing_vector_readings(n, size, f"{len(bad)} of {n} vectors are not finite (first: row {bad[0]})")
    members = group_samples(vectors, size, contents=contents)
    problem = _too_few(n, len(members), label, n_minimum, source)
    return _read_spread(_Groups(members=members, label=label, n=n, n_minimum=n_minimum, problem=problem))


def missing_vector_readings(n: int, size: int, problem: str) -> list[Reading]:
    """total_variance, effective_rank and vendi where there are no vectors, and why."""
    groups: _Groups[npt.NDArray[Any]] = _Groups(
        members=[], label=f"{size} samples", n=n, n_minimum=MINIMUM_GROUPS * size, problem=problem
    )
    return _read_spread(groups)


def _read_spread(groups: _Groups[npt.NDArray[Any]]) -> list[Reading]:
    return [
        groups.read(TotalVariance, total_variance),
        groups.read(EffectiveRank, effective_rank),
        groups.read(Vendi, vendi),
    ]


def _of_units(sequences: Sequence[IntArray], budget: int, unit: str, source: str) -> _Groups[list[IntArray]]:
    members = equal_groups(sequences, budget)
    needed = samples_needed(sequences, budget, MINIMUM_GROUPS)
    label, n_minimum = f"{budget} {unit}", needed or MINIMUM_GROUPS * budget
    problem = _too_few(len(sequences), len(members), label, n_minimum, source)
    if needed is None and len(sequences):
        problem = f"none of the {len(sequences)} {source} has any {unit}"
    return _Groups(members=members, label=label, n=len(sequences), n_minimum=n_minimum, problem=problem)


def _too_few(n: int, n_groups: int, label: str, n_minimum: int, source: str) -> str:
    if n_groups >= MINIMUM_GROUPS:
        return ""
    return f"{n} {source} fill {n_groups} groups of {label}, {MINIMUM_GROUPS} are needed: {n_minimum} {source} would do"
