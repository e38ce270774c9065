"""Lineages of the demo's neural model with given real shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from collapse_guard.demo.corpus import passages
from collapse_guard.demo.progress import progress_display
from collapse_guard.demo.run import Bench, Lineage, Sizes, one_generation, quiet_libraries
from collapse_guard.records import Assessment, Mixture
from collapse_guard.store import open_store
from collapse_guard.wildtype import WildType
from forecasting.prescribing import AHEAD, LESS, Rises, Tried, largest_rise, prescribed


@dataclass(kw_only=True)
class Planned(Lineage):
    """A lineage of the demo whose mixtures are given beforehand."""

    plan: Sequence[float]
    """Real share of each generation, the founder's first."""

    def mixture(self, generation: int) -> Mixture:
        """Real data in the planned share, the rest written by the parent."""
        return Mixture.with_real(self.plan[generation])


def bench_in(folder: Path, sizes: Sizes | None = None, seed: int = 0) -> Bench:
    """What lineages of one seed share: the speeches' wild type, and a store in a folder."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{(folder / 'mlflow.db').absolute()}"
    return Bench(
        wild_type=WildType.fit(passages(), seed=0),
        store=open_store(uri),
        uri=uri,
        out=folder,
        sampling="pure",
        sizes=sizes or Sizes(),
        seed=seed,
    )


def grow(bench: Bench, name: str, shares: Sequence[float]) -> list[Assessment]:
    """A founder and a generation for each real share, assessed; the same bench and shares give the same numbers."""
    lineage = Planned(name=name, actions=(), plan=[1.0, *shares])
    with quiet_libraries(), progress_display(Console(stderr=True)) as progress:
        for generation in range(len(shares) + 1):
            one_generation(bench, lineage, generation, progress)
    return bench.store.history(name)


def tried(folder: Path, *, sizes: Sizes | None = None, seed: int = 0) -> Tried:
    """One trial generation, then the share that it asks for and two thirds of it; half a minute a generation.

    The folder keeps the lineages: each can be looked at with `collapse-guard report`.
    """
    bench = bench_in(folder, sizes, seed)
    share, indicator = prescribed(grow(bench, "trial", [0.0])[-1])
    found = Tried(lineages="GRU, speeches, pure", trial=1, share=share, indicator=indicator)
    if share is None:
        return found
    return replace(found, full=_rises(bench, "full", share), less=_rises(bench, "two thirds", round(LESS * share, 2)))


def _rises(bench: Bench, name: str, share: float) -> Rises:
    other = replace(bench, seed=bench.seed + 1)
    here = grow(bench, f"{name}, from there on", [0.0, *[share] * AHEAD])
    founder = grow(other, f"{name}, from another founder on", [share] * AHEAD)
    return Rises(*(largest_rise([past.readings["perplexity"].value for past in each]) for each in (here, founder)))
