"""A reading against its baseline."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from collapse_guard.records.chance import Chance, Growth
from collapse_guard.records.readings import Direction
from collapse_guard.records.record import Record
from collapse_guard.records.scale import EffectScale

Baseline = Literal["founder", "parent", "wild_type"]


class Comparison(Record):
    """A reading against its baseline. Harm is the effect in the direction of collapse."""

    indicator: str
    """Name of the indicator."""
    baseline: Baseline
    """What it is compared with."""
    baseline_generation: int | None = None
    """Index of the founder or parent; None for the wild type."""
    observed: float
    """Value of this generation, on the documents or groups that were compared."""
    reference: float
    """Value of the baseline, on the same documents or on its own groups."""
    scale: EffectScale = EffectScale.LOG_RATIO
    """What the values are, and so what the effect is."""
    effect: float
    """ln(observed / reference) on a relative scale, observed - reference on the others."""
    effect_unit: str = "log ratio"
    """Unit of effect, standard_error, low, high, margin and watch: the indicator's, but on a relative scale."""
    standard_error: float
    """Standard error of the effect."""
    degrees_of_freedom: float
    """Degrees of freedom of the t distribution that the interval and the p-values use."""
    low: float
    """Lower end of the two-sided interval of the effect at `level`."""
    high: float
    """Upper end of the interval."""
    level: float
    """Confidence level of the interval."""
    direction: Direction
    """Which way is collapse."""
    margin: float
    """How much harm is still acceptable, in the unit of the effect."""
    watch: float
    """How much harm gives a WATCH, in the unit of the effect."""
    p_beyond_margin: float
    """p-value against "harm is at most the margin": small means collapsed."""
    p_beyond_watch: float
    """p-value against "harm is at most the watch level". It decides where folds rotate, and on founders; elsewhere harm
    beyond `watch` is a WATCH, because `chance` is part of that level."""
    p_within_margin: float
    """p-value against "harm is at least the margin": small means shown to be acceptable."""
    method: str
    """Name of the test."""
    n: int
    """Replicates of this generation."""
    n_reference: int
    """Replicates of the baseline."""
    n_counted: float | None = None
    """As how many replicates of this generation the intervals count them, because samples are copies; None: as `n`."""
    n_needed: int | None = None
    """Samples or documents that would decide at 80% power; None: it is decided, or no number would."""
    detectable: float | None = None
    """Smallest harm that would be found beyond the margin at this n with 80% power, in the unit of the effect; None:
    not known."""
    e_beyond_margin: float | None = None
    """e-value against "harm is at most the margin": evidence that multiplies over generations judged on different
    documents; None if the method gives none."""
    e_beyond_watch: float | None = None
    """e-value against "harm is at most the watch level"."""
    chance: Chance | None = None
    """What chance alone does to the effect; None: an earlier version made the comparison, or it is not of drift."""
    growth: Growth | None = None
    """Whether the effect grows over the generations; None: too few of them are known."""
    slice: str = ""
    """The slice that it is about: the worst of `n_slices`; empty: it is about all documents or samples."""
    n_slices: int = 0
    """How many slices were compared, each with the others."""
    examples: tuple[str, ...] = ()
    """Openings of two documents of the slice."""
    seed_limit: float | None = None
    """Harm that another seed alone does not reach in any generation of the horizon; None: not measured."""
    replicate: str = ""
    """What n counts: "document", "4096 tokens"."""
    left_out: int = 0
    """Documents that are left out on both sides, because the founder was trained on them or cannot be shown not to have
    been."""
    without_worst: int = 0
    """So many of the documents, those with most harm, are left out of the evidence that harm is beyond margin or watch
    level: the founder may have been trained on as many more."""
    seed: int | None = None
    """Seed of a randomised method; None if nothing was drawn."""
    decides: bool = True
    """Whether the verdict rests on it; the others are shown."""

    @model_validator(mode="before")
    @classmethod
    def _with_a_scale(cls, fields: Any) -> Any:
        """Comparisons of earlier versions have none: there the unit of the effect stood for it."""
        if not isinstance(fields, dict) or "scale" in fields:
            return fields
        unit = fields.get("effect_unit", "log ratio")
        known = {"log ratio": EffectScale.LOG_RATIO, "nats per token": EffectScale.LOG}
        rest = EffectScale.SHARE if unit.startswith("share") else EffectScale.ABSOLUTE
        return {**fields, "scale": known.get(unit, rest)}

    @property
    def watch_by_chance(self) -> bool:
        """Whether what chance alone does replaces the policy's watch level, because it is larger."""
        return self.chance is not None and self.chance.watch >= self.watch

    @property
    def margin_by_chance(self) -> bool:
        """Whether what chance alone does replaces the policy's margin, because it is larger."""
        return self.chance is not None and self.chance.margin >= self.margin

    @property
    def margin_by_seeds(self) -> bool:
        """Whether the limit of seed noise replaces the policy's margin, because it is larger."""
        return self.seed_limit is not None and self.seed_limit >= self.margin

    @property
    def beyond_seeds(self) -> bool:
        """Whether harm exceeds the limit of seed noise."""
        return self.seed_limit is not None and self.harm > self.seed_limit

    @property
    def harm(self) -> float:
        """The effect with the sign such that positive is toward collapse."""
        return self.direction.sign(self.effect) * self.effect
