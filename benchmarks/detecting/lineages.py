"""A lineage that was measured: series over generations for the rivals, readings for the guard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collapse_guard.records import Reading
from detecting.archive import Entry, read_archive
from detecting.raw import SCHEMA, Task
from detecting.series import unpacked

Floats = npt.NDArray[np.float64]
LIKELIHOOD, LOSSES = "likelihood", "perplexity"
"""The family that a guard without losses does not see, and its indicator of all documents."""


@dataclass(frozen=True, eq=False)
class Lineage:
    """The founder and its descendants."""

    entry: Entry
    """What the file holds of it."""

    @classmethod
    def read_all(cls, path: Path) -> list[Lineage]:
        """Read a file of lineages.

        Raises:
            SystemExit: There is none.
            ValueError: It was written by another version of this benchmark.
        """
        if not path.exists():
            raise SystemExit(f"{path} does not exist: `detector.py measure` makes it")
        found = [cls(entry) for entry in read_archive(path)]
        for one in found:
            if one.entry.about["schema"] != SCHEMA:
                raise ValueError(
                    f"{path} has schema {one.entry.about['schema']}, {SCHEMA} is required: simulate and measure again"
                )
        return found

    @property
    def task(self) -> Task:
        """Which lineage it is."""
        return Task(**self.entry.about["task"])

    @property
    def group(self) -> str:
        """What it is an example of."""
        return self.task.group

    @property
    def has_losses(self) -> bool:
        """Whether documents were scored."""
        return LOSSES in self.entry.about["readings"]

    def __len__(self) -> int:
        """Generations, the founder among them."""
        return len(self.entry.about["rivals"])

    def series(self, name: str) -> Floats | None:
        """One number of each generation; NaN where it has none, None where no generation has it."""
        values = [generation.get(name) for generation in self.entry.about["rivals"]]
        if all(value is None for value in values):
            return None
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    @cached_property
    def rates(self) -> Floats | None:
        """T + 1, d: nats per token of each document."""
        return np.array([one[LOSSES].replicates for one in self._readings]) if self.has_losses else None

    @cached_property
    def perplexity(self) -> Floats | None:
        """T + 1: perplexity on the wild type's evaluation documents."""
        return np.array([one[LOSSES].value for one in self._readings]) if self.has_losses else None

    def groups(self, indicator: str) -> list[tuple[float, ...]] | None:
        """What each group of samples has of an indicator, in each generation."""
        if not all(indicator in readings for readings in self._readings):
            return None
        return [readings[indicator].replicates for readings in self._readings]

    def readings(self, names: frozenset[str], *, with_losses: bool) -> Iterator[dict[str, Reading]]:
        """The readings of each generation that have one of these names."""
        for readings in self._readings:
            yield {
                name: one for name, one in readings.items() if name in names and (with_losses or _is_of_samples(one))
            }

    def reference(self, names: frozenset[str]) -> dict[str, Reading]:
        """The readings of the wild type that have one of these names."""
        kept = self.entry.about["reference"]
        (found,) = unpacked(kept["readings"], np.array(kept["numbers"], dtype=np.int64), 1)
        return {name: reading for name, reading in found.items() if name in names}

    @cached_property
    def _readings(self) -> Sequence[dict[str, Reading]]:
        return unpacked(self.entry.about["readings"], self.entry.numbers, len(self))


def _is_of_samples(reading: Reading) -> bool:
    return reading.family != LIKELIHOOD
