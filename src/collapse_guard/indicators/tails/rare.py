"""Tails: whether rare words and n-grams still occur, how often, and how much is still unseen. Rare things vanish first.

Two kinds of ids: type ids, where all words that the wild type does not know are `UNKNOWN`, and word ids, any int64,
where each different word has an id of its own.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.counts import Values, ratio
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import WordGroup
from collapse_guard.records.readings import Direction

UNKNOWN = -1
"""Type id of a word that the wild type does not know."""


def count_types(types: Values, n_types: int) -> Tensor:
    """Count the occurrences of each type id: `n_types` + 1 counts, the last one of unknown types.

    Args:
        types: 1-D ids from 0 to `n_types` - 1, or `UNKNOWN`.
        n_types: Number of known types.

    Raises:
        InputError: An id is out of range.

    Example:
        >>> count_types([0, 2, 2, UNKNOWN], n_types=3)
        tensor([1, 0, 2, 1])
    """
    ids = torch.as_tensor(types).reshape(-1).long()
    if ids.numel() and not UNKNOWN <= int(ids.min()) <= int(ids.max()) < n_types:
        raise InputError(
            f"`types` must be from 0 to {n_types - 1}, or {UNKNOWN} for unknown words, "
            f"but got {int(ids.min())} to {int(ids.max())}"
        )
    return torch.bincount(torch.where(ids == UNKNOWN, n_types, ids), minlength=n_types + 1)


def rare_coverage(counts: Tensor, rare: Values) -> float:
    r"""Share of the wild type's frozen rare types that occur at all: `|{r in rare : count_r > 0}| / |rare|`.

    Range: [0, 1]. Collapse: down. Undefined (NaN) where nothing is rare. It grows with the number of occurrences
    looked at, so compare it at equal numbers only. O(V) for V types.

    Args:
        counts: V + 1 occurrences by type, the last of unknown types (`count_types`).
        rare: r: ids of the rare types.

    Source: tail coverage; Good (1953), Biometrika 40:237 for why rare types are the first to go.

    Example:
        >>> rare_coverage(count_types([0, 0, 2], n_types=4), rare=[2, 3])
        0.5
    """
    present = counts[torch.as_tensor(rare, dtype=torch.long)] > 0
    return ratio(int(present.sum()), len(present))


def rare_mass(counts: Tensor, rare: Values) -> float:
    r"""Share of all occurrences that belong to the wild type's frozen rare types: `sum_rare count / sum count`.

    Range: [0, 1]. Collapse: down. Unknown words count as occurrences, so noise does not hide a loss. Undefined (NaN)
    without occurrences or where nothing is rare. Its expectation does not depend on the number of occurrences. O(V)
    for V types.

    Args:
        counts: V + 1 occurrences by type, the last of unknown types (`count_types`).
        rare: r: ids of the rare types.

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails).

    Example:
        >>> rare_mass(count_types([0, 0, 2, UNKNOWN], n_types=4), rare=[2, 3])
        0.25
    """
    rare_counts, total = counts[torch.as_tensor(rare, dtype=torch.long)], int(counts.sum())
    return ratio(int(rare_counts.sum()), total) if len(rare_counts) else math.nan


class TailIndicator(Indicator):
    """What the indicators of the tails family declare alike."""

    family = "tails"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "words"
    definitions: ClassVar[tuple[int, ...]] = (7,)


class _TypeCounts(TailIndicator):
    """Counts of type ids. Both indicators read the same, so a MetricCollection may share the state."""

    cost = "O(N + V) for N words and V known types"
    misses = "whether the rare words stand where they make sense"

    @classmethod
    def read(cls, group: WordGroup) -> float:
        """Value of a group."""
        return cls.formula(torch.from_numpy(group.counts), group.instruments.of(_rare))

    @classmethod
    def lacking(cls, instruments: Instruments) -> str:
        """Where no word of the wild type is rare."""
        n_known = len(instruments.word_ids)
        return "" if len(instruments.of(_rare)) else f"no word of the wild type is rare: each of {n_known:,} comes once"

    def __init__(self, rare: Values, n_types: int, **kwargs: Any) -> None:
        """Begin without occurrences."""
        super().__init__(**kwargs)
        self.rare, self.n_types = tuple(torch.as_tensor(rare).long().tolist()), n_types
        self._add_count("type_counts", n_types + 1)

    def update(self, types: Tensor) -> None:
        """Add occurrences."""
        self._add_up(count_types(types, self.n_types).to(self.device))

    def compute(self) -> Tensor:
        """Value of everything since the last reset."""
        return self._scalar(self.formula(*self._totals, self.rare))


class RareCoverage(_TypeCounts):
    """Share of rare types that occur, over batches of type ids; see `rare_coverage`.

    As input to `update`: `types`, ids of any shape, `UNKNOWN` (-1) for unknown words. The state is one int64 per
    type. Value: float64.

    Args:
        rare: Ids of the rare types.
        n_types: Number of known types.

    Example:
        >>> metric = RareCoverage(rare=[2, 3], n_types=4)
        >>> metric.update(torch.tensor([0, 0, 2]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "rare_coverage", 10
    unit = "share of rare words"
    undefined = "no word of the wild type is rare"
    formula = staticmethod(rare_coverage)


class RareMass(_TypeCounts):
    """Share of occurrences that are of rare types, over batches of type ids; see `rare_mass`.

    As input to `update`: `types`, ids of any shape, `UNKNOWN` (-1) for unknown words. The state is one int64 per
    type. Value: float64.

    Args:
        rare: Ids of the rare types.
        n_types: Number of known types.

    Example:
        >>> metric = RareMass(rare=[2, 3], n_types=4)
        >>> metric.update(torch.tensor([0, 0, 2, -1]))
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    name, place = "rare_mass", 20
    unit = "share of words"
    undefined = "no word of the wild type is rare, or there are no words"
    formula = staticmethod(rare_mass)


def _rare(instruments: Instruments) -> IntArray:
    """Ids of the rare words."""
    return np.array(sorted(instruments.word_ids[word] for word in instruments.wild_type.rare_words), dtype=np.int64)
