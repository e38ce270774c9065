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
    # A group is read by all and let go: the counts of all groups together would be far larger than the samples.
    columns: list[list[float]] = [[] for _ in metrics]
    for member in groups.members if metrics else ():
        group = form(member, instruments)
        for column, metric in zip(columns, metrics, strict=True):
            column.append(float(metric.read(group)))
    return [
        groups.of_values(metric, column, drawn=form.drawn if metric.of_draws else "")
        for metric, column in zip(metrics, columns, strict=True)
    ]
