"""Margins: how much harm is acceptable, the noise of seeds, and the built-in tables of the policy."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import stdtrit

from collapse_guard.records import Direction, EffectScale


class Setting(BaseModel):
    """Base class of all settings: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Margin(Setting):
    """How much harm is acceptable, and how much gives a WATCH.

    Example:
        >>> round(Margin(margin=0.10, watch=0.05).effects()[0], 4)
        0.0953
    """

    margin: Annotated[float, Field(gt=0.0)]
    """Acceptable harm as a fraction: 0.10 accepts a perplexity 10% higher, or a diversity 1.10 times lower."""
    watch: Annotated[float, Field(gt=0.0)]
    """Harm above which the verdict is WATCH; at most `margin`."""

    @model_validator(mode="after")
    def _watch_comes_first(self) -> Self:
        if self.watch > self.margin:
            raise ValueError(f"`watch` must be at most `margin` ({self.margin:g}), but got {self.watch:g}")
        return self

    def effects(self, scale: EffectScale = EffectScale.LOG_RATIO) -> tuple[float, float]:
        """Margin and watch level as effects on a scale."""
        return scale.effect_of(self.margin), scale.effect_of(self.watch)


class TaskMargin(Margin):
    """How far a task's mean score may fall, in its unit: 0.05 accepts a fall from 0.80 to 0.75.

    Example:
        >>> TaskMargin().effects(EffectScale.ABSOLUTE)
        (0.05, 0.02)
    """

    margin: Annotated[float, Field(gt=0.0)] = 0.05
    """Acceptable fall of the mean score; a rise, where lower is better."""
    watch: Annotated[float, Field(gt=0.0)] = 0.02
    """Fall from which on the verdict is WATCH; at most `margin`."""


class SeedNoise(Setting):
    r"""The effect of another seed alone on an indicator: control retrains on real data against the founder.

    From k controls with mean m and standard deviation s, the effect of one more retrain lies above

    .. math:: m + t_{k-1,\,1-a} \sqrt{1 + 1/k}\; s

    with probability a, if effects are normal (a prediction limit; Hahn and Meeker (1991), section 4.8).

    Example:
        >>> noise = SeedNoise(controls=5, mean=0.0, sd=0.01)
        >>> round(noise.limit(0.005, Direction.UP) / 0.01, 2)
        5.04
    """

    controls: Annotated[int, Field(ge=2)]
    """k: number of control retrains, without the founder."""
    mean: float
    """Mean effect of the controls, in the unit of the comparison's effect."""
    sd: Annotated[float, Field(ge=0.0)]
    """Standard deviation of these effects (k - 1)."""

    def limit(self, level: float, direction: Direction) -> float:
        """Harm that another seed exceeds with probability `level`, which two-sided harm divides among its sides."""
        one_side = level / 2 if direction is Direction.BOTH else level
        quantile = -float(stdtrit(self.controls - 1, one_side))
        return direction.sign(self.mean) * self.mean + quantile * math.sqrt(1.0 + 1.0 / self.controls) * self.sd


class Limits(NamedTuple):
    """Limits of acceptable harm for one comparison, as effects."""

    margin: float
    watch: float
    seeds: float | None
    """Limit that seeds alone do not reach; None if it was not measured."""


DRIFT = {
    "default": Margin(margin=0.10, watch=0.05),
    "rare_coverage": Margin(margin=1.0, watch=0.5),
    "rare_mass": Margin(margin=1.0, watch=0.5),
    "effective_rank": Margin(margin=0.15, watch=0.075),
    "vendi": Margin(margin=0.15, watch=0.075),
    "repetition": Margin(margin=0.5, watch=0.2),
    # Compared by difference: shares of samples, of the pairs of words of real text, and of runs of tokens.
    "empty_samples": Margin(margin=0.05, watch=0.02),
    "lost_ngrams": Margin(margin=0.08, watch=0.04),
    "copied_ngrams": Margin(margin=0.05, watch=0.02),
}
DISTANCE = {
    "default": Margin(margin=4.0, watch=1.0),
    "rare_coverage": Margin(margin=19.0, watch=4.0),
    "rare_mass": Margin(margin=19.0, watch=4.0),
    # Compared by difference: a half, a fifth.
    "empty_samples": Margin(margin=0.2, watch=0.05),
    "lost_ngrams": Margin(margin=0.7, watch=0.5),
    "mmd": Margin(margin=0.5, watch=0.2),
    "copied_ngrams": Margin(margin=0.5, watch=0.2),
    "near_duplicates": Margin(margin=0.5, watch=0.2),
    "fixation_index": Margin(margin=0.5, watch=0.2),
}
