"""The Gaussian world: mean and variance are fitted to n samples in every generation.

The source is N(0, 1) in each of d independent dimensions, so a variance is a ratio to the real one. Generation 0, the
founder, is the first fit; generation t is fit t + 1, and the laws count fits. Under `replace` the variance is a product
of independent factors: its mean may stay constant while nearly every lineage narrows, so look at its logarithm.

Source: Shumailov et al. (2024), Nature 631:755, theorem 3.1; the laws for `mix` and for kept data are derived in
`gaussian_laws`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from collapse_guard.arguments import whole
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.worlds.gaussian_laws import (
    Estimator,
    checked_estimator,
    expected_log_variance,
    expected_squared_mean,
    expected_squared_wasserstein,
    expected_variance,
    stationary_variance,
)
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.subsets import blocks, subsets
from collapse_guard.worlds.workflow import REPLACE, Workflow

__all__ = [
    "Estimator",
    "GaussianLineages",
    "expected_log_variance",
    "expected_squared_mean",
    "expected_squared_wasserstein",
    "expected_variance",
    "real_samples",
    "simulate",
    "stationary_variance",
]

_REAL, _WRITTEN = 1, 2
"""Second number of the seeds of real data and of written samples; the simulation itself has a 0 there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianLineages:
    """Lineages of fitted Gaussians."""

    workflow: Workflow
    """What each generation was trained on."""
    samples: int
    """n: items that each generation writes."""
    estimator: Estimator
    """How the variance was estimated."""
    means: FloatArray
    """[lineages, generations + 1, d]: fitted means."""
    variances: FloatArray
    """[lineages, generations + 1, d]: fitted variances, as ratios to the real one."""

    @property
    def variance(self) -> FloatArray:
        """[lineages, generations + 1]: mean over the dimensions of the variance."""
        return np.asarray(self.variances.mean(axis=2))

    @property
    def log_variance(self) -> FloatArray:
        """[lineages, generations + 1]: mean over the dimensions of ln variance; -inf if a variance is below 1e-308."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.variances).mean(axis=2))

    @property
    def squared_mean(self) -> FloatArray:
        """[lineages, generations + 1]: mean over the dimensions of the squared fitted mean."""
        return np.asarray((self.means**2).mean(axis=2))

    @property
    def squared_wasserstein(self) -> FloatArray:
        """[lineages, generations + 1]: squared 2-Wasserstein distance to the source, summed over the dimensions."""
        return np.asarray((self.means**2 + (np.sqrt(self.variances) - 1.0) ** 2).sum(axis=2))

    @property
    def observables(self) -> tuple[Observable, ...]:
        """ln variance, variance, squared distance and squared mean, each with its law."""
        given: dict[str, Any] = {"samples": self.samples, "workflow": self.workflow, "estimator": self.estimator}
        distance = partial(expected_squared_wasserstein, dimensions=self.means.shape[2], **given)
        return (
            Observable.with_law("ln variance", self.log_variance, partial(expected_log_variance, **given)),
            Observable.with_law("variance", self.variance, partial(expected_variance, **given)),
            Observable.with_law("squared W2", self.squared_wasserstein, distance),
            Observable.with_law("squared mean", self.squared_mean, partial(expected_squared_mean, **given)),
        )

    def write(self, lineage: int, generation: int, *, n: int, seed: int) -> FloatArray:
        """What a generation writes: n vectors, [n, d], for the guard to judge."""
        rng = np.random.default_rng([seed, _WRITTEN, lineage, generation])
        mean, variance = self.means[lineage, generation], self.variances[lineage, generation]
        return np.asarray(mean + np.sqrt(variance) * rng.standard_normal((n, len(mean))))


def real_samples(n: int, *, dimensions: int, seed: int) -> FloatArray:
    """Real data of this world: n vectors of N(0, I), [n, d].

    Example:
        >>> real_samples(5, dimensions=2, seed=0).shape
        (5, 2)
    """
    return np.random.default_rng([seed, _REAL]).standard_normal((whole("n", n, least=1), dimensions))


def simulate(
    *,
    samples: int = 100,
    dimensions: int = 1,
    estimator: Estimator = "unbiased",
    workflow: Workflow = REPLACE,
    generations: int = 10,
    lineages: int = 1000,
    seed: int = 0,
) -> GaussianLineages:
    """Simulate lineages of Gaussians; each generation is refitted to what the previous one wrote.

    Means and sums of squares are drawn from their exact distributions; only `accumulate_subsample` draws items.

    Args:
        samples: n, at least 2: items that each generation writes, and size of the founder's training set.
        dimensions: d, at least 1. They are independent, but an item is real or synthetic in all of them.
        estimator: "unbiased" divides the sum of squares by the number of items less one, "mle" by the number of items.
        workflow: What each generation is trained on.
        generations: Generations after the founder, at least 0.
        lineages: Independent repetitions, at least 1.
        seed: Seed of everything random.

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(lineages generations d); under `accumulate_subsample` times n generations.

    Example:
        >>> lineages = simulate(samples=10, generations=20, lineages=2000, seed=1)
        >>> lineages.log_variance.shape
        (2000, 21)
        >>> bool(np.median(lineages.variance[:, 20]) < 0.2)
        True
    """
    whole("samples", samples, least=2)
    whole("dimensions", dimensions, least=1)
    whole("generations", generations, least=0)
    whole("lineages", lineages, least=1)
    checked_estimator(estimator)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    loop = _Loop(rng, samples, int(estimator == "unbiased"), workflow)
    stored = (generations + 1) * samples * dimensions if workflow.name == "accumulate_subsample" else 1
    parts = [loop.grow((size, dimensions), generations) for size in blocks(lineages, stored)]
    means, variances = (np.concatenate(part) for part in zip(*parts, strict=True))
    return GaussianLineages(workflow=workflow, samples=samples, estimator=estimator, means=means, variances=variances)


@dataclass(frozen=True)
class _Data:
    """The statistics of each lineage's training set that an estimator needs."""

    count: IntArray
    """[lineages, 1]."""
    mean: FloatArray
    """[lineages, d]."""
    squares: FloatArray
    """[lineages, d]: sum of squared deviations from the mean."""

    def __add__(self, other: _Data) -> _Data:
        count = self.count + other.count
        weight, gap = other.count / count, other.mean - self.mean
        squares = self.squares + other.squares + gap**2 * self.count * weight
        return _Data(count, self.mean + gap * weight, squares)


@dataclass(frozen=True)
class _Loop:
    """Training, writing and training again, for a block of lineages."""

    rng: np.random.Generator
    samples: int
    ddof: int
    workflow: Workflow

    def grow(self, shape: tuple[int, int], generations: int) -> tuple[FloatArray, FloatArray]:
        """Means and variances, [lineages, generations + 1, d]."""
        if self.workflow.name == "accumulate_subsample":
            return self._grow_stored(shape, generations)
        data = self._items(shape[0], self.samples, np.zeros(shape), np.ones(shape))
        means, variances = [data.mean], [self._variance(data)]
        for _ in range(generations):
            data = self._next(data, means[-1], variances[-1])
            means.append(data.mean)
            variances.append(self._variance(data))
        return np.stack(means, axis=1), np.stack(variances, axis=1)

    def _next(self, data: _Data, mean: FloatArray, variance: FloatArray) -> _Data:
        """The training set of the next generation."""
        lineages, share = len(mean), self.workflow.fresh_share
        if share is None:
            return data + self._items(lineages, self.samples, mean, variance)
        real = self.rng.binomial(self.samples, share, size=(lineages, 1))
        fresh = self._items(lineages, real, np.zeros_like(mean), np.ones_like(mean))
        return fresh + self._items(lineages, self.samples - real, mean, variance)

    def _items(self, lineages: int, count: int | IntArray, mean: FloatArray, variance: FloatArray) -> _Data:
        """Statistics of `count` draws from N(mean, variance); empty if it is 0."""
        n = np.broadcast_to(np.asarray(count, dtype=np.int64), (lineages, 1))
        centre = mean + np.sqrt(variance / np.maximum(n, 1)) * self.rng.standard_normal(mean.shape)
        freedom = np.maximum(n - 1, 0) / 2.0
        return _Data(n, centre, 2.0 * variance * self.rng.standard_gamma(freedom, size=mean.shape))

    def _variance(self, data: _Data) -> FloatArray:
        return np.asarray(data.squares / (data.count - self.ddof))

    def _grow_stored(self, shape: tuple[int, int], generations: int) -> tuple[FloatArray, FloatArray]:
        """`grow` with all items kept, for a workflow that draws from them."""
        lineages, n = shape[0], self.samples
        store = np.empty((lineages, (generations + 1) * n, shape[1]))
        mean, variance = np.zeros(shape), np.ones(shape)
        means, variances = [], []
        for size in range(n, store.shape[1] + 1, n):
            noise = self.rng.standard_normal((lineages, n, shape[1]))
            store[:, size - n : size] = mean[:, None] + np.sqrt(variance)[:, None] * noise
            places = subsets(self.rng, lineages=lineages, pool=size, size=n)
            training = np.take_along_axis(store, places[:, :, None], axis=1)
            mean, variance = training.mean(axis=1), training.var(axis=1, ddof=self.ddof)
            means.append(mean)
            variances.append(variance)
        return np.stack(means, axis=1), np.stack(variances, axis=1)
