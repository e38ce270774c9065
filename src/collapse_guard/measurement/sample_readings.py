"""Readings of generated samples: each group is given to the indicators that read its kind (`Indicator.read`)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.base import GroupKind, Indicator, all_indicators
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import TextGroup, TokenGroup, VectorGroup, WordGroup
from collapse_guard.indicators.whole import Clusters, WholeSamples
from collapse_guard.measurement.prompts import variance_by_prompts
from collapse_guard.measurement.replicates import Groups
from collapse_guard.records import Reading
from collapse_guard.records.census import share_of_different, size_of

_GROUPS_AT_ONCE = 64
"""Groups that an indicator reads one after the other: what it looks up stays in the cache of the processor. They are
then let go, because the counts of all groups together would be far larger than the samples."""
WHOLE_PARTS = 32
"""Parts of all samples whose means are the replicates of a mean over samples."""
_FORMS: dict[GroupKind, Any] = {"tokens": TokenGroup, "words": WordGroup, "samples": TextGroup, "vectors": VectorGroup}


def group_readings(
    kind: GroupKind, groups: Groups[Any], instruments: Instruments, only: Collection[str]
) -> list[Reading]:
    """Readings of groups of tokens, of words (given as `Instruments.types`), of texts, or of vectors."""
    return _read(groups, _FORMS[kind], instruments, _reading(kind, only))


def row_readings(groups: Groups[FloatArray], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of samples that are rows: as vectors, and what rows have in common with texts."""
    kinds = ("vectors", "columns") if instruments.has_columns else ("vectors",)
    of_rows = [
        metric for metric in _chosen(only) if metric.groups_of and (metric.reads_rows or metric.evidence in kinds)
    ]
    return _read(groups, VectorGroup, instruments, of_rows)


def whole_readings(whole: WholeSamples, only: Collection[str], *, rows: bool, problem: str = "") -> list[Reading]:
    """Readings of all samples together: what counts whole samples.

    Args:
        whole: The samples.
        only: Names of indicators to read.
        rows: Whether samples are rows of numbers, of which fewer indicators are read.
        problem: Why there is nothing to read, as a sentence; empty where there is.
    """
    metrics = [metric for metric in _chosen(only) if metric.evidence == "whole" and (metric.reads_rows or not rows)]
    found = ((metric, metric.read(whole)) for metric in metrics)
    return [_of_whole(metric, counted, whole, problem) for metric, counted in found if counted is not None]


def _of_whole(metric: type[Indicator], counted: Any, whole: WholeSamples, problem: str) -> Reading:
    parts: dict[str, Any]
    if isinstance(counted, tuple):
        clusters = counted if isinstance(counted, Clusters) else Clusters(counted, ())
        value, n = share_of_different(clusters.census), size_of(clusters.census)
        kinds = clusters.kinds if isinstance(counted, Clusters) else whole.contents
        parts = {"census": clusters.census, "smaller": clusters.smaller, "group": "sample"}
        if whole.prompts is not None:
            parts["by_prompts"] = variance_by_prompts(kinds, whole.prompts[:n])
    else:
        value, n = float(counted.mean()) if len(counted) else math.nan, len(counted)
        parts = {"replicates": _means_of_parts(counted, whole.prompts), "group": "part of the samples"}
    if not n and whole.n_empty:
        problem = all_empty(whole.n_empty)
    needed = metric.minimum_n
    few = f"of {needed} samples that are needed there are {n}: {needed} samples would do" if n < needed else ""
    return metric.reading(value=math.nan if problem else value, n=n, n_minimum=needed, problem=problem or few, **parts)


def _means_of_parts(numbers: FloatArray, prompts: IntArray | None) -> tuple[float, ...]:
    """Means of as many parts of the samples as a spread needs, in an order that has nothing to do with their content.

    Samples of one prompt are in one part. Parts differ in size, so their means are moved by a little: their mean is
    that of all samples.
    """
    if len(numbers) < WHOLE_PARTS:
        return ()
    order = content_order([number.tobytes() for number in numbers])
    if prompts is None:
        parts = np.array_split(numbers[order], WHOLE_PARTS)
    else:
        places = np.array_split(np.arange(prompts.max() + 1), min(WHOLE_PARTS, prompts.max() + 1))
        parts = [numbers[np.isin(prompts[: len(numbers)], some)] for some in places]
    means = np.array([part.mean() for part in parts if len(part)])
    return tuple((means + (numbers.mean() - means.mean())).tolist())


def all_empty(n: int) -> str:
    """Why nothing is read of samples without any text."""
    return f"all {n:,} samples are empty"


def need_vectors(only: Collection[str]) -> bool:
    """Whether some of these indicators are read from vectors."""
    return bool(_reading("vectors", only))


def _reading(kind: GroupKind, only: Collection[str]) -> list[type[Indicator]]:
    return [metric for metric in _chosen(only) if metric.groups_of == kind and metric.evidence != "columns"]


def _chosen(only: Collection[str]) -> list[type[Indicator]]:
    return [metric for name, metric in all_indicators().items() if name in only]


def _read(
    groups: Groups[Any], form: type[Any], instruments: Instruments, metrics: Sequence[type[Indicator]]
) -> list[Reading]:
    columns = _columns(groups.members, form, instruments, metrics)
    apart: Sequence[list[float] | None] = [None] * len(metrics)
    if groups.apart is not None:
        apart = _columns(groups.apart, form, instruments, metrics)
    return [
        groups.of_values(
            metric,
            column,
            apart=column_apart,
            drawn=form.drawn if metric.of_draws else "",
            lacking=metric.lacking(instruments),
        )
        for metric, column, column_apart in zip(metrics, columns, apart, strict=True)
    ]


def _columns(
    members: Sequence[Any], form: type[Any], instruments: Instruments, metrics: Sequence[type[Indicator]]
) -> list[list[float]]:
    """The values of each indicator, one for each group."""
    columns: list[list[float]] = [[] for _ in metrics]
    for start in range(0, len(members), _GROUPS_AT_ONCE):
        some = [form(member, instruments) for member in members[start : start + _GROUPS_AT_ONCE]]
        for column, metric in zip(columns, metrics, strict=True):
            column.extend(float(metric.read(group)) for group in some)
    return columns
