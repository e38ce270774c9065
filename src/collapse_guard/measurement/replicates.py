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
    """Share of the samples that differ from each other; copies within a prompt do not count where prompts are apart."""
    apart: Sequence[Member] | None = None
    """Groups of the same size no two of which share a prompt: their spread is that of the replicates, because samples
    of one prompt are not independent. None: the spread is that of `members`."""
    n_prompts: int = 0
    """Different prompts, where they are apart."""

    def of(self, form: Callable[[Member], Other]) -> Groups[Other]:
        """The same groups in another form."""
        apart = None if self.apart is None else list(map(form, self.apart))
        return replace(cast("Groups[Any]", self), members=list(map(form, self.members)), apart=apart)

    def of_values(
        self,
        metric: type[Indicator],
        values: Sequence[float],
        *,
        apart: Sequence[float] | None = None,
        drawn: str = "",
        lacking: str = "",
    ) -> Reading:
        """A reading whose replicates are these values, one for each group.

        Args:
            metric: The indicator.
            values: One for each group.
            apart: One for each group of `apart`, which take the place of the replicates, moved to the same mean.
            drawn: What it is a probability of draws of.
            lacking: Why there cannot be a value (`Indicator.lacking`); empty where there can.
        """
        undefined = sum(math.isnan(value) for value in values)
        value = float(np.mean(values)) if values else math.nan
        why = f"{metric.name} is undefined in {undefined} of {len(values)} groups of {self.label}: {metric.undefined}"
        return metric.reading(
            value=value,
            n=self.n,
            n_minimum=self.needed(metric.minimum_n),
            replicates=tuple(values) if apart is None else _moved(apart, value),
            group=self.label,
            drawn=drawn,
            different=self.different,
            problem=self.problem or lacking or self._hindrance(metric) or (why if undefined else ""),
        )

    def _hindrance(self, metric: type[Indicator]) -> str:
        few = self.too_few(metric.minimum_n) or self._too_few_prompts(metric.minimum_n)
        return self._too_short(metric.shortest) or few

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

    def _too_few_prompts(self, minimum: int) -> str:
        if self.apart is None or len(self.apart) >= minimum:
            return ""
        needed = math.ceil(self.n_prompts * minimum / max(1, len(self.apart)))
        return (
            f"the {self.source} of {self.n_prompts} prompts fill {len(self.apart)} groups of {self.label} that share "
            f"no prompt, {minimum} are needed: {needed} prompts would do"
        )


def _moved(values: Sequence[float], mean: float) -> tuple[float, ...]:
    """Values with another mean, and the spread that they have."""
    moved = np.asarray(values, dtype=np.float64)
    return tuple((moved + (mean - moved.mean())).tolist()) if len(moved) else ()


def groups_of_units(
    sequences: Sequence[IntArray],
    budget: int,
    unit: str,
    source: str,
    *,
    different: float = 1.0,
    prompts: IntArray | None = None,
) -> Groups[list[IntArray]]:
    """Groups of `budget` tokens or words; `source` names the samples in problems, `prompts` number their prompts."""
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
        apart=None if prompts is None else equal_groups(sequences, budget, apart=prompts),
        n_prompts=0 if prompts is None else len(set(prompts.tolist())),
    )


def groups_of_samples(
    contents: Sequence[bytes], size: int, source: str, *, prompts: IntArray | None = None
) -> Groups[IntArray]:
    """Groups of `size` samples, as row numbers, in an order that depends only on their contents."""
    members, n = group_samples(contents, size), len(contents)
    return Groups(
        members=members,
        label=f"{size} samples",
        n=n,
        needed=size.__mul__,
        source=source,
        different=_different(contents, prompts) if n else 1.0,
        apart=None if prompts is None else group_samples(contents, size, apart=prompts),
        n_prompts=0 if prompts is None else len(set(prompts.tolist())),
    )


def _different(contents: Sequence[bytes], prompts: IntArray | None) -> float:
    if prompts is None:
        return share_of_different(census_of(contents))
    return len(set(contents)) / len(set(zip(prompts.tolist(), contents, strict=True)))


def no_groups(n: int, size: int, problem: str) -> Groups[Any]:
    """Missing groups of samples, and why they are missing."""
    return Groups(members=[], label=f"{size} samples", n=n, needed=size.__mul__, problem=problem)


def groups_of_vectors(
    vectors: npt.NDArray[Any],
    size: int,
    *,
    contents: Sequence[bytes] | None = None,
    source: str = "samples",
    prompts: IntArray | None = None,
) -> Groups[FloatArray]:
    """Groups of `size` rows in content order; none if a vector is not finite.

    Args:
        vectors: n d.
        size: Rows in a group.
        contents: n: what the order goes by; None: the rows themselves. Give the samples where rows are their
            embeddings: an embedder may round a row differently in another batch.
        prompts: n: number of the prompt of each sample, where samples of one prompt are to stay together.
        source: The word for samples in problems.
    """
    n = len(vectors)
    bad = np.flatnonzero(~is_usable(vectors).all(axis=1))
    if len(bad):
        return no_groups(n, size, f"{len(bad)} of {n} vectors are not finite (first: row {bad[0]})")
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    of = [row.tobytes() for row in rows] if contents is None else contents
    return groups_of_samples(of, size, source, prompts=prompts).of(rows.__getitem__)
