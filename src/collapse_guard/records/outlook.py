"""Genetics of a lineage, forecasts, and how much real data it needs."""

from __future__ import annotations

import math

from collapse_guard.records.record import Record, Share


class Interval(Record):
    """An estimate with its interval; an end that is not known is infinite."""

    value: float
    """The estimate."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float = 0.9
    """Confidence of the interval."""


class Inbreeding(Record):
    """How inbred a generation is, counted from the founder of its lineage."""

    fixation: Interval
    """Fixation index against the founder: the share of the founder's diversity that is lost."""
    of: str
    """What is drawn: "tokens", or "clusters" for vectors."""
    size: Interval | None = None
    """Effective size: the number of draws per generation with which drift alone would lose as much; None: too few
    generations."""
    expected: float | None = None
    """Fixation index that chance alone gives for the recorded pedigree, if whole documents are drawn; None: sizes of
    training sets are not known."""
    fitness: float | None = None
    """Relative fitness: the founder's perplexity divided by the generation's; None: not measured."""


class Depression(Record):
    """Inbreeding depression: ln perplexity = ln founder's + load * purged inbreeding(size, purging)."""

    load: Interval
    """B: nats that full inbreeding would add to the loss."""
    size: Interval
    """n_e of the curve; infinite ends: a straight line fits as well."""
    purging: Interval | None = None
    """d; None: no evidence of purging, and 0 in the curve."""
    curve: tuple[float, ...]
    """Fitted ln(perplexity / founder's measured one), of the founder, each generation after it, and those to come."""


class Course(Record):
    """Forecast of an indicator: its effect against the founder in each coming generation."""

    median: tuple[float, ...]
    """Median of the possible effects."""
    low: tuple[float, ...]
    """Lower end of the 90% band."""
    high: tuple[float, ...]
    """Upper end of the band."""
    crossed: tuple[float, ...]
    """Probability that the margin is passed by then."""


class Forecast(Record):
    """Forecast for every coming generation trained on one mixture."""

    real_share: Share
    """Fresh real data in each coming training set; the rest is written by the newest generation."""
    generations: tuple[int, ...]
    """Indices of the coming generations."""
    courses: dict[str, Course]
    """Indicator name -> course, of those that decide and were compared in every generation."""
    crossed: tuple[float, ...]
    """Probability that any of them passes its margin by then."""

    @property
    def fails_at(self) -> int | None:
        """The first generation by which a failure is more likely than not; None: none of those to come."""
        likely = (t for t, chance in zip(self.generations, self.crossed, strict=True) if chance > 0.5)
        return next(likely, None)

    def first_to_fail_by(self, generation: int) -> str:
        """The indicator that is most likely beyond its margin by then; empty where none is forecast."""
        at = self.generations.index(generation)
        return max(self.courses, key=lambda name: self.courses[name].crossed[at], default="")


class Prescription(Record):
    """How much real data a lineage needs."""

    real_share: float | None
    """Smallest share of fresh real data in each coming generation that keeps every deciding indicator within its margin
    with probability `assurance`; None: none does."""
    even_share: float | None
    """The share that does so with probability one half; the distance to `real_share` is the margin of safety."""
    assurance: float
    """Probability that the share is enough."""
    horizon: int
    """Number of generations that the share should last for."""
    indicator: str = ""
    """The indicator that needs the most; empty if none needs any."""
    fixation_share: float | None = None
    """Share that holds the fixation index at the policy's target; None: no target, or n_e is not known."""
    infeasible: str = ""
    """Why no share is enough, as a sentence; empty if one is."""
    roll_back_to: int | None = None
    """Newest HEALTHY ancestor, if no share is enough; None: no need, or there is none."""


class Supply(Record):
    """The cost of a real share in documents."""

    per_generation: int
    """Real documents in each training set."""
    documents: int
    """Documents in each training set."""
    archive: int
    """Available real documents."""
    horizon: int
    """Generations to train."""
    fresh_generations: int
    """Number of generations for which the archive has documents that no earlier one was trained on."""
    weight: float | None
    """Total weight of the real documents that minimises the variance passed on, if they are fresh and the loss can be
    weighted; None: nothing is synthetic, or nothing is real."""

    @property
    def is_carried(self) -> bool:
        """Whether there are enough different real documents for one training set."""
        return self.per_generation <= self.archive

    @property
    def uses(self) -> float:
        """How often each real document is trained on over all generations; infinite if there is none."""
        used = self.per_generation * self.horizon
        return used / self.archive if self.archive else (math.inf if used else 0.0)


class Outlook(Record):
    """Genetics of a lineage up to a generation: how inbred it is, its forecast, and how much real data it needs."""

    inbreeding: Inbreeding | None = None
    """None: no homozygosity was measured."""
    depression: Depression | None = None
    """None: fewer than six generations after the founder, or no perplexity."""
    forecasts: tuple[Forecast, ...] = ()
    """Under the mixture in use, first, and under others, the one that is needed among them; empty: nothing is known."""
    prescription: Prescription | None = None
    """None: nothing is known yet."""
