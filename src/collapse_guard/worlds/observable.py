"""Observables: what a world shows of its lineages, each with its closed form if one is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from collapse_guard.arrays import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Observable:
    """One number of each generation of each lineage.

    Example:
        >>> variance = Observable(name="variance", values=np.array([[1.0, 0.5], [1.0, 0.7]]))
        >>> variance.mean.tolist()
        [1.0, 0.6]
        >>> variance.quantile(0.9).tolist()
        [1.0, 0.7]
    """

    name: str
    """Name of the quantity."""
    values: FloatArray
    """[lineages, generations + 1]: column t is generation t, column 0 the founder."""
    expected: FloatArray | None = None
    """[generations + 1]: expectation over lineages; None: no closed form is known under this workflow."""
    is_limit: bool = False
    """Whether `expected` is a limit for many samples instead of exact."""

    @classmethod
    def with_law(
        cls, name: str, values: FloatArray, law: Callable[[int], float | None], *, is_limit: bool = False
    ) -> Observable:
        """An observable with its law of the number of fits, of which generation t has t + 1.

        Example:
            >>> Observable.with_law("variance", np.zeros((9, 3)), lambda fits: 0.5**fits).expected.tolist()
            [0.5, 0.25, 0.125]
        """
        known = [value for fits in range(1, values.shape[1] + 1) if (value := law(fits)) is not None]
        expected = np.array(known, dtype=np.float64) if len(known) == values.shape[1] else None
        return cls(name=name, values=values, expected=expected, is_limit=is_limit)

    @property
    def mean(self) -> FloatArray:
        """[generations + 1]: mean over lineages."""
        return np.asarray(self.values.mean(axis=0))

    def quantile(self, level: float) -> FloatArray:
        """[generations + 1]: the smallest value that this share of the lineages does not exceed."""
        place = max(0, math.ceil(level * len(self.values)) - 1)  # not between two values: one may be infinite
        return np.asarray(np.sort(self.values, axis=0)[place])

    def to_dict(self) -> dict[str, Any]:
        """Mean, middle 80% and law as plain JSON types; a number that is not finite is a string, as in all records."""
        return {
            "name": self.name,
            "mean": _plain(self.mean),
            "low_10": _plain(self.quantile(0.1)),
            "high_90": _plain(self.quantile(0.9)),
            "closed_form": None if self.expected is None else _plain(self.expected),
            "is_limit": self.is_limit,
        }


def _plain(values: FloatArray) -> list[float | str]:
    names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return [names.get(str(value), value) for value in values.tolist()]


class Lineages(Protocol):
    """Simulated lineages of any world."""

    @property
    def observables(self) -> tuple[Observable, ...]:
        """Their observables, the most informative first."""
