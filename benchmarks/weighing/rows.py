"""What rows are worth: which samples a verdict sees with it and without it, and how sure it is of real rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from collapse_guard.assessment import conclude
from collapse_guard.comparison.effects import percent
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.reverse import RealEquivalent
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings
from collapse_guard.measurement.other_unit import unit_of_samples
from collapse_guard.records import Assessment, Comparison, Generation, OtherUnit, Severity
from collapse_guard.records.readings import Readings
from collapse_guard.wildtype import WildType
from detecting.table import Sheet
from weighing.faults import Fault
from weighing.worlds import Healthy, Rows, World

WORTH = RealEquivalent.name
OF_SPREAD = ("total_variance", "effective_rank", "narrowest_column", "vendi", "unique_samples")
"""What decides by default beside what rows are worth."""
BEFORE, AFTER = Policy(decides=OF_SPREAD), Policy()
LEVEL = 0.05
"""At which a pair is called worse, without a margin."""


class Pair(NamedTuple):
    """What is said of a generation behind a founder of real rows."""

    before: Severity
    """The verdict of the indicators of spread and copies."""
    after: Severity
    """The verdict of the default policy."""
    of_worth: Severity
    """What the default policy says of `real_equivalent` alone."""
    comparison: Comparison
    """Of `real_equivalent`, with the founder."""
    parts: str
    """The parts that both are read in, such as "15 of 128"."""

    @property
    def is_called_worse(self) -> bool:
        """Whether it is worth less than the founder at `LEVEL`, by any amount."""
        found = self.comparison
        return bool(stdtr(found.degrees_of_freedom, found.effect / found.standard_error) < LEVEL)

    @property
    def change(self) -> float:
        """Of what it is worth, as a fraction of the founder's."""
        return math.expm1(self.comparison.effect)


def judged(wild_type: WildType, founder: Rows, later: Rows) -> Pair:
    """Read a founder and a generation, and decide with and without what they are worth."""
    names = (*OF_SPREAD, WORTH)
    first = measure(wild_type, Evidence(samples=founder), only=names)
    budget = founding_budget(first)
    second = measure(wild_type, Evidence(samples=later), budget=budget, only=names)
    reference = reference_readings(wild_type, sample_tokens=None, budget=budget, only=names)
    unit = unit_of_samples(wild_type, Evidence(samples=later))
    before, after = (_concluded(first, second, reference, policy, unit) for policy in (BEFORE, AFTER))
    (comparison,) = (one for one in after.comparisons if one.indicator == WORTH and one.baseline == "founder")
    of_worth = [reason.severity for reason in after.verdict.reasons if reason.is_about(WORTH)]
    return Pair(
        before=before.verdict.severity,
        after=after.verdict.severity,
        of_worth=Severity.worst(of_worth),
        comparison=comparison,
        parts=f"{comparison.n} of {budget}",
    )


def _concluded(
    first: Readings, second: Readings, reference: Readings, policy: Policy, unit: OtherUnit | None
) -> Assessment:
    founder = conclude(Generation(lineage="rows", index=0), first, reference, history=[], policy=policy)
    generation = Generation(lineage="rows", index=1, parents=(0,))
    return conclude(generation, second, reference, history=[founder], policy=policy, other_unit=unit)


def seen(
    world: World, *, real: int, samples: int, repeats: int, seed: int, faults: Sequence[Fault]
) -> Iterator[list[Pair]]:
    """What is said of each kind of samples, behind as many founders as there are repeats.

    Args:
        world: What is real.
        real: Rows that the wild type is made of.
        samples: Rows of a founder, and of a generation.
        repeats: Pairs of each kind.
        seed: Of everything random.
        faults: The kinds of samples.
    """
    rng = np.random.default_rng(seed)
    wild_type = WildType.fit_arrays(world.draw(real, rng))
    for fault in faults:
        yield [judged(wild_type, world.draw(samples, rng), fault.samples(world, samples, rng)) for _ in range(repeats)]


def pairs(data: Healthy, seed: int) -> list[Pair]:
    """Pairs of real rows, which share none, judged by one wild type."""
    rng = np.random.default_rng(seed)
    real, draw = data.sources(rng)
    wild_type = WildType.fit_arrays(real)
    drawn = (np.split(draw(2 * data.samples, rng), 2) for _ in range(data.pairs))
    return [judged(wild_type, founder, later) for founder, later in drawn]


def sheet_of_faults(found: Sequence[tuple[str, Sequence[Sequence[Pair]]]], faults: Sequence[Fault]) -> Sheet:
    """A line for each kind of samples.

    Args:
        found: Name of each world, and what was said there of the samples of each fault, real ones first.
        faults: The kinds of samples.
    """
    real, repeats = len(found[0][1][0]), len(found[0][1][-1])
    more = "" if real == repeats else f" ({real} of real ones)"
    title = (
        f"Verdict and change of `{WORTH}`, {repeats} {'pair' if repeats == 1 else 'pairs'} of a founder and a "
        f"generation in each cell{more}. Of several verdicts the number of pairs stands behind each; the change is the "
        "median"
    )
    headings = ("samples", *(f"{name}: {what}" for name, _ in found for what in ("before", "after", "change")))
    rows = [(fault.name, *(cell for _, of in found for cell in _cells(of[i]))) for i, fault in enumerate(faults)]
    return Sheet(title, headings, rows)


def _cells(some: Sequence[Pair]) -> tuple[str, str, str]:
    return _tally(pair.before for pair in some), *told(some)


def told(some: Sequence[Pair]) -> tuple[str, str]:
    """The verdicts on some pairs, and their median change."""
    change = percent(float(np.median([pair.change for pair in some])))
    return _tally(pair.after for pair in some), change


def _tally(severities: Iterable[Severity]) -> str:
    """The verdict; where there are several, each with its number, the commonest first."""
    counts = Counter(severities).most_common()
    return ", ".join(f"{one} {n}" for one, n in counts) if len(counts) > 1 else str(counts[0][0])


def sheet_of_pairs(found: Sequence[tuple[Healthy, Sequence[Pair]]]) -> Sheet:
    """A line for each world of healthy pairs."""
    headings = (
        "data",
        "real rows",
        "samples",
        "parts",
        f"called worse at {LEVEL:.0%}",
        "beyond the watch level",
        "not shown within the margin",
        "standard deviation of the change",
    )
    return Sheet(
        "Pairs of a founder and a generation that are both real rows, at 5% and without a margin, then by the margins "
        "of the default policy at generation 1",
        headings,
        [_line(data, some) for data, some in found],
    )


def _line(data: Healthy, some: Sequence[Pair]) -> tuple[str, ...]:
    worse = sum(pair.is_called_worse for pair in some)
    watched = sum(pair.of_worth in (Severity.WATCH, Severity.COLLAPSED) for pair in some)
    undecided = sum(pair.of_worth is Severity.UNDECIDED for pair in some)
    spread = float(np.std([pair.comparison.effect for pair in some], ddof=1))
    return (
        data.name,
        f"{data.real:,}",
        f"{data.samples:,}",
        some[0].parts,
        f"{worse} of {len(some)}",
        str(watched),
        str(undecided),
        percent(spread).lstrip("+"),
    )
