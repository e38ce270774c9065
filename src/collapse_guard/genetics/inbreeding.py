r"""Expected inbreeding and purged inbreeding, and their effect on fitness.

n samples are drawn for each generation (`samples` in the code). They take the place of the 2N genes of N individuals in
the sources, so a published value for N is the value for `samples=2 * N` here. n may be an effective size, so it need
not be a whole number. t counts generations: F_0 = 0 is a model without loss, and F_1 = 1/n a model fitted to n samples.
Results have the shape that the arguments broadcast to.

Fitness falls as exp(-B g) and perplexity, its mirror, rises as exp(B g): ln PPL_t = ln PPL_0 + B g_t.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import numbers, whole
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.genetics.migration import after_drift, after_immigration


def inbreeding(generations: npt.ArrayLike, *, samples: npt.ArrayLike) -> FloatArray:
    r"""Inbreeding F: chance that two items descend from one, `1 - (1 - 1/n)^t`.

    Range: [0, 1]; 0 at t = 0. Collapse: up. It is the share of diversity that drift is expected to take.
    Cost: O(1) per value.

    Args:
        generations: t, at least 0, of any shape; need not be a whole number.
        samples: n, at least 1, of a shape that broadcasts.

    Raises:
        InputError: An argument is outside of its range, or shapes do not fit.

    Source: Wright (1931), Evolution in Mendelian populations, Genetics 16:97; for models Seddik et al. (2024),
    arXiv:2404.05090.

    Example:
        >>> inbreeding([0, 1, 50], samples=20).round(6).tolist()
        [0.0, 0.05, 0.923055]
    """
    t, n = numbers("generations", generations, least=0.0), numbers("samples", samples, least=1.0)
    _common_shape("`generations` and `samples`", t.shape, n.shape)
    # Exact for large n too.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t == 0.0, 0.0, -np.expm1(t * np.log1p(-1.0 / n)))


def purged_inbreeding(
    generations: int, *, samples: npt.ArrayLike, purging: npt.ArrayLike, real_share: npt.ArrayLike = 0.0
) -> FloatArray:
    r"""Purged inbreeding g_0 to g_T: inbreeding weighted by the load that selection has left.

    `g_t = [(1 - 1/n) (1 - m)^2 g_{t-1} + 1/n] (1 - 2 d F_{t-1})` with `F_t = 1/n + (1 - 1/n) (1 - m)^2 F_{t-1}`, and
    g_0 = F_0 = 0. The published law has no real data, m = 0. With real data, two items can only descend from one if
    both are synthetic, as in `genetics.migration`, and purging uses F of the whole previous model. Range: [0, F_t]; it
    is F_t for d = 0. Collapse: up. Without real data, and if d n is large enough, it rises, turns and falls to
    (1 - 2 d) / (1 + 2 d (n - 1)). With real data it can end higher than without, because only what is inbred is
    purged. The theory holds for d n of at least 2. Cost: O(T) per path.

    Args:
        generations: T, at least 0.
        samples: n, at least 1, of any shape.
        purging: d, the purging coefficient, from 0 (none) to 0.5 (recessive lethals), of a shape that broadcasts.
        real_share: m, from 0 to 1: one number for all generations, or [..., T] for each after the first.

    Returns:
        [..., T + 1]: paths, g_0 first.

    Raises:
        InputError: An argument is outside of its range, or shapes do not fit.

    Source: García-Dorado (2012), Understanding and predicting the fitness decline of shrunk populations, Genetics
    190:1461; the term for real data is this project's.

    Example:
        >>> purged_inbreeding(50, samples=20, purging=0.2)[[0, 1, 10, 50]].round(6).tolist()
        [0.0, 0.05, 0.232498, 0.08011]
    """
    steps = whole("generations", generations, least=0)
    n, d = numbers("samples", samples, least=1.0), numbers("purging", purging, least=0.0, most=0.5)
    shares = _by_generation(real_share, steps)
    names = "`samples`, `purging` and the leading axes of `real_share`"
    shape = _common_shape(names, n.shape, d.shape, shares.shape[:-1])
    paths, both = np.zeros((steps + 1, *shape)), np.zeros((2, *shape))  # g and F
    synthetic = np.moveaxis(after_immigration(1.0, shares), -1, 0)
    for step in range(steps):
        left = 1.0 - 2.0 * d * both[1]
        both = after_drift(synthetic[step] * both, n)
        both[0] *= left
        paths[step + 1] = both[0]
    return np.moveaxis(paths, 0, -1)


def _common_shape(names: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise InputError(
            f"{names} must broadcast, but got the shapes {', '.join(map(str, shapes))}: give numbers, or arrays of one "
            "shape"
        ) from error


def _by_generation(real_share: Any, steps: int) -> FloatArray:
    shares = numbers("real_share", real_share, least=0.0, most=1.0)
    if shares.ndim and shares.shape[-1] != steps:
        raise InputError(
            f"`real_share` must be one number, or one for each of {steps} generations after the first, but got the "
            f"shape {shares.shape}: leave out the first generation's"
        )
    return shares if shares.ndim else np.full(steps, shares)
