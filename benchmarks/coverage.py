"""Measure how often the intervals of effective size and inbreeding depression cover the truth, in worlds with known
answers: python benchmarks/coverage.py.

It prints one line per world and takes minutes on one core. The numbers in docs/genetics-of-collapse.md have seed 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from collapse_guard.genetics.depression import fit_depression
from collapse_guard.genetics.estimation import fit_drift
from collapse_guard.genetics.inbreeding import purged_inbreeding
from collapse_guard.genetics.migration import needed_share, stationary_fixation
from collapse_guard.worlds import Workflow, wright_fisher
from collapse_guard.worlds.wright_fisher import zipf

WORLDS = ((200, 100), (200, 1000), (20, 100), (1000, 1000))
"""Types, and samples."""
WORKFLOWS = (Workflow(), Workflow(name="mix", real_share=0.1))
GENERATIONS = (4, 10, 20)
CURVES = (
    *((2.0, 10.0, 0.2, 12, 0.02), (2.0, 10.0, 0.0, 12, 0.02), (6.0, 50.0, 0.25, 40, 0.05), (2.0, 30.0, 0.1, 20, 0.02)),
    *((1.5, 8.0, 0.1, 8, 0.02), (3.0, 100.0, 0.0, 10, 0.01), (1.0, 5.0, 0.0, 20, 0.02)),
)
"""Load, size, purging, generations, and noise."""
TARGET, TRIALS = 0.05, 3000


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the intervals of genetics at level .9.")
    parser.add_argument("--lineages", type=int, default=1000, metavar="N", help="of each world; half for the curves")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = Table("of", "setting", "covered")
    for row in rows(arguments.lineages, arguments.seed):
        table.add_row(*row)
    Console(width=140).print(table)


def rows(lineages: int, seed: int) -> Iterator[tuple[str, str, str]]:
    for (types, samples), workflow, generations in product(WORLDS, WORKFLOWS, GENERATIONS):
        yield size_row(types, samples, workflow, generations, lineages=lineages, seed=seed)
    for curve in CURVES:
        yield _curve(*curve, lineages=max(1, lineages // 2), seed=seed)
    yield _share(min(TRIALS, 3 * lineages), seed)


def size_row(
    types: int, samples: int, workflow: Workflow, generations: int, *, lineages: int, seed: int
) -> tuple[str, str, str]:
    grown = wright_fisher.simulate(
        zipf(types, 1.0), samples=samples, generations=generations, lineages=lineages, seed=seed, workflow=workflow
    )
    fit = fit_drift(grown.fixation_index, real_shares=workflow.fresh_share or 0.0, items=samples)
    covered = [_share_of((fit.size_low <= samples) & (samples <= fit.size_high))]
    if fit.bias is not None:
        covered.append(_share_of((fit.bias.low <= 0.0) & (fit.bias.high >= 0.0)))
    told = f"{types} types, {samples} samples, {workflow}, {generations} generations"
    return "n_e, bias", told, ", ".join(covered)


def _curve(
    load: float, size: float, purging: float, generations: int, noise: float, *, lineages: int, seed: int
) -> tuple[str, str, str]:
    path = load * purged_inbreeding(generations, samples=size, purging=purging)
    seen = path + np.random.default_rng(seed).normal(0.0, noise, (lineages, generations + 1))
    fit = fit_depression(seen)
    ends = {"load": load, "size": size, "purging": purging}
    covered = [
        _share_of((getattr(fit, f"{name}_low") <= true) & (true <= getattr(fit, f"{name}_high")))
        for name, true in ends.items()
    ]
    told = f"B = {load:g}, n_e = {size:g}, d = {purging:g}, {generations} generations, noise {noise:g}"
    return "B, n_e, d", told, f"{', '.join(covered)}; purging shown in {_share_of(fit.p_purging < 0.05)}"


def _share(lineages: int, seed: int) -> tuple[str, str, str]:
    """What F* rests at, on average, under the shares that single trials ask for."""
    trials = wright_fisher.simulate(np.full(300, 1 / 300), samples=100, generations=20, lineages=lineages, seed=seed)
    sizes = fit_drift(trials.fixation_index).size
    known = sizes[np.isfinite(sizes)]
    held = [stationary_fixation(samples=100, real_share=needed_share(TARGET, samples=float(size))) for size in known]
    variation = (1.0 / known).std() / (1.0 / known).mean()
    told = f"even types, 100 samples, trials of 20 generations: 1/n_e varies by {variation:.2f}"
    return "F*", told, f"{np.mean(held):.4f} for {TARGET:g}"


def _share_of(holds: npt.NDArray[np.bool_]) -> str:
    return f"{holds.mean():.3f}"


if __name__ == "__main__":
    main()
