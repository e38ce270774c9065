"""The regression world: least squares, refitted to labels that the previous fit wrote.

y = x w + noise with x ~ N(0, I_d) and noise of standard deviation sigma. Every generation gives new labels to the same
T inputs. The observable is the excess risk |w_t - w|^2, the test error above that of the truth. Generation 0, the
founder, is the first fit; the laws count fits.

Let e = w_hat - w, and let u ~ N(0, sigma^2 (X'X)^-1) be new in every generation. Then e_k = e_{k-1} + u_k under
`replace`, e_k = e_{k-1} + u_k / k under `accumulate` (the fit is the mean of all labels so far), and e_k = u_k under
`fresh`. `mix` and `accumulate_subsample` change the inputs in every generation; they are not part of this world.

Source: Gerstgrasser et al. (2024), Is model collapse inevitable?, arXiv:2404.01413; Dohmatob et al. (2024),
    arXiv:2402.07712.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from collapse_guard.arguments import above, whole
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.workflow import REPLACE, Workflow, WorkflowName

KNOWN: tuple[WorkflowName, ...] = ("replace", "accumulate", "fresh")
"""Workflows of this world."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegressionLineages:
    """Lineages of least-squares fits."""

    workflow: Workflow
    """What each generation was trained on."""
    samples: int
    """T: inputs."""
    dimensions: int
    """d."""
    noise: float
    """sigma: standard deviation of the labels around the truth."""
    excess_risk: FloatArray
    """[lineages, generations + 1]: |w_t - w|^2."""

    @property
    def observables(self) -> tuple[Observable, ...]:
        """Excess risk, with its law."""
        law = partial(
            expected_excess_risk,
            samples=self.samples,
            dimensions=self.dimensions,
            noise=self.noise,
            workflow=self.workflow,
        )
        return (Observable.with_law("excess risk", self.excess_risk, law),)


def expected_excess_risk(
    fits: int, *, samples: int, dimensions: int, noise: float = 1.0, workflow: Workflow = REPLACE
) -> float:
    """Expected excess risk after `fits` fits: sigma^2 d/(T - d - 1) times k, sum_{i <= k} 1/i^2, or 1.

    The factors belong to `replace` (linear growth), `accumulate` (at most pi^2/6) and `fresh`.

    Args:
        fits: k, at least 1: the founder is 1, generation t is t + 1.
        samples: T, at least d + 2; below it the expectation is infinite.
        dimensions: d, at least 1.
        noise: sigma, above 0.
        workflow: `replace`, `accumulate` or `fresh`.

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(fits).

    Source: Gerstgrasser et al. (2024), arXiv:2404.01413.

    Example:
        >>> round(expected_excess_risk(10, samples=111, dimensions=10), 7)
        1.0
        >>> round(expected_excess_risk(10, samples=111, dimensions=10, workflow=Workflow(name="accumulate")), 7)
        0.1549768
    """
    k = whole("fits", fits, least=1)
    d, total = _checked_sizes(dimensions, samples)
    name = workflow.required_of("regression", KNOWN).name
    growth = {"replace": float(k), "accumulate": sum(1.0 / i**2 for i in range(1, k + 1)), "fresh": 1.0}[name]
    return above("noise", noise, 0.0) ** 2 * d / (total - d - 1) * growth


def simulate(
    *,
    samples: int = 111,
    dimensions: int = 10,
    noise: float = 1.0,
    workflow: Workflow = REPLACE,
    generations: int = 10,
    lineages: int = 1000,
    seed: int = 0,
) -> RegressionLineages:
    """Simulate lineages of least-squares fits, each to labels that the previous one wrote.

    The Gram matrix of the inputs is drawn by its Cholesky factor (Bartlett 1933), not from inputs.

    Args:
        samples: T, at least d + 2: inputs, the same in every generation of a lineage.
        dimensions: d, at least 1.
        noise: sigma, above 0: standard deviation of the labels.
        workflow: `replace`, `accumulate` or `fresh`.
        generations: Generations after the founder, at least 0.
        lineages: Independent repetitions, at least 1.
        seed: Seed of everything random.

    Raises:
        InputError: An argument is outside of its range, or the world has no such workflow.

    Cost: O(lineages d^2 (d + generations)).

    Example:
        >>> lineages = simulate(generations=9, lineages=4000, seed=1)
        >>> bool(0.95 < lineages.excess_risk[:, 9].mean() < 1.05)
        True
    """
    d, total = _checked_sizes(dimensions, samples)
    above("noise", noise, 0.0)
    whole("generations", generations, least=0)
    whole("lineages", lineages, least=1)
    name = workflow.required_of("regression", KNOWN).name
    rng = np.random.default_rng(whole("seed", seed, least=0))
    errors = noise * _errors(rng, lineages, total, d, generations + 1)
    if name == "accumulate":
        errors /= np.arange(1.0, generations + 2.0)
    if name != "fresh":
        errors = errors.cumsum(axis=2)
    return RegressionLineages(
        workflow=workflow, samples=total, dimensions=d, noise=float(noise), excess_risk=(errors**2).sum(axis=1)
    )


def _checked_sizes(dimensions: int, samples: int) -> tuple[int, int]:
    d, total = whole("dimensions", dimensions, least=1), whole("samples", samples, least=1)
    if total < d + 2:
        raise InputError(
            f"`samples` must be at least `dimensions` + 2 = {d + 2}, but got {total}: with fewer the expected error is "
            "infinite; use more samples or fewer dimensions"
        )
    return d, total


def _errors(rng: np.random.Generator, lineages: int, total: int, d: int, fits: int) -> FloatArray:
    """u_1, u_2, ... of each lineage for noise 1: (X'X)^(-1/2) times normal numbers, [lineages, d, fits]."""
    factor = np.tril(rng.standard_normal((lineages, d, d)), k=-1)
    diagonal = np.sqrt(rng.chisquare(total - np.arange(d), size=(lineages, d)))
    factor[:, np.arange(d), np.arange(d)] = diagonal
    return np.asarray(np.linalg.solve(factor.transpose(0, 2, 1), rng.standard_normal((lineages, d, fits))))
