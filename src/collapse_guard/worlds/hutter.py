r"""The Hutter world: a learner that knows what it has seen, on a source with a heavy tail.

A question asks for fact i = 1, 2, ... with probability p_i = i^-beta / zeta(beta); there are infinitely many facts. A
generation is trained on T questions. Each question comes from real people with probability m, and then has its answer;
otherwise it has its answer only if the previous generation knew it. A model knows a fact if it has seen its answer. The
observable is the missing mass: the probability that it cannot answer the next real question. Generation 0, the founder,
learns from real people only; the laws count fits.

A fact of probability p is then known after fit k + 1 with probability

    K_{k+1}(p) = 1 - (1 - m p)^T + ((1 - m p)^T - (1 - p)^T) K_k(p),   K_1(p) = 1 - (1 - p)^T

so under `replace` K_k = (1 - (1 - p)^T)^k: the missing mass is at most k times that of one fit, and its growth slows
down. If a model writes only the `cut` most frequent facts, as with top-k sampling, all other facts come from real
people only, and the missing mass has a floor that no amount of data lowers. Under `accumulate` the founder's answers
stay, and nothing is lost.

Source: Hutter (2021), Learning curve theory, arXiv:2102.04074; Dohmatob et al. (2024), A tale of tails,
    arXiv:2402.07043 (the cut, and the recursion); K with m is derived above.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import zeta

from collapse_guard.arguments import above, whole
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.workflow import REPLACE, Workflow, WorkflowName

KNOWN: tuple[WorkflowName, ...] = ("replace", "accumulate", "mix", "fresh")
"""Workflows of this world."""
_SUMMED = 20_000
"""Facts that are summed one by one; the rest is an integral, which the midpoint rule makes exact to 1e-10."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HutterLineages:
    """Lineages of learners."""

    workflow: Workflow
    """What each generation was trained on."""
    samples: int
    """T: questions per generation."""
    exponent: float
    """beta."""
    cut: int | None
    """Most frequent facts that a model writes; None: all that it knows."""
    missing_mass: FloatArray
    """[lineages, generations + 1]: probability that the next real question cannot be answered."""

    @property
    def observables(self) -> tuple[Observable, ...]:
        """Missing mass, with its law."""
        law = partial(
            expected_missing_mass,
            samples=self.samples,
            exponent=self.exponent,
            cut=self.cut,
            workflow=self.workflow,
        )
        return (Observable.with_law("missing mass", self.missing_mass, law),)


def expected_missing_mass(
    fits: int, *, samples: int, exponent: float = 2.0, cut: int | None = None, workflow: Workflow = REPLACE
) -> float:
    """Expected missing mass after `fits` fits, sum_i p_i (1 - K_k(p_i)) by the law at the top of the file.

    After one fit it is sum_i p_i (1 - p_i)^T, which falls as T^-(beta - 1)/beta.

    Args:
        fits: k, at least 1: the founder is 1, generation t is t + 1.
        samples: T, at least 1.
        exponent: beta, above 1.
        cut: Most frequent facts that a model writes, at least 1; None: all that it knows.
        workflow: `replace`, `accumulate`, `mix` or `fresh`.

    Raises:
        InputError: An argument is outside of its range, or the world has no such workflow.

    Cost: O(fits).

    Source: Hutter (2021), arXiv:2102.04074; Dohmatob et al. (2024), arXiv:2402.07043.

    Example:
        >>> round(expected_missing_mass(1, samples=1000), 8)
        0.02184278
        >>> round(expected_missing_mass(2, samples=10**7, cut=100), 6)
        0.006049
    """
    k, total = whole("fits", fits, least=1), whole("samples", samples, least=1)
    above("exponent", exponent, 1.0)
    if workflow.required_of("hutter", KNOWN).name == "accumulate":
        k = 1
    real = workflow.fresh_share or 0.0
    inside = _known_sum(partial(_known, fits=k, samples=total, real=real), exponent, total, last=cut)
    if cut is None:
        return 1.0 - inside
    answered = 1.0 if k == 1 else real
    beyond = partial(_known, fits=1, samples=total, real=1.0, thinned=answered)
    return 1.0 - inside - _known_sum(beyond, exponent, total, first=whole("cut", cut, least=1))


def _known(p: FloatArray, *, fits: int, samples: int, real: float, thinned: float = 1.0) -> FloatArray:
    """K_k(p): probability to know a fact that a question asks for with probability `thinned` p."""
    with np.errstate(divide="ignore"):
        unseen = np.exp(samples * np.log1p(-thinned * p))
        by_people = np.exp(samples * np.log1p(-real * p))
    known = 1.0 - unseen
    for _ in range(fits - 1):
        known = 1.0 - by_people + (by_people - unseen) * known
    return np.asarray(known)


def _known_sum(
    law: Callable[[FloatArray], FloatArray], exponent: float, samples: int, *, first: int = 0, last: int | None = None
) -> float:
    """Sum of p_i law(p_i) over the facts after `first` up to `last`; None: over all of them."""
    summed = first + _SUMMED if last is None else min(first + _SUMMED, last)
    norm = float(zeta(exponent))
    p = np.arange(first + 1.0, summed + 1.0) ** -exponent / norm
    total = float((p * law(p)).sum())
    start = math.log(summed + 0.5)
    # Beyond samples^(1/beta) the known mass falls as i^(1 - 2 beta): it is negligible where the integral ends.
    end = max(start, math.log(samples) / exponent) + 40.0 / (2.0 * exponent - 1.0)
    end = end if last is None else min(end, math.log(last + 0.5))
    nodes, weights = _panels(start, end)
    density = np.exp(-exponent * nodes) / norm
    return total + float((weights * np.exp(nodes) * density * law(density)).sum())


def _panels(start: float, end: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of Gauss-Legendre rules on panels from `start` to `end`; empty if that is no interval."""
    if end <= start:
        return np.empty(0), np.empty(0)
    edges = np.linspace(start, end, math.ceil(4.0 * (end - start)) + 1)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2.0
    return (edges[:-1, None] + half * (nodes + 1.0)).ravel(), (half * weights).ravel()


def simulate(
    *,
    samples: int = 1000,
    exponent: float = 2.0,
    cut: int | None = None,
    workflow: Workflow = REPLACE,
    generations: int = 10,
    lineages: int = 1000,
    seed: int = 0,
) -> HutterLineages:
    """Simulate lineages of learners; each generation is taught by the previous one.

    Args:
        samples: T, at least 1: questions per generation.
        exponent: beta, above 1: a question asks for fact i with probability i^-beta / zeta(beta).
        cut: Most frequent facts that a model writes, at least 1; None: all that it knows.
        workflow: `replace`, `accumulate`, `mix` or `fresh`.
        generations: Generations after the founder, at least 0.
        lineages: Independent repetitions, at least 1.
        seed: Seed of everything random.

    Raises:
        InputError: An argument is outside of its range, or the world has no such workflow.

    Cost: O(lineages generations T log T).

    Example:
        >>> lineages = simulate(samples=1000, generations=4, lineages=200, seed=1)
        >>> bool(0.034 < lineages.missing_mass[:, 4].mean() < 0.038)
        True
    """
    whole("samples", samples, least=1)
    above("exponent", exponent, 1.0)
    whole("generations", generations, least=0)
    whole("lineages", lineages, least=1)
    most = np.iinfo(np.int64).max if cut is None else whole("cut", cut, least=1)
    workflow.required_of("hutter", KNOWN)
    loop = _Loop(np.random.default_rng(whole("seed", seed, least=0)), samples, float(exponent), int(most), workflow)
    missing = np.array([loop.grow(generations) for _ in range(lineages)])
    return HutterLineages(workflow=workflow, samples=samples, exponent=float(exponent), cut=cut, missing_mass=missing)


@dataclass(frozen=True)
class _Loop:
    """Learning, writing and learning again, in one lineage."""

    rng: np.random.Generator
    samples: int
    exponent: float
    cut: int
    workflow: Workflow

    def grow(self, generations: int) -> list[float]:
        """Missing mass of each generation."""
        known = np.unique(self._questions())
        missing = [self._missing(known)]
        for _ in range(generations):
            known = known if self.workflow.name == "accumulate" else self._learn(known)
            missing.append(self._missing(known))
        return missing

    def _learn(self, known: IntArray) -> IntArray:
        """Facts that the next generation knows."""
        facts = self._questions()
        by_people = self.rng.random(self.samples) < (self.workflow.fresh_share or 0.0)
        return np.unique(facts[by_people | (np.isin(facts, known) & (facts <= self.cut))])

    def _questions(self) -> IntArray:
        return self.rng.zipf(self.exponent, self.samples)

    def _missing(self, known: IntArray) -> float:
        return 1.0 - float((known.astype(np.float64) ** -self.exponent).sum() / zeta(self.exponent))
