"""How often seeds alone give a healthy lineage of ten generations an alarm, with none and with a few control retrains.

    python benchmarks/seed_alarms.py [--lineages 2000] [--seed 0] [--markdown FILE]

Every training, of the founder, of a control and of a generation, has a log perplexity of its own, normal with one
standard deviation. Documents are taken to be so many that they add nothing. One minute on one core for 2,000 lineages.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from collapse_guard.comparison.contrast import Contrast
from collapse_guard.decision.chances import Chances
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Direction, Reading
from detecting.table import Sheet, tell

SPREADS = (0.005, 0.01, 0.014, 0.02, 0.03)
"""Standard deviations of the log perplexity over seeds."""
CONTROLS = (0, 1, 3, 9)
GENERATIONS, NAME = 10, "perplexity"


class Alarms(NamedTuple):
    """How many healthy lineages had an alarm."""

    watched: int
    """WATCH or worse, in any generation."""
    collapsed: int
    """COLLAPSED, in any generation."""


def main() -> None:
    parser = argparse.ArgumentParser(description="False alarms by the noise of seeds and the number of controls.")
    parser.add_argument("--lineages", type=int, default=2000, metavar="N", help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table between the marks of this page")
    arguments = parser.parse_args()
    tell([table(arguments.lineages, arguments.seed)], arguments.markdown, "seed-alarms")


def table(lineages: int, seed: int) -> Sheet:
    """A row for each noise of seeds, a column for each number of controls."""
    rows = []
    for spread in SPREADS:
        found = [alarms(spread, controls, lineages, seed) for controls in CONTROLS]
        cells = [f"{one.watched / lineages:.1%}; {one.collapsed / lineages:.1%}" for one in found]
        rows.append((f"SD {spread:.1%}", *cells))
    title = f"share of {lineages:,} healthy lineages of {GENERATIONS} generations with a false WATCH; a false COLLAPSED"
    headings = ("seeds", *(f"{n} control{'s' * (n != 1)}" for n in CONTROLS))
    return Sheet(title, headings, rows)


def alarms(spread: float, controls: int, lineages: int, seed: int, *, generations: int = GENERATIONS) -> Alarms:
    """Alarms of the default policy.

    Args:
        spread: Standard deviation of the log perplexity over seeds.
        controls: How many control retrains are known.
        lineages: How many are grown.
        seed: Seed of the draws.
        generations: Of each lineage, after its founder.
    """
    rng = np.random.default_rng(seed)
    watched = collapsed = 0
    for _ in range(lineages):
        founder, *retrains = rng.normal(0.0, spread, 1 + controls + generations)
        effects = [float(retrain - founder) for retrain in retrains]
        noise = {NAME: SeedNoise.of(effects[:controls])} if controls else {}
        found = set(_alarms(effects[controls:], Policy(seed_noise=noise)))
        watched += bool(found)
        collapsed += "COLLAPSED" in found
    return Alarms(watched, collapsed)


def _alarms(effects: list[float], policy: Policy) -> Iterator[str]:
    """What is raised, generation by generation."""
    n = len(policy.decides)
    limits = policy.limits(NAME, "founder", direction=Direction.UP)
    margin_level = policy.alpha / policy.horizon / n
    for t, effect in enumerate(effects, 1):
        chances = Chances(
            watch_level=policy.watch_level(t) / n, margin_level=margin_level, past=tuple(effects[: t - 1])
        )
        alone = chances.of(READING, READING, _exactly(effect), watch=limits.watch)
        if effect > max(limits.margin, alone.margin):
            yield "COLLAPSED"
        elif effect > max(limits.watch, alone.watch) or (limits.seeds is not None and effect > limits.seeds):
            yield "WATCH"


def _exactly(effect: float) -> Contrast:
    return Contrast(
        observed=effect,
        reference=0.0,
        effect=effect,
        standard_error=0.0,
        degrees_of_freedom=math.inf,
        statistic=lambda hypothesis: math.copysign(math.inf, effect - hypothesis),
        method="known exactly",
    )


READING = Reading(
    indicator=NAME, family="likelihood", value=1.0, unit="choices per token", direction="up", n=1000, n_minimum=30
)
"""What stands for the founder and for each generation."""


if __name__ == "__main__":
    main()
