"""Clouds: a density that is learnt from vectors, one cloud around each, as wide as the nearest others are far."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

from collapse_guard.arguments import above
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.neighbours import neighbour_radii
from collapse_guard.indicators.vectors import Vectors, array

FREEDOM = 3.0
"""Degrees of freedom of a cloud: its tail is so heavy that one far vector counts by the logarithm of its distance."""
NEIGHBOURS = 6
"""In one dimension a cloud is as wide as its six nearest neighbours are far in the geometric mean, in two as its three:
the nearest one alone is at any distance there."""
_WIDTH = 3.0


def cloud_losses(*, samples: Vectors, rows: Vectors, narrowest: float) -> FloatArray:
    r"""Losses of vectors under a density that is learnt from samples: one t distribution around each of them.

    .. math:: \ell(y) = -\ln \frac1n \sum_{i=1}^n t_3(y; x_i, h_i^2 I), \qquad
              h_i^2 = \frac{3}{d} \prod_{k=1}^{K} \max(r_{ik}, r_0)^{2/K}, \qquad
              K = \max(1, \lfloor 6 / d \rfloor)

    with r_ik the distance of sample i to its k-th nearest other one, and r_0 the narrowest that a cloud may be: copies
    are no nearer than that. Where there are not K others, all count. The density has an integral of 1 whatever the
    samples are, and its width is theirs: samples that are too narrow, too wide, far away, or that lack a part of the
    data give a larger loss. If all is moved or turned, it stays; if all is stretched by c, it rises by d ln c.

    Unit: nats. Range: (-inf, inf); lower is better. O((n + m) n d) time, O(n m) memory.

    Args:
        samples: n d finite numbers, n at least 2.
        rows: m d finite numbers: what is scored.
        narrowest: r_0, above 0, in the unit of the vectors.

    Returns:
        m: the loss of each row.

    Raises:
        InputError: There is one sample or none, the shapes do not fit, or `narrowest` is not above 0.

    Source: Breiman, Meisel and Purcell (1977), Variable kernel estimates of multivariate densities, Technometrics
    19:135. The widths are ours: with them the density is near its best for 100 samples in 2 to 13 dimensions.

    Example:
        >>> near, far = cloud_losses(samples=[[0.0], [1.0], [2.0]], rows=[[0.5], [9.0]], narrowest=0.01)
        >>> bool(near < far)
        True
    """
    above("narrowest", narrowest, 0.0)
    known = array(samples, name="samples")
    scored = array(rows, dimension=known.shape[1], name="rows")
    n, d = known.shape
    if n < 2:
        raise InputError(f"`samples` must be at least 2, but got {n}: the nearest others say how wide a cloud is")
    squared_widths = _WIDTH / d * _distances(known, narrowest) ** 2
    constant = gammaln((FREEDOM + d) / 2.0) - gammaln(FREEDOM / 2.0) - d / 2.0 * math.log(FREEDOM * math.pi)
    far = np.log1p(cdist(scored, known, "sqeuclidean") / (FREEDOM * squared_widths))
    logs = constant - d / 2.0 * np.log(squared_widths) - (FREEDOM + d) / 2.0 * far
    losses: FloatArray = math.log(n) - logsumexp(logs, axis=1)
    return losses


def _distances(samples: FloatArray, narrowest: float) -> FloatArray:
    """n: how far the nearest others are, in the geometric mean."""
    n, d = samples.shape
    most = min(max(1, NEIGHBOURS // d), n - 1)
    logs = [np.log(np.maximum(neighbour_radii(samples, k), narrowest)) for k in range(1, most + 1)]
    distances: FloatArray = np.exp(np.mean(logs, axis=0))
    return distances
