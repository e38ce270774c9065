r"""Closed forms of drift with immigration; k counts fits, and the founder is the fit k = 1.

p_0 are the real shares, p_k the fitted ones, S_k = E sum_i p_k,i^2, and F_k = (S_k - S_0)/(1 - S_0), so that F_0 = 0.

**Fresh real data with probability m in each item.** E p_k = p_0, so E sum p_k p_0 = S_0 and the training mixture
q = (1 - m) p_k + m p_0 has E sum q^2 = (1 - m)^2 S_k + (1 - (1 - m)^2) S_0. Multinomial counts add (1 - E sum q^2)/n:

    F_{k+1} = 1/n + (1 - 1/n) (1 - m)^2 F_k

F is counted after drift, in the fitted model (`genetics.migration` has the other census too). If real items come in
whole documents, the two items of a pair from one document (a share r of all pairs) have one origin, and (1 - m)^2
becomes r (1 - m) + (1 - r) (1 - m)^2.

**accumulate.** q_{k+1} = q_k + (x/n - q_k)/(k + 1) with x drawn from q_k, so E sum q^2 grows by
(1 - S_k)/(n (k + 1)^2): 1 - F_k = prod_{j <= k} (1 - 1/(n j^2)), which stays above a positive bound.

**accumulate_subsample.** With Q_k of the k n kept items, a random n of them have
1 - S_k = (1 - Q_k)(1 - g_k), g_k = (k - 1)/(k n - 1), and what they write moves the kept shares by
1 - Q_{k+1} = (1 - Q_k) (1 - (g_k + (1 - g_k)/n)/(k + 1)^2).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import numbers, share, whole
from collapse_guard.arrays import FloatArray
from collapse_guard.genetics.migration import after_drift
from collapse_guard.worlds.workflow import Workflow


def expected_fixation(fits: int, *, samples: int, workflow: Workflow, same_origin: float = 0.0) -> float:
    """Expected fixation index F after `fits` fits, by the laws at the top of the file; exact, for any real shares.

    Under `replace` it is 1 - (1 - 1/n)^k, Wright's inbreeding coefficient with n for 2N.

    Args:
        fits: k, at least 0: the founder is 1, generation t is t + 1, and the source is 0.
        samples: n, at least 1.
        workflow: What each generation is trained on.
        same_origin: r: share of the pairs of different items that are either both real or both synthetic, from 0 to 1;
            only for workflows without kept data.

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(fits).

    Source: Wright (1931), Genetics 16:97; Seddik et al. (2024), arXiv:2404.05090 (no real data); derived above for m.

    Example:
        >>> round(expected_fixation(20, samples=100, workflow=Workflow(name="mix", real_share=0.1)), 6)
        0.049869
        >>> round(expected_fixation(20, samples=100, workflow=Workflow(name="accumulate")), 6)
        0.015889
    """
    n, k = whole("samples", samples, least=1), whole("fits", fits, least=0)
    share("same_origin", same_origin)
    if workflow.fresh_share is None:
        return _fixation_of_kept(k, n, subsampled=workflow.name == "accumulate_subsample")
    stay = 1.0 - workflow.fresh_share
    retention, fixation = same_origin * stay + (1.0 - same_origin) * stay**2, 0.0
    for _ in range(k):
        fixation = after_drift(retention * fixation, n)
    return fixation


def _fixation_of_kept(fits: int, n: int, *, subsampled: bool) -> float:
    diversity = 1.0 if fits == 0 else 1.0 - 1.0 / n
    for k in range(1, fits):
        again = _repeated_share(k, n) if subsampled else 0.0
        diversity *= 1.0 - (again + (1.0 - again) / n) / (k + 1.0) ** 2
    return 1.0 - diversity * (1.0 - _repeated_share(fits, n) if subsampled and fits else 1.0)


def _repeated_share(k: int, n: int) -> float:
    """g_k: share of diversity that a random n of k n items lacks."""
    return (k - 1.0) / (k * n - 1.0) if k > 1 else 0.0


def expected_types(source: npt.ArrayLike, *, samples: int) -> float:
    """Expected number of types among n draws, sum_i 1 - (1 - p_i)^n: the types that one generation keeps.

    Args:
        source: [types]: shares.
        samples: n, at least 1.

    Raises:
        InputError: An argument is outside of its range.

    Source: Hurlbert (1971), Ecology 52:577, for draws with replacement; Shumailov et al. (2024), Nature 631:755, for
        the chance (1 - q)^n that a type of share q is lost.

    Example:
        >>> round(expected_types([0.5, 0.25, 0.25], samples=2), 6)
        1.625
    """
    p = numbers("source", source, least=0.0, most=1.0)
    with np.errstate(divide="ignore"):
        lost = np.exp(whole("samples", samples, least=1) * np.log1p(-p))
    return float((1.0 - lost).sum())


def survival(counts: npt.ArrayLike, *, fits: int) -> FloatArray:
    """Probability that a type survives `fits` fits under `replace`, 1 - q_k^c with q_0 = 0, q_{k+1} = exp(q_k - 1).

    It is the limit for many samples, where each occurrence has a Poisson number of copies; it is not exact for shares
    that are not small. Counted from the source, c is the expected number n p_i in the founder's training set. Counted
    from an observed number c, k is the number of generations after it. Cost: O(fits).

    Args:
        counts: c, not negative, of any shape.
        fits: k, at least 0.

    Raises:
        InputError: An argument is outside of its range.

    Source: Galton and Watson (1875); Fisher (1922), Proc. R. Soc. Edinb. 42:321, for the survival of a mutant.

    Example:
        >>> survival([1, 5], fits=10).round(6).tolist()
        [0.158235, 0.577376]
    """
    extinct = 0.0
    for _ in range(whole("fits", fits, least=0)):
        extinct = math.exp(extinct - 1.0)
    c = numbers("counts", counts, least=0.0)
    return np.where(c > 0.0, 1.0 - extinct**c, 0.0)


def survival_bound(counts: npt.ArrayLike, *, fits: int) -> FloatArray:
    """Lower bound of `survival`: 1 - exp(-c/k).

    Args:
        counts: c: expected numbers in the founder's training set, not negative, of any shape.
        fits: k, at least 1.

    Raises:
        InputError: An argument is outside of its range.

    Source: Suresh et al. (2024), Rate of model collapse in recursive training, arXiv:2412.17646.

    Example:
        >>> float(survival_bound(5, fits=10).round(6))
        0.393469
    """
    return np.asarray(-np.expm1(-numbers("counts", counts, least=0.0) / whole("fits", fits, least=1)))


def types_after(source: npt.ArrayLike, fits: int, *, samples: int, workflow: Workflow) -> float | None:
    """Expected number of types that a lineage keeps; None if it is not known.

    It is exact for one fit, under `fresh`, and under `accumulate`, where the founder's types stay. Under `replace` it
    is the limit for many samples (`survival`). It is not known under `mix` and `accumulate_subsample` from the second
    fit on.

    Args:
        source: [types]: shares.
        fits: k, at least 1.
        samples: n, at least 1.
        workflow: What each generation is trained on.

    Raises:
        InputError: An argument is outside of its range.

    Example:
        >>> round(types_after([0.5, 0.25, 0.25], 1, samples=2, workflow=Workflow()), 6)
        1.625
    """
    if whole("fits", fits, least=1) == 1 or workflow.name == "accumulate" or workflow.fresh_share == 1.0:
        return expected_types(source, samples=samples)
    if workflow.fresh_share != 0.0:
        return None
    p = numbers("source", source, least=0.0, most=1.0)
    return float(survival(whole("samples", samples, least=1) * p, fits=fits).sum())
