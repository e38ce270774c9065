"""Readings of generated samples: each group is given to the indicators that read its kind (`Indicator.read`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.base import GroupKind, Indicator, all_indicators
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import TextGroup, TokenGroup, VectorGroup, WordGroup
from collapse_guard.measurement.replicates import Groups, no_groups
from collapse_guard.records import Reading


def token_readings(groups: Groups[list[IntArray]], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of tokens."""
    return _read(groups, TokenGroup, instruments, _reading("tokens", only))


def word_readings(groups: Groups[list[IntArray]], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of words, given as `Instruments.types`."""
    return _read(groups, WordGroup, instruments, _reading("words", only))


def text_readings(
    groups: Groups[IntArray], texts: Sequence[str], instruments: Instruments, only: Collection[str]
) -> list[Reading]:
    """Readings of groups of texts, given as their numbers."""
    of_texts = groups.of([[texts[i] for i in group] for group in groups.members])
    return _read(of_texts, TextGroup, instruments, _reading("samples", only))


def vector_readings(groups: Groups[FloatArray], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of vectors."""
    return _read(groups, VectorGroup, instruments, _reading("vectors", only))


def row_readings(groups: Groups[FloatArray], instruments: Instruments, only: Collection[str]) -> list[Reading]:
    """Readings of groups of samples that are rows: as vectors, and what rows have in common with texts."""
    of_rows = [metric for metric in _chosen(only) if metric.reads_rows or metric.groups_of == "vectors"]
    return _read(groups, VectorGroup, instruments, of_rows)


def missing_vector_readings(n: int, size: int, problem: str, only: Collection[str]) -> list[Reading]:
    """Readings of vectors where there are none, and why."""
    groups: Groups[Any] = no_groups(n, size, problem)
    return [groups.of_values(metric, []) for metric in _reading("vectors", only)]


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
    readings = [groups.of_values(metric, column) for metric, column in zip(metrics, columns, strict=True)]
    return [
        reading.model_copy(update={"drawn": form.drawn}) if metric.of_draws else reading
        for metric, reading in zip(metrics, readings, strict=True)
    ]
