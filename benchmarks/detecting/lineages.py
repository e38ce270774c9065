"""A lineage as it was written down: series over generations for the rivals, readings for the guard."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.evidence import Losses
from collapse_guard.measurement.loss_readings import loss_readings
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.records import Reading, TailStratum
from detecting.simulating import SCHEMA, Json, Task

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lineage:
    """The founder and its descendants."""

    body: Json
    """The content of the file."""

    @classmethod
    def read(cls, path: Path) -> Lineage:
        """Read the file of one lineage.

        Raises:
            ValueError: It was written by another version of this benchmark.
        """
        body = json.loads(gzip.decompress(path.read_bytes()))
        if body.get("schema") != SCHEMA:
            raise ValueError(f"{path} has schema {body.get('schema')!r}, {SCHEMA} is required: simulate again")
        return cls(body)

    @property
    def task(self) -> Task:
        """Which lineage it is."""
        return Task(**self.body["task"])

    @property
    def group(self) -> str:
        """What it is an example of."""
        return self.task.group

    @property
    def has_losses(self) -> bool:
        """Whether documents were scored."""
        return "documents" in self.body

    def __len__(self) -> int:
        """Generations, the founder among them."""
        return len(self.body["generations"])

    def series(self, name: str) -> Floats | None:
        """One number of each generation; NaN where it has none, None where no generation has it."""
        values = [generation.get(name) for generation in self.body["generations"]]
        if all(value is None for value in values):
            return None
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    @cached_property
    def rates(self) -> Floats | None:
        """T + 1, d: nats per token of each document."""
        if not self.has_losses:
            return None
        rates: Floats = np.array([one["nll"] for one in self.body["generations"]]) / np.array(self.body["n_tokens"])
        return rates

    @cached_property
    def perplexity(self) -> Floats | None:
        """T + 1: perplexity on the wild type's evaluation documents."""
        if self.rates is None:
            return None
        weights = np.array(self.body["n_tokens"], dtype=np.float64)
        found: Floats = np.exp(self.rates @ weights / weights.sum())
        return found

    def groups(self, indicator: str) -> list[tuple[float, ...]] | None:
        """What each group of samples has of an indicator, in each generation."""
        readings = [one["readings"].get(indicator) for one in self.body["generations"]]
        return None if None in readings else [tuple(map(float, reading["replicates"])) for reading in readings]

    @cached_property
    def stratum(self) -> TailStratum | None:
        """The tail, frozen at the founder."""
        return freeze_tail(self._losses(0)) if self.has_losses else None

    def readings(self, names: frozenset[str], *, with_losses: bool) -> Iterator[dict[str, Reading]]:
        """The readings of each generation that have one of these names."""
        for index, generation in enumerate(self.body["generations"]):
            found = _records(generation["readings"], names)
            if with_losses:
                found |= {one.indicator: one for one in loss_readings(self._losses(index), self.stratum)}
            yield {name: reading for name, reading in found.items() if name in names}

    def reference(self, names: frozenset[str]) -> dict[str, Reading]:
        """The readings of the wild type that have one of these names."""
        return _records(self.body["reference"], names)

    def _losses(self, index: int) -> Losses:
        body = self.body
        return Losses(
            documents=tuple(body["documents"]),
            nll=np.array(body["generations"][index]["nll"]),
            n_tokens=np.array(body["n_tokens"]),
            n_bytes=np.array(body["n_bytes"]),
        )


def _records(readings: dict[str, Any], names: frozenset[str]) -> dict[str, Reading]:
    return {name: Reading.from_dict(reading) for name, reading in readings.items() if name in names}
