"""The tables: what every arm came to, and how far that is from uniform real documents with the same founders."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from detecting.table import Sheet
from reinjecting.arms import ARMS
from reinjecting.growing import Grown, Kind

LEVEL = 0.95
Value = Callable[[Grown], float]


class Measure(NamedTuple):
    """An indicator as the tables show it."""

    indicator: str
    """Its field in the readings."""
    scale: float
    """Times this in the tables."""
    digits: int
    """Behind the point."""
    harm: int
    """1 where more is worse, -1 where less is."""
    heading: str

    def values(self, one: Grown) -> list[float]:
        """In the generations after the founder."""
        return [self.scale * float(getattr(readings, self.indicator)) for readings in one.readings[1:]]

    def end(self, one: Grown) -> float:
        """In the last generation."""
        return self.values(one)[-1]

    def worst(self, one: Grown) -> float:
        """In the worst generation after the founder."""
        return self.harm * max(self.harm * value for value in self.values(one))

    def text(self, value: float, sign: str = "") -> str:
        """A number as the tables show it."""
        return f"{value:{sign}.{self.digits}f}"


MEASURES = (
    Measure("perplexity", 1.0, 1, 1, "perplexity"),
    Measure("tail_loss", 1.0, 3, 1, "tail loss, nats per token"),
    Measure("rare_coverage", 100.0, 3, -1, "rare coverage, %"),
    Measure("lost_ngrams", 100.0, 2, 1, "lost n-grams, %"),
)


class Interval(NamedTuple):
    """A mean difference of pairs, and the ends of its interval; not known for one pair."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, differences: Sequence[float]) -> Interval:
        """By Student's t.

        Example:
            >>> [round(end, 2) for end in Interval.of([1.0, 2.0, 3.0])]
            [2.0, -0.48, 4.48]
        """
        n, mean = len(differences), fmean(differences)
        if n == 1:
            return cls(mean, -math.inf, math.inf)
        half = float(student.ppf(0.5 + LEVEL / 2, n - 1)) * float(np.std(differences, ddof=1)) / math.sqrt(n)
        return cls(mean, mean - half, mean + half)

    def harm(self, direction: int) -> int:
        """1: worse beyond the interval; -1: better; 0: could be either."""
        return direction * (int(self.low > 0.0) - int(self.high < 0.0))


def baseline(share: float) -> str:
    """The arm that others of this share are compared with."""
    return "uniform" if share else "none"


def difference(found: Sequence[Grown], kind: Kind, arm: str, value: Value) -> Interval | None:
    """From the baseline, over the seeds that both have; None for the baseline itself."""
    if arm == baseline(kind.share):
        return None
    mine, theirs = (
        {one.seed: value(one) for one in found if one.kind == kind and one.arm == name}
        for name in (arm, baseline(kind.share))
    )
    both = mine.keys() & theirs.keys()
    return Interval.of([mine[seed] - theirs[seed] for seed in sorted(both)]) if both else None


def sheets(found: Sequence[Grown]) -> list[Sheet]:
    """Where arms are beyond chance, and then every mean."""
    kinds = sorted({(one.kind.corpus, one.kind.decoding) for one in found})
    return [_overview(found), *(_means(found, corpus, decoding) for corpus, decoding in kinds)]


def _overview(found: Sequence[Grown]) -> Sheet:
    kinds = sorted({one.kind for one in found if one.kind.share})
    families = {(one.kind.corpus, one.kind.decoding, one.seed) for one in found}
    title = (
        "against as many uniform real tokens, in the last generation: difference in percent of the value under "
        f"uniform, mean over real shares and founders ({LEVEL:.0%} interval over {len(families)} founders); and in how "
        f"many of {len(kinds)} comparisons (corpora, decodings and shares) an interval of its own is wholly better, "
        "wholly worse"
    )
    names = [arm.name for arm in ARMS if arm.strategy and arm.name != "uniform"]
    rows = [
        (name, *(_tally(found, kinds, name, measure) for measure in MEASURES))
        for name in names
        if any(one.arm == name for one in found)
    ]
    return Sheet(title, ("way", *(measure.indicator for measure in MEASURES)), rows)


def _tally(found: Sequence[Grown], kinds: Sequence[Kind], arm: str, measure: Measure) -> str:
    known = [interval for kind in kinds if (interval := difference(found, kind, arm, measure.end))]
    harms = [interval.harm(measure.harm) for interval in known]
    mean, low, high = (f"{100 * end:+.1f}" for end in Interval.of(relative(found, arm, measure.end)))
    return f"{mean} ({low} to {high}); {harms.count(-1)} better, {harms.count(1)} worse"


def relative(found: Sequence[Grown], arm: str, value: Value) -> list[float]:
    """Mean difference over real shares from uniform documents, as a ratio, for each founder."""
    ratios = defaultdict(list)
    theirs = {(one.kind, one.seed): value(one) for one in found if one.arm == "uniform"}
    for one in found:
        if one.arm == arm and (one.kind, one.seed) in theirs:
            family = one.kind.corpus, one.kind.decoding, one.seed
            ratios[family].append(value(one) / theirs[one.kind, one.seed] - 1.0)
    return [fmean(some) for some in ratios.values()]


def _means(found: Sequence[Grown], corpus: str, decoding: str) -> Sheet:
    some = [one for one in found if one.kind[:2] == (corpus, decoding)]
    n, generations = len({one.seed for one in some}), len(some[0].readings) - 1
    first = ", ".join(f"{measure.heading} {_founders(some, measure)}" for measure in MEASURES)
    title = (
        f"{corpus}, {decoding} sampling, {n} seeds. Founders: {first}. After {generations} generations: mean, "
        f"difference from uniform real documents ({LEVEL:.0%} interval over pairs of the same founder), and the mean "
        "of the worst generation where that is not the last. Without real documents the difference is from samples "
        "as they come"
    )
    shares = sorted({one.kind.share for one in some})
    rows = [
        (
            f"{share:.0%}",
            arm.name,
            *(_cell(some, Kind(corpus, decoding, share), arm.name, measure) for measure in MEASURES),
        )
        for share, arm in product(shares, ARMS)
        if any(one.arm == arm.name and one.kind.share == share for one in some)
    ]
    return Sheet(title, ("real", "arm", *(measure.heading for measure in MEASURES)), rows)


def _founders(found: Sequence[Grown], measure: Measure) -> str:
    values = {one.seed: getattr(one.readings[0], measure.indicator) for one in found}.values()
    return measure.text(measure.scale * fmean(values))


def _cell(found: Sequence[Grown], kind: Kind, arm: str, measure: Measure) -> str:
    end, worst = (measure.text(_mean(found, kind, arm, value)) for value in (measure.end, measure.worst))
    interval = difference(found, kind, arm, measure.end)
    return f"{end}{_difference(interval, measure) if interval else ''}" + (f"; worst {worst}" if worst != end else "")


def _difference(interval: Interval, measure: Measure) -> str:
    mean, low, high = (measure.text(end, "+") for end in interval)
    how = {1: ", worse", -1: ", better", 0: ""}[interval.harm(measure.harm)]
    return f"; {mean} ({low} to {high}){how}"


def _mean(found: Sequence[Grown], kind: Kind, arm: str, value: Value) -> float:
    return fmean(value(one) for one in found if one.kind == kind and one.arm == arm)
