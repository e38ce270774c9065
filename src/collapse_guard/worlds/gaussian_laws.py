r"""Closed forms of the Gaussian world; the source is N(0, 1), k counts fits, and the founder is the fit k = 1.

Let a = 1 for the unbiased estimator and (n - 1)/n for maximum likelihood, v = E variance and u = E squared mean.

**Fresh real data with probability m in each item** (`replace` is m = 0, `fresh` is m = 1). Given the model N(mu, s), an
item is a draw from the mixture m N(0, 1) + (1 - m) N(mu, s), whose mean is (1 - m) mu and whose variance is
w = m + (1 - m) s + m (1 - m) mu^2; the last term lies between the components. The sample mean has variance w/n and the
estimator has the expectation a w. Taking expectations:

    w_k = m + (1 - m) v_k + m (1 - m) u_k,   v_{k+1} = a w_k,   u_{k+1} = (1 - m)^2 u_k + w_k / n,   v_0 = 1, u_0 = 0

**accumulate.** Fit k pools k n items with mean M and sum of squares Q. The newest n add (n - 1) s within and, with
(k - 1) n items before them, (k - 1) n (xbar - M)^2 / k between, of expectation (k - 1) s / k, as their mean xbar has
variance s/n about the mean M of the model that wrote them. So E Q_k = E Q_{k-1} + v_{k-1} (n - 1/k), and:

    mle:       v_k = v_{k-1} (1 - 1/(n k^2)), so v_k = prod_{j <= k} (1 - 1/(n j^2)) -> sin(x)/x, x = pi / sqrt(n)
    unbiased:  v_1 = 1, v_k = v_{k-1} (1 - 1/(k (k n - 1)))
    both:      u_k = u_{k-1} + v_{k-1} / (n k^2)

**accumulate_subsample.** Given the k n kept items, with V = Q/(k n - 1), a random n of them have the expected variance
a V, and a mean about M of variance (1 - 1/k) V/n. So with b = a + 1 - 1/k:

    E Q_{k+1} = E Q_k + V_k ((n - 1) a + b k/(k + 1)),   E M_{k+1}^2 = E M_k^2 + b V_k / (n (k + 1)^2)
    v_k = a V_k,   u_k = E M_k^2 + (1 - 1/k) V_k / n

Expectations of ln variance and of the distance are known only if all items are synthetic or all are real: variance /
previous variance is then chi-squared over its degrees of freedom, independent of the past.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from scipy.special import digamma, gammaln

from collapse_guard.arguments import share, whole
from collapse_guard.errors import InputError
from collapse_guard.worlds.workflow import Workflow

Estimator = Literal["mle", "unbiased"]


def checked_estimator(estimator: Any) -> Estimator:
    """The estimator; raises InputError for an unknown name.

    Example:
        >>> checked_estimator("mle")
        'mle'
    """
    if estimator not in get_args(Estimator):
        raise InputError(f'`estimator` must be "mle" or "unbiased", but got {estimator!r}: give one of them')
    known: Estimator = estimator
    return known


def expected_variance(fits: int, *, samples: int, workflow: Workflow, estimator: Estimator = "unbiased") -> float:
    """Expected variance after `fits` fits, by the laws at the top of the file. It is known under every workflow.

    Under `replace` it is (1 - 1/n)^k for "mle" and 1 for "unbiased": a martingale, though its lineages collapse.

    Args:
        fits: k, at least 0: the founder is 1, generation t is t + 1, and the source is 0.
        samples: n, at least 2.
        workflow: What each generation is trained on.
        estimator: "mle" or "unbiased".

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(fits).

    Source: Shumailov et al. (2024), Nature 631:755; the other workflows are derived at the top of the file.

    Example:
        >>> round(expected_variance(10, samples=100, workflow=Workflow(), estimator="mle"), 6)
        0.904382
        >>> round(expected_variance(10, samples=100, workflow=Workflow(name="accumulate"), estimator="mle"), 6)
        0.984568
    """
    return _moments(fits, samples, workflow, estimator)[0]


def expected_squared_mean(fits: int, *, samples: int, workflow: Workflow, estimator: Estimator = "unbiased") -> float:
    """Expected square of the fitted mean (the drift of the centre) after `fits` fits; arguments as `expected_variance`.

    Under `replace` it is k/n for "unbiased" and 1 - (1 - 1/n)^k for "mle".

    Example:
        >>> round(expected_squared_mean(11, samples=100, workflow=Workflow()), 6)
        0.11
    """
    return _moments(fits, samples, workflow, estimator)[1]


def expected_log_variance(
    fits: int, *, samples: int, workflow: Workflow, estimator: Estimator = "unbiased"
) -> float | None:
    r"""Expected ln variance after `fits` fits: k (psi((n - 1)/2) - ln((n - 1)/2) + ln a) under `replace`.

    Under `fresh` it is the value of one fit. None if no closed form is known: from the second fit on, under `mix`
    unless the share is 0 or 1, and where earlier data are kept. Arguments as `expected_variance`. Cost: O(1).

    Source: Shumailov et al. (2024), Nature 631:755; the expectation of a log chi-squared variable.

    Example:
        >>> round(expected_log_variance(1, samples=100, workflow=Workflow()), 8)
        -0.01013502
    """
    n, factor = _check_arguments(fits, samples, estimator)
    factors = _n_factors(fits, workflow)
    half = (n - 1) / 2.0
    return None if factors is None else factors * float(digamma(half) - math.log(half) + math.log(factor))


def expected_squared_wasserstein(
    fits: int, *, samples: int, workflow: Workflow, estimator: Estimator = "unbiased", dimensions: int = 1
) -> float | None:
    r"""Expected squared 2-Wasserstein distance to the source, d (u + v + 1 - 2 c^k), under `replace`.

    u and v are as in `expected_squared_mean` and `expected_variance`; c = sqrt(2/(n - 1)) Gamma(n/2)/Gamma((n - 1)/2)
    sqrt(a) is the expected ratio of standard deviations. For the unbiased estimator it is d (k/n + 2 - 2 c^k), which
    grows without bound. Under `fresh` k = 1. None if no closed form is known, as for `expected_log_variance`.
    Cost: O(fits).

    Source: Shumailov et al. (2024), Nature 631:755, theorem 3.1 (that it diverges).

    Example:
        >>> round(expected_squared_wasserstein(11, samples=100, workflow=Workflow()), 5)
        0.16479
    """
    n, factor = _check_arguments(fits, samples, estimator)
    factors = _n_factors(fits, workflow)
    if factors is None:
        return None
    variance, squared_mean = _moments(fits, samples, workflow, estimator)
    shrinkage = math.log(2.0 * factor / (n - 1)) / 2.0 + float(gammaln(n / 2.0) - gammaln((n - 1) / 2.0))
    expected = squared_mean + variance + 1.0 - 2.0 * math.exp(factors * shrinkage)
    return whole("dimensions", dimensions, least=1) * expected


def stationary_variance(*, samples: int, real_share: float, estimator: Estimator = "unbiased") -> float:
    r"""Variance that `mix` tends to: a w with w = m / (1 - (1 - m) a - (1 - m)/(n (2 - m))).

    It is the fixed point of the law at the top of the file, and infinite if there is none. For the unbiased estimator
    there is none if n m (2 - m) <= 1 - m, about half a real item per generation: the centre then drifts faster than
    real data pull it back, and the expected variance grows without bound. 0 for "mle" without real data. Cost: O(1).

    Args:
        samples: n, at least 2.
        real_share: m, from 0 to 1.
        estimator: "mle" or "unbiased".

    Raises:
        InputError: An argument is outside of its range.

    Source: the law at the top of the file.

    Example:
        >>> round(stationary_variance(samples=100, real_share=0.1), 6)
        1.049724
        >>> stationary_variance(samples=100, real_share=0.001)
        inf
    """
    n, factor = _check_arguments(1, samples, estimator)
    m = share("real_share", real_share)
    if m == 0.0:
        return 1.0 if factor == 1.0 else 0.0
    gap = 1.0 - (1.0 - m) * factor - (1.0 - m) / (n * (2.0 - m))
    return factor * m / gap if gap > 0.0 else math.inf


def _check_arguments(fits: int, samples: int, estimator: Estimator) -> tuple[int, float]:
    """n and a."""
    whole("fits", fits, least=0)
    n = whole("samples", samples, least=2)
    return n, 1.0 if checked_estimator(estimator) == "unbiased" else (n - 1.0) / n


def _n_factors(fits: int, workflow: Workflow) -> int | None:
    """The number of independent factors whose product is the variance; None if it is no such product."""
    if workflow.fresh_share == 0.0 or fits <= 1:
        return fits
    return 1 if workflow.fresh_share == 1.0 else None


def _moments(fits: int, samples: int, workflow: Workflow, estimator: Estimator) -> tuple[float, float]:
    """Expected variance and squared mean."""
    n, factor = _check_arguments(fits, samples, estimator)
    if fits == 0:
        return 1.0, 0.0
    if workflow.fresh_share is not None:
        return _mix_moments(fits, n, factor, workflow.fresh_share)
    return (_accumulate_moments if workflow.name == "accumulate" else _subsample_moments)(fits, n, factor)


def _mix_moments(fits: int, n: int, factor: float, m: float) -> tuple[float, float]:
    variance, square = 1.0, 0.0
    for _ in range(fits):
        within = m + (1.0 - m) * variance + m * (1.0 - m) * square
        variance, square = factor * within, (1.0 - m) ** 2 * square + within / n
    return variance, square


def _accumulate_moments(fits: int, n: int, factor: float) -> tuple[float, float]:
    variance, square = factor, 1.0 / n
    for k in range(2, fits + 1):
        square += variance / (n * k**2)
        variance *= 1.0 - (1.0 / (k * (k * n - 1.0)) if factor == 1.0 else 1.0 / (n * k**2))
    return variance, square


def _subsample_moments(fits: int, n: int, factor: float) -> tuple[float, float]:
    squares, pool_mean = n - 1.0, 1.0 / n
    for k in range(1, fits):
        spread, step = squares / (k * n - 1.0), factor + 1.0 - 1.0 / k
        squares += spread * ((n - 1.0) * factor + step * k / (k + 1.0))
        pool_mean += step * spread / (n * (k + 1.0) ** 2)
    spread = squares / (fits * n - 1.0)
    return factor * spread, pool_mean + (1.0 - 1.0 / fits) * spread / n
