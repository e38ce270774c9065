"""Drift: a generation against its founder, with what chance alone does to the effect, and the worst slice."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from collapse_guard.comparison.compare import compare, contrast_of, obstacle
from collapse_guard.comparison.slices import slice_readings, spread_between, worst_of
from collapse_guard.comparison.trend import theil_sen
from collapse_guard.decision.chances import Chances
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.saturation import says_nothing
from collapse_guard.decision.unseen import ALL, Sides, Unseen
from collapse_guard.records import Assessment, Comparison, Growth
from collapse_guard.records.readings import Readings

FEWEST_BEFORE = 3
"""Earlier generations that show whether an effect grows."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How a generation is compared with its founder."""

    policy: Policy
    """Margins, watch levels and error budgets."""
    alert_level: float
    """Probability of a false COLLAPSED that one indicator may spend."""
    watch_level: float
    """Probability of a false WATCH that one indicator may spend."""
    history: Sequence[Assessment]
    """The generations from the founder on, oldest first: their effects show the noise of retraining."""
    founder: int = 0
    """Number of the founder."""
    unseen: Unseen = ALL
    """The documents that the founder was not trained on."""

    def comparisons(self, readings: Readings, founder: Readings, deciding: Collection[str]) -> list[Comparison]:
        """All comparisons that can be made.

        Args:
            readings: Of this generation.
            founder: Of its founder.
            deciding: Names of those that may decide.
        """
        found = []
        for name, reading in readings.items():
            if name not in founder or obstacle(reading, founder[name]):
                continue
            sides = self.unseen.of(reading, founder[name])
            compared = self._compare(sides, decides=name in deciding and name in self.policy.decides)
            found += [] if compared is None else [compared.model_copy(update={"left_out": sides.left_out})]
        return found

    def _compare(self, sides: Sides, *, decides: bool) -> Comparison | None:
        reading, founder = sides.here, sides.founder
        name = reading.indicator
        chances = Chances(
            watch_level=self.watch_level,
            margin_level=self.policy.alpha / self.policy.horizon / max(1, len(self.policy.decides)),
            past=tuple(self._before(name).values()),
        )
        if reading.slices:
            return self._worst_slice(sides, chances, decides=decides)
        limits = self.policy.limits(name, "founder", direction=reading.direction, scale=reading.scale)
        compared = compare(
            reading,
            founder,
            baseline="founder",
            baseline_generation=self.founder,
            margin=limits.margin,
            watch=limits.watch,
            level=self.policy.confidence,
            alert_level=self.alert_level,
            decides=decides and not says_nothing(reading, founder),
            seed_limit=limits.seeds,
            chance=partial(chances.of, reading, founder, watch=limits.watch),
            without_worst=sides.without_worst,
        )
        return self._with_growth(compared)

    def _worst_slice(self, sides: Sides, chances: Chances, *, decides: bool) -> Comparison | None:
        """The slice with most harm; None where there are not two slices on both sides."""
        reading, founder = sides.here, sides.founder
        here, there = slice_readings(reading), slice_readings(founder)
        contrasts = {name: contrast_of(here[name], there[name]) for name in here if name in there}
        effects = {name: contrast.effect for name, contrast in contrasts.items()}
        errors = {name: contrast.standard_error for name, contrast in contrasts.items()}
        n = len(contrasts)
        comparisons = dict[str, Comparison]()
        for name in contrasts:
            limits = self.policy.slice_limits(reading.indicator, name, scale=reading.scale)
            others = spread_between(effects, errors, name)
            comparisons[name] = compare(
                here[name],
                there[name],
                baseline="founder",
                baseline_generation=self.founder,
                margin=limits.margin,
                watch=limits.watch,
                level=1.0 - (1.0 - self.policy.confidence) / n,
                alert_level=self.alert_level / n,
                decides=decides,
                chance=partial(
                    chances.of, reading, founder, watch=limits.watch, others=others, slice_=name, n_slices=n
                ),
                without_worst=sides.without_worst,
            )
        if not comparisons:
            return None
        worst = worst_of(comparisons)
        shown = reading.examples.get(worst.slice, ())
        return self._with_growth(worst.model_copy(update={"examples": shown}))

    def _with_growth(self, comparison: Comparison) -> Comparison:
        """Add whether the effect grows; of a slice, over the generations in which it was the worst one."""
        before = self._before(comparison.indicator, comparison.slice)
        if len(before) < FEWEST_BEFORE:
            return comparison
        sign = comparison.direction.sign(comparison.effect)
        since = min(before)
        harms = [sign * before.get(t, math.nan) for t in range(since, max(before) + 1)] + [sign * comparison.effect]
        trend = theil_sen(harms)
        growth = Growth(slope=trend.slope, since=since, grows=trend.low > 0.0)
        return comparison if math.isnan(trend.slope) else comparison.model_copy(update={"growth": growth})

    def _before(self, indicator: str, slice_: str = "") -> dict[int, float]:
        """Number of each generation before -> its effect against the founder."""
        return {
            past.generation.index: comparison.effect
            for past in self.history
            for comparison in past.comparisons
            if (comparison.indicator, comparison.baseline, comparison.slice) == (indicator, "founder", slice_)
        }
