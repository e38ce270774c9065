"""The Wright-Fisher world: frequencies of types (words, tokens, alleles) are refitted to n draws in every generation.

It is genetic drift: homozygosity S = sum_i p_i^2 grows, types are lost and never come back, and fresh real data are
immigrants. Generation 0, the founder, is the first fit; generation t is fit t + 1, and the laws in `drift` count fits.

Source: Wright (1931), Evolution in Mendelian populations, Genetics 16:97; Shumailov et al. (2024), Nature 631:755;
    Seddik et al. (2024), arXiv:2404.05090.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import above, whole
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError
from collapse_guard.genetics.migration import needed_share, stationary_fixation
from collapse_guard.worlds.drift import expected_fixation, expected_types, survival, survival_bound, types_after
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.subsets import blocks, subsets
from collapse_guard.worlds.workflow import REPLACE, Workflow

__all__ = [
    "TypeLineages",
    "expected_fixation",
    "expected_types",
    "needed_share",
    "simulate",
    "stationary_fixation",
    "survival",
    "survival_bound",
    "zipf",
]


def zipf(types: int, exponent: float = 1.0) -> FloatArray:
    """Shares of types by Zipf's law, p_i proportional to i^-exponent; [types].

    Raises:
        InputError: `types` is below 1, or `exponent` is not above 0.

    Source: Zipf (1935), The psycho-biology of language.

    Example:
        >>> zipf(3).round(4).tolist()
        [0.5455, 0.2727, 0.1818]
    """
    weights = np.arange(1, whole("types", types, least=1) + 1.0) ** -above("exponent", exponent, 0.0)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class TypeLineages:
    """Lineages of type frequencies."""

    workflow: Workflow
    """What each generation was trained on."""
    samples: int
    """n: items that each generation writes."""
    source: FloatArray
    """[types]: real shares."""
    homozygosity: FloatArray
    """[lineages, generations + 1]: S = sum_i p_i^2 of the model itself; exact, so it needs no correction."""
    types: FloatArray
    """[lineages, generations + 1]: types that the model can still write."""
    alive: FloatArray
    """[generations + 1, types]: share of the lineages that can still write a type."""

    @property
    def fixation_index(self) -> FloatArray:
        """[lineages, generations + 1]: F = (S - S_0) / (1 - S_0); NaN for a source of one type."""
        start = float((self.source**2).sum())
        with np.errstate(invalid="ignore"):
            return np.asarray((self.homozygosity - start) / (1.0 - start))

    @property
    def observables(self) -> tuple[Observable, ...]:
        """Fixation index and types kept, each with its law."""
        fixation = partial(expected_fixation, samples=self.samples, workflow=self.workflow)
        types = partial(types_after, self.source, samples=self.samples, workflow=self.workflow)
        return (
            Observable.with_law("fixation index", self.fixation_index, fixation),
            Observable.with_law("types", self.types, types, is_limit=self.workflow.name == "replace"),
        )


def simulate(
    source: npt.ArrayLike | None = None,
    *,
    samples: int = 100,
    workflow: Workflow = REPLACE,
    generations: int = 10,
    lineages: int = 1000,
    seed: int = 0,
) -> TypeLineages:
    """Simulate lineages of type frequencies; each generation is refitted to what the previous one wrote.

    Args:
        source: [types]: real shares that sum to 1; None: Zipf's law over 200 types.
        samples: n, at least 1: items that each generation writes, and size of the founder's training set.
        workflow: What each generation is trained on.
        generations: Generations after the founder, at least 0.
        lineages: Independent repetitions, at least 1.
        seed: Seed of everything random.

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(lineages generations types); under `accumulate_subsample` also O(lineages n generations^2).

    Example:
        >>> lineages = simulate(samples=100, generations=19, lineages=500, seed=1)
        >>> lineages.homozygosity.shape
        (500, 20)
        >>> bool(0.19 < lineages.homozygosity[:, 19].mean() < 0.25)
        True
    """
    shares = _checked_source(source)
    whole("samples", samples, least=1)
    whole("generations", generations, least=0)
    whole("lineages", lineages, least=1)
    loop = _Loop(np.random.default_rng(whole("seed", seed, least=0)), shares, samples, workflow)
    pool_size = samples * (generations + 1) if workflow.name == "accumulate_subsample" else 0
    parts = [loop.grow(size, generations) for size in blocks(lineages, len(shares) + pool_size)]
    return TypeLineages(
        workflow=workflow,
        samples=samples,
        source=shares,
        homozygosity=np.concatenate([part[0] for part in parts]),
        types=np.concatenate([part[1] for part in parts]),
        alive=np.asarray(sum(part[2] for part in parts) / lineages),
    )


def _checked_source(source: Any) -> FloatArray:
    shares = zipf(200) if source is None else np.asarray(source, dtype=np.float64)
    if shares.ndim != 1 or not len(shares) or not (shares >= 0.0).all() or abs(shares.sum() - 1.0) > 1e-9:
        raise InputError(
            f"`source` must be a list of shares that are not negative and sum to 1, but got shape {shares.shape} with "
            f"sum {shares.sum():.6g}: divide counts by their sum"
        )
    return np.asarray(shares / shares.sum())


@dataclass(frozen=True)
class _Loop:
    """Training, writing and training again, for a block of lineages."""

    rng: np.random.Generator
    source: FloatArray
    samples: int
    workflow: Workflow

    def grow(self, lineages: int, generations: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Homozygosity and number of types, [lineages, generations + 1], and how many lineages have each type."""
        written = self.rng.multinomial(self.samples, self.source, size=lineages)
        keeps = self.workflow.name == "accumulate_subsample"
        counts, store = written, self._items(written) if keeps else np.empty((lineages, 0), dtype=np.int64)
        homozygosity, types, alive = [], [], []
        for generation in range(generations + 1):
            shares = counts / counts.sum(axis=1, keepdims=True)
            homozygosity.append((shares**2).sum(axis=1))
            types.append((counts > 0).sum(axis=1))
            alive.append((counts > 0).sum(axis=0))
            if generation == generations:
                break
            if keeps:
                counts, store = self._subsample(shares, store)
            else:
                counts = self._next(counts, shares)
        return np.stack(homozygosity, axis=1), np.stack(types, axis=1).astype(np.float64), np.stack(alive)

    def _next(self, counts: IntArray, shares: FloatArray) -> IntArray:
        """Counts of types in the training set of the next generation."""
        fresh = self.workflow.fresh_share
        if fresh is None:
            return counts + self.rng.multinomial(self.samples, shares)
        return self.rng.multinomial(self.samples, fresh * self.source + (1.0 - fresh) * shares)

    def _subsample(self, shares: FloatArray, store: IntArray) -> tuple[IntArray, IntArray]:
        """Counts in a random n of all items, and all items."""
        store = np.concatenate([store, self._items(self.rng.multinomial(self.samples, shares))], axis=1)
        lineages, types = shares.shape
        places = subsets(self.rng, lineages=lineages, pool=store.shape[1], size=self.samples)
        cells = np.take_along_axis(store, places, axis=1) + types * np.arange(lineages)[:, None]
        return np.bincount(cells.ravel(), minlength=lineages * types).reshape(lineages, types), store

    def _items(self, counts: IntArray) -> IntArray:
        """One type per item, [lineages, n]."""
        lineages, types = counts.shape
        return np.repeat(np.tile(np.arange(types), lineages), counts.ravel()).reshape(lineages, self.samples)
