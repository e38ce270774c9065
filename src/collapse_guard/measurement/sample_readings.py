"""Readings of generated samples: each group is given to the indicators that read its kind (`Indicator.read`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.base import GroupKind, Indicator, all_indicators
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import TextGroup, TokenGroup, VectorGroup, WordGroup
from collapse_guard.measurement.replicates import Groups
from collapse_guard.records import Reading

_GROUPS_AT_ONCE = 64
"""Groups that an indicator reads one after the other: what it looks up stays in the cache of the processor. They are
then let go, because the counts of all groups together would be far larger than the samples."""
_FORMS: dict[GroupKind, Any] = {"tokens": TokenGroup, "words": WordGroup, "samples": TextGroup, "vectors": VectorGroup}


def group_readings(
    kind: GroupKind, groups: Groups[Any], instruments: Instruments, only: Collection[str]
) -> list[Reading]:
    """Readings of groups of tokens, of words (given as `Instruments.types`), of texts, or of vectors."""
    return _read(groups, _FORMS[kind], instruments, _reading(kind, only))


def row_readings(groups: Groups[FloatArray], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of samples that are rows: as vectors, and what rows have in common with texts."""
    of_rows = [metric for metric in _chosen(only) if metric.reads_rows or metric.groups_of == "vectors"]
    return _read(groups, VectorGroup, instruments, of_rows)


def need_vectors(only: Collection[str]) -> bool:
    """Whether some of these indicators are read from vectors."""
    return bool(_reading("vectors", only))


def _reading(kind: GroupKind, only: Collection[str]) -> list[type[Indicator]]:
    return [metric for metric in _chosen(only) if metric.groups_of == kind]


def _chosen(only: Collection[str]) -> list[type[Indicator]]:
    return [metric for name, metric in all_indicators().items() if name in only]


def _read(
    groups: Groups[Any], form: type[Any], instruments: Instruments, metrics: Sequence[type[Indicator]]
) -> list[Reading]:
    columns: list[list[float]] = [[] for _ in metrics]
    for start in range(0, len(groups.members), _GROUPS_AT_ONCE):
        some = [form(member, instruments) for member in groups.members[start : start + _GROUPS_AT_ONCE]]
        for column, metric in zip(columns, metrics, strict=True):
            column.extend(float(metric.read(group)) for group in some)
    return [
        groups.of_values(metric, column, drawn=form.drawn if metric.of_draws else "")
        for metric, column in zip(metrics, columns, strict=True)
    ]
