"""What the indicators of the diversity family declare and do alike."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.samples import TokenGroup
from collapse_guard.records import Direction, EffectScale


class DiversityIndicator(Indicator):
    """Base of indicators of diversity; most are read from tokens, in groups of equal size."""

    family = "diversity"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "tokens"
    cost = "O(N log N) for N tokens"
    definitions: ClassVar[tuple[int, ...]] = (4, 6)


class FaultShare(DiversityIndicator):
    """Base of shares of all samples that have a fault; `_states` are how many have it, and how many there are."""

    unit = "share of samples"
    direction = Direction.UP
    scale: ClassVar[EffectScale] = EffectScale.SHARE
    undefined = "there are no samples"
    evidence: ClassVar[EvidenceKind] = "whole"
    counts_faults = True
    minimum_n = 32
    cost = "O(n) for n samples"
    definitions: ClassVar[tuple[int, ...]] = (8,)

    def compute(self) -> Tensor:
        """The share of everything since the last reset; NaN without samples."""
        return self._scalar(ratio(*map(int, self._totals)))


class FixedOrder(DiversityIndicator):
    """Base of an indicator of n-grams of one length; comes before the class that takes the length as its `n`."""

    order: ClassVar[int]
    """n."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A sample counts from n tokens on."""
        super().__init_subclass__(**kwargs)
        cls.shortest = getattr(cls, "order", 1)

    @classmethod
    def read(cls, group: TokenGroup) -> float:
        """Value of a group."""
        return cls.formula(group.tokens, cls.order)

    def __init__(self, *settings: Any, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(self.order, *settings, **kwargs)  # type: ignore[call-arg]  # the next class takes n
