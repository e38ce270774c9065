"""How two values of an indicator are compared, and how their difference is shown."""

from __future__ import annotations

import math
from enum import StrEnum


class EffectScale(StrEnum):
    """What the values of an indicator are. An indicator declares it; no unit is ever read to find it out.

    | scale         | a value is                              | an effect is     | shown       | 0.10 in a policy |
    |---------------|-----------------------------------------|------------------|-------------|------------------|
    | `LOG_RATIO`   | an amount above 0                       | log of the ratio | in percent  | ln 1.10          |
    | `EXPONENTIAL` | exp of a mean of nats: a perplexity     | log of the ratio | in percent  | ln 1.10          |
    | `LOG`         | a natural logarithm: a loss, an entropy | the difference   | in its unit | ln 1.10          |
    | `ABSOLUTE`    | a number that may be 0 or negative      | the difference   | in its unit | 0.10             |
    | `SHARE`       | a share that may be 0                   | the difference   | in points   | 0.10             |

    Example:
        >>> [round(scale.moved(2.0, 0.1), 3) for scale in (EffectScale.LOG_RATIO, EffectScale.ABSOLUTE)]
        [2.21, 2.1]
    """

    LOG_RATIO = "log_ratio"
    EXPONENTIAL = "exponential"
    LOG = "log"
    ABSOLUTE = "absolute"
    SHARE = "share"

    @classmethod
    def _missing_(cls, value: object) -> EffectScale | None:
        return cls.LOG if value == "difference" else None  # as readings of earlier versions say

    @property
    def is_relative(self) -> bool:
        """Whether exp of an effect is the ratio of the two values."""
        return self in (EffectScale.LOG_RATIO, EffectScale.EXPONENTIAL)

    def value_of(self, mean: float) -> float:
        """The value that a mean of replicates stands for."""
        return _exp(mean) if self is EffectScale.EXPONENTIAL else mean

    def effect_between(self, value: float, reference: float) -> float:
        """The effect that takes one value to another.

        Example:
            >>> round(EffectScale.LOG_RATIO.effect_between(2.21, 2.0), 3), EffectScale.LOG.effect_between(3.5, 3.0)
            (0.1, 0.5)
        """
        return math.log(value / reference) if self.is_relative else value - reference

    def moved(self, value: float, effect: float) -> float:
        """The value that lies an effect away from another."""
        return value * _exp(effect) if self.is_relative else value + effect

    def effect_of(self, fraction: float) -> float:
        """The effect that a fraction of harm in a policy stands for."""
        return fraction if self in (EffectScale.ABSOLUTE, EffectScale.SHARE) else math.log1p(fraction)


def _exp(x: float) -> float:
    return math.inf if x >= 700.0 else math.exp(x)
