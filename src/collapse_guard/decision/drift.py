"""Drift: a generation against its founder, with what chance alone does to the effect, and the worst slice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from collapse_guard.comparison.compare import compare, contrast_of, obstacle
from collapse_guard.comparison.slices import slice_readings, spread_between, worst_of
from collapse_guard.decision.chances import Chances
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.saturation import says_nothing
from collapse_guard.records import Assessment, Comparison, Reading
from collapse_guard.records.readings import Readings


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
    """The generations between the founder and this one, oldest first: their effects show the noise of retraining."""
    founder: int = 0
    """Number of the founder."""

    def comparisons(self, readings: Readings, founder: Readings, deciding: Collection[str]) -> list[Comparison]:
        """All comparisons that can be made.

        Args:
            readings: Of this generation.
            founder: Of its founder.
            deciding: Names of those that may decide.
        """
        return [
            self._compare(reading, founder[name], decides=name in deciding and name in self.policy.decides)
            for name, reading in readings.items()
            if name in founder and not obstacle(reading, founder[name])
        ]

    def _compare(self, reading: Reading, founder: Reading, *, decides: bool) -> Comparison:
        name = reading.indicator
        chances = Chances(
            watch_level=self.watch_level,
            margin_level=self.policy.alpha / self.policy.horizon / max(1, len(self.policy.decides)),
            past=self._past(name),
            controls=self.policy.seed_noise.get(name),
        )
        if reading.slices:
            return self._worst_slice(reading, founder, chances, decides=decides)
        limits = self.policy.limits(name, "founder", direction=reading.direction, scale=reading.scale)
        return compare(
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
        )

    def _worst_slice(self, reading: Reading, founder: Reading, chances: Chances, *, decides: bool) -> Comparison:
        here, there = slice_readings(reading), slice_readings(founder)
        contrasts = {name: contrast_of(here[name], there[name]) for name in here if name in there}
        effects = {name: contrast.effect for name, contrast in contrasts.items()}
        errors = {name: contrast.standard_error for name, contrast in contrasts.items()}
        n = len(contrasts)
        comparisons = {}
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
            )
        return worst_of(comparisons)

    def _past(self, indicator: str) -> tuple[float, ...]:
        """The effects of the generations before; of slices there are none, because each may be of another slice."""
        return tuple(
            comparison.effect
            for past in self.history
            for comparison in past.comparisons
            if (comparison.indicator, comparison.baseline) == (indicator, "founder") and not comparison.slice
        )
