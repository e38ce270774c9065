"""Forecasts of lineages that went on: how often their bands held, and how near their medians were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collapse_guard.comparison.compare import contrast_of, obstacle
from collapse_guard.decision.policy import DECIDES
from collapse_guard.genetics.forecast import learn
from collapse_guard.prescription.outlook import mixing_of
from collapse_guard.records import Direction
from detecting.lineages import Lineage
from detecting.raw import KINDS, OF_WORLDS, Task
from detecting.scenarios import ADDED, FADED, TRIMMED
from detecting.sizes import SEEDS
from detecting.table import Sheet
from detecting.workers import over

Floats = npt.NDArray[np.float64]
ORIGINS = (3, 5, 7)
"""Generations that forecasts are made from."""
HEALTHY = 15
"""Healthy lineages of each corpus, model and scenario that are scored: they are the easiest, and there are many."""
GROUPS = ("healthy", *KINDS, "worlds")
BAND = 0.05, 0.5, 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One deciding indicator over a lineage, as the outlook sees it."""

    lineage: str
    """Name of its lineage."""
    group: str
    """What the lineage is an example of."""
    indicator: str
    """Its name."""
    mixing: str
    """How it mixes."""
    effects: Floats
    """[generations + 1]: against the founder, up toward collapse."""
    errors: Floats
    """[generations + 1]: standard errors."""
    synthetic: Floats
    """[generations]: synthetic share of each training set after the founder's."""


@dataclass(kw_only=True)
class Tally:
    """What forecasts of one group came to."""

    lineages: int = 0
    series: int = 0
    left_out: int = 0
    """Series with a generation without a value, or that never moved."""
    covered: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of each lineage, from each generation on: the share of the later ones within the band, for each series."""
    ratios: list[tuple[float, float, float, float]] = field(default_factory=list)
    """For each indicator and origin: mean and median error over that of the last value, then of a trend."""


def synthetic_shares(scenario: str, generations: int) -> Floats:
    """Share of each training set that models wrote, for the generations after the founder.

    Example:
        >>> synthetic_shares("mix_75", 2).tolist(), synthetic_shares("accumulate", 2).round(2).tolist()
        ([0.25, 0.25], [0.5, 0.67])
    """
    t = np.arange(1.0, generations + 1.0)
    if scenario.startswith("mix_"):
        return np.full(generations, 1.0 - int(scenario.removeprefix("mix_")) / 100)
    known = {
        "fading": FADED * t,
        "accumulate": t / (t + 1.0),
        "accumulate_slowly": ADDED * t / (1.0 + ADDED * t),
        "tail_only": np.full(generations, TRIMMED),
        **dict.fromkeys(("narrow", "prompted_narrow"), np.full(generations, 0.1)),
    }
    return known.get(scenario, np.full(generations, float("replace" in scenario)))


def scored(path: Path, *, jobs: int = 1) -> dict[str, Tally]:
    """Forecast the lineages of a file; by group."""
    tallies, cells = {group: Tally() for group in GROUPS}, defaultdict(list)
    for found, left_out in over(series_of, chosen(Lineage.read_all(path)), jobs=jobs):
        tally = tallies[found[0].group]
        tally.lineages, tally.series = tally.lineages + 1, tally.series + len(found)
        tally.left_out += left_out
        for one in found:
            cells[one.group, one.indicator].append(one)
    for (group, _), several in cells.items():
        for origin in ORIGINS:
            _tell(tallies[group], several, origin)
    return {group: tally for group, tally in tallies.items() if tally.lineages}


def chosen(lineages: Sequence[Lineage]) -> list[Lineage]:
    """All that collapse, and the first healthy ones."""

    def counts(task: Task) -> bool:
        first = next(seeds.start for seeds in SEEDS.values() if task.seed in seeds)
        return not task.is_healthy or task.seed - first < HEALTHY

    return [one for one in lineages if counts(one.task)]


def series_of(lineage: Lineage) -> tuple[list[Series], int]:
    """The deciding indicators of a lineage that can be forecast, and how many cannot."""
    founder, *later = lineage.readings(frozenset(DECIDES), with_losses=lineage.has_losses)
    group = lineage.group if lineage.task.corpus != OF_WORLDS else OF_WORLDS
    found = []
    for name, first in founder.items():
        if any(name not in each or obstacle(each[name], first) for each in later):
            continue
        contrasts = [contrast_of(each[name], first) for each in later]
        sign = -1.0 if first.direction is Direction.DOWN else 1.0
        effects = sign * np.array([0.0, *(one.effect for one in contrasts)])
        if np.isfinite(effects).all() and effects.any():
            found.append(
                Series(
                    lineage=lineage.task.name,
                    group=group,
                    indicator=name,
                    mixing=mixing_of(first),
                    effects=effects,
                    errors=np.array([0.0, *(one.standard_error for one in contrasts)]),
                    synthetic=synthetic_shares(lineage.task.scenario, len(later)),
                )
            )
    return found, len(founder) - len(found)


def _tell(tally: Tally, several: Sequence[Series], origin: int) -> None:
    """Forecast an indicator of all lineages of a group from one generation on."""
    effects, errors, synthetic = (
        np.stack([getattr(one, name) for one in several]) for name in ("effects", "errors", "synthetic")
    )
    seen, truth = effects[:, : origin + 1], effects[:, origin + 1 :]
    law = learn(seen, errors[:, : origin + 1], synthetic_shares=synthetic[:, :origin], mixing=several[0].mixing, seed=3)
    low, median, high = np.quantile(law.paths(synthetic[:, origin:]), BAND, axis=0)
    for one, share in zip(several, ((low <= truth) & (truth <= high)).mean(axis=1), strict=True):
        tally.covered[one.lineage, origin].append(float(share))
    ours, last, trend = (np.abs(truth - each) for each in (median, seen[:, -1:], _continued(seen, truth.shape[1])))
    sizes = [statistic(each) for each in (ours, last, trend) for statistic in (np.mean, np.median)]
    if min(sizes) > 0.0:
        tally.ratios.append((sizes[0] / sizes[2], sizes[1] / sizes[3], sizes[0] / sizes[4], sizes[1] / sizes[5]))


def _continued(seen: Floats, ahead: int) -> Floats:
    """The straight line through what was seen, continued."""
    t = np.arange(seen.shape[1])
    slope, level = np.polyfit(t, seen.T, 1)
    later = np.arange(len(t), len(t) + ahead)
    return np.asarray(level[:, None] + slope[:, None] * later)


def sheet(tallies: dict[str, Tally]) -> Sheet:
    """One row for each group, and one for all."""
    rows = [_row(group, [tally]) for group, tally in tallies.items()]
    lineages = sum(tally.lineages for tally in tallies.values())
    left_out = sum(tally.left_out for tally in tallies.values())
    title = (
        f"{lineages} lineages of ten generations, forecast from generation {', '.join(map(str, ORIGINS))} on under the "
        "mixtures that they had: share of later generations within the 90% band (in brackets: standard "
        "error of the mean over lineages), and absolute error as a ratio to that of the last value and of a straight "
        f"line, mean; median. {left_out} series are left out: they lack a value, or never move"
    )
    headings = (
        "lineages",
        "series",
        "covered",
        *(f"from {origin}" for origin in ORIGINS),
        "error / last value",
        "error / straight line",
    )
    return Sheet(title, headings, [*rows, _row("all", list(tallies.values()))])


def _row(name: str, tallies: Sequence[Tally]) -> tuple[str, ...]:
    ratios = np.array([ratio for tally in tallies for ratio in tally.ratios])
    last_mean, last_median, line_mean, line_median = np.exp(np.log(ratios).mean(axis=0))
    by_lineage = np.concatenate([_by_lineage(tally) for tally in tallies])
    each = by_lineage.mean(axis=1)
    error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return (
        f"{name} ({len(each)})",
        str(sum(tally.series for tally in tallies)),
        f"{each.mean():.0%} ({error:.1%})",
        *(f"{share:.0%}" for share in by_lineage.mean(axis=0)),
        f"{last_mean:.2f}; {last_median:.2f}",
        f"{line_mean:.2f}; {line_median:.2f}",
    )


def _by_lineage(tally: Tally) -> Floats:
    """[lineages, origins]: share of the later generations, of all indicators, within the band."""
    names = dict.fromkeys(lineage for lineage, _ in tally.covered)
    return np.array([[np.mean(tally.covered[name, origin]) for origin in ORIGINS] for name in names])
