"""Margins: how much harm is acceptable, the noise of seeds, and the built-in tables of the policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from collapse_guard.arguments import is_number
from collapse_guard.comparison.chance import Spread, filled, quantile
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


class SliceMargin(Margin):
    """How much worse one kind of document may get beyond all others; the watch level is half, unless it is given.

    Example:
        >>> SliceMargin(margin=0.2)
        SliceMargin(margin=0.2, watch=0.1)
    """

    @model_validator(mode="before")
    @classmethod
    def _watch_is_half(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "watch" in given or not is_number(given.get("margin")):
            return given
        return {**given, "watch": given["margin"] / 2}


class SeedNoise(Setting):
    r"""The effect of another seed alone on an indicator: control retrains on real data against the founder.

    From k controls with mean m and standard deviation s, the effect of one more retrain lies above

    .. math:: m + t_{k-1,\,1-a} \sqrt{1 + 1/k}\; s

    with probability a, if effects are normal (a prediction limit; Hahn and Meeker (1991), section 4.8). Fewer than nine
    controls know too little of s, so what the policy assumes stands in for the missing ones (`comparison.chance`). One
    control is its own deviation, about no change.

    Example:
        >>> noise = SeedNoise(controls=10, mean=0.0, sd=0.01)
        >>> round(noise.limit(0.005, Direction.UP, watch=0.05) / 0.01, 2)
        3.41
    """

    controls: Annotated[int, Field(ge=1)]
    """k: number of control retrains, without the founder."""
    mean: float
    """Mean effect of the controls, in the unit of the comparison's effect; of one control, 0."""
    sd: Annotated[float, Field(ge=0.0)]
    """Standard deviation of these effects (k - 1); of one control, the size of its effect."""

    @classmethod
    def of(cls, effects: Sequence[float]) -> SeedNoise:
        """The noise of control retrains with these effects against the founder; one or more.

        Example:
            >>> SeedNoise.of([-0.02])
            SeedNoise(controls=1, mean=0.0, sd=0.02)
        """
        if len(effects) == 1:
            return cls(controls=1, mean=0.0, sd=abs(effects[0]))
        return cls(controls=len(effects), mean=float(np.mean(effects)), sd=float(np.std(effects, ddof=1)))

    @property
    def spread(self) -> Spread:
        """Spread of the effect of one more retrain about the mean."""
        if self.controls == 1:
            return Spread(self.sd, 1.0)
        return Spread(self.sd * math.sqrt(1.0 + 1.0 / self.controls), self.controls - 1.0)

    def limit(self, level: float, direction: Direction, *, watch: float) -> float:
        """Harm that another seed exceeds with probability `level`, which two-sided harm divides among its sides.

        Args:
            level: The probability.
            direction: Which way is harm.
            watch: The policy's watch level, as an effect.
        """
        one_side = level / 2 if direction is Direction.BOTH else level
        spread = filled(self.spread, watch=watch, level=one_side)
        return direction.sign(self.mean) * self.mean + quantile(one_side, spread.freedom) * spread.sd


class Limits(NamedTuple):
    """Limits of acceptable harm for one comparison, as effects."""

    margin: float
    watch: float
    seeds: float | None
    """Limit that seeds alone do not reach; None if it was not measured."""


DRIFT = {
    "default": Margin(margin=0.10, watch=0.05),
    "perplexity": Margin(margin=0.10, watch=0.04),
    "reverse_perplexity": Margin(margin=0.10, watch=0.04),
    "tail_gap": Margin(margin=0.10, watch=0.02),
    "reverse_tail_loss": Margin(margin=0.10, watch=0.02),
    "worst_slice_loss": Margin(margin=0.35, watch=0.05),
    "worst_slice_reverse": Margin(margin=0.35, watch=0.05),
    "rare_coverage": Margin(margin=1.0, watch=0.5),
    "rare_mass": Margin(margin=1.0, watch=0.5),
    "effective_rank": Margin(margin=0.15, watch=0.075),
    # Half of the variance; a third less.
    "narrowest_column": Margin(margin=1.0, watch=0.5),
    "vendi": Margin(margin=0.15, watch=0.075),
    "repetition": Margin(margin=0.5, watch=0.2),
    # Half of the real rows; a fifth less. Retraining moved it by up to 16% in healthy lineages (docs/vectors.md).
    "real_equivalent": Margin(margin=1.0, watch=0.25),
    # Compared by difference: shares of samples, of the pairs of words of real text, and of runs of tokens.
    "empty_samples": Margin(margin=0.05, watch=0.02),
    "lost_ngrams": Margin(margin=0.08, watch=0.04),
    "copied_ngrams": Margin(margin=0.05, watch=0.02),
}
LIKE_THE_DEFAULT = ("perplexity", "reverse_perplexity")
"""Whose margin is that of the default, so that a policy with a default of its own need not name them."""
DISTANCE = {
    "default": Margin(margin=4.0, watch=1.0),
    "rare_coverage": Margin(margin=19.0, watch=4.0),
    "rare_mass": Margin(margin=19.0, watch=4.0),
    "real_equivalent": Margin(margin=19.0, watch=4.0),
    # A small model learns from samples of any model far less than from as much real text: three times, ten times.
    "reverse_perplexity": Margin(margin=9.0, watch=2.0),
    # Compared by difference: a half, a fifth.
    "empty_samples": Margin(margin=0.2, watch=0.05),
    "lost_ngrams": Margin(margin=0.7, watch=0.5),
    "mmd": Margin(margin=0.5, watch=0.2),
    "copied_ngrams": Margin(margin=0.5, watch=0.2),
    "near_duplicates": Margin(margin=0.5, watch=0.2),
    "fixation_index": Margin(margin=0.5, watch=0.2),
}
