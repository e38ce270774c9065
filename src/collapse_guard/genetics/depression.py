r"""Inbreeding depression of a model: perplexity over generations as load, effective size and purging.

.. math:: \ln \mathrm{PPL}_t = \ln \mathrm{PPL}_0 + B \, g_t(n_e, d) + \varepsilon_t

g is purged inbreeding (`genetics.inbreeding`). Without purging, d = 0, g is the inbreeding coefficient and perplexity
only rises; with it, it rises, turns and comes down again. Fitness is the same curve upside down, W_t / W_0 = exp(-B
g_t).

The fit is least squares. It starts at the best cell of a grid of n_e and d and descends from there; B and the
founder's level are solved for at each point. B and n_e affect the first generations in almost the same way, so the
intervals are profiles: all values whose best fit is not significantly worse by an F test, with two degrees of freedom
because the surface is curved. Successively finer grids locate the ends, which are rounded outward. An interval without
an upper end means that the data do not bound the value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import fdtrc, fdtri

from collapse_guard.arrays import FloatArray
from collapse_guard.genetics.inbreeding import purged_inbreeding
from collapse_guard.genetics.series import confidence, series

FEWEST = 6
"""Generations after the founder that a fit of three numbers needs."""
SIZES = np.geomspace(1.5, 3000.0, 40)
"""The first grid of n_e. With a larger n_e, every lineage of some tens of generations is a straight line."""
PURGINGS = np.linspace(0.0, 0.5, 26)
_PARAMETERS, _DESCENTS, _CLOSER, _CELLS, _AT_ONCE = 4, 40, 4, 13, 100
_CROSS = ndimage.generate_binary_structure(2, 1)[None]
"""A cell, and those that touch it along an axis."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DepressionFit:
    """Load, effective size and purging of lineages; each of the shape of the lineages."""

    load: FloatArray
    """B: nats that full inbreeding would add to the loss, the inbreeding load."""
    load_low: FloatArray
    """Lower end of the interval of B."""
    load_high: FloatArray
    """Upper end."""
    size: FloatArray
    """n_e of the curve."""
    size_low: FloatArray
    """Lower end of the interval of n_e."""
    size_high: FloatArray
    """Upper end; infinite where a straight line fits as well."""
    purging: FloatArray
    """d: purging coefficient, from 0 to 0.5."""
    purging_low: FloatArray
    """Lower end of the interval of d."""
    purging_high: FloatArray
    """Upper end."""
    p_purging: FloatArray
    """p-value of the test of d = 0: a small one is evidence of purging."""
    founder: FloatArray
    """ln PPL_0 of the fitted curve; the founder's measured value differs a little."""
    error: FloatArray
    """Standard deviation of the residuals, in nats."""
    level: float
    """Confidence of the intervals."""

    def curve(self, generations: int, *, real_share: npt.ArrayLike = 0.0) -> FloatArray:
        """Fitted ln PPL_t: [..., generations + 1]; its fall since the founder is the logarithm of relative fitness."""
        paths = purged_inbreeding(generations, samples=self.size, purging=self.purging, real_share=real_share)
        return np.asarray(self.founder[..., None] + self.load[..., None] * paths)


def fit_depression(
    log_perplexity: npt.ArrayLike, *, real_share: npt.ArrayLike = 0.0, purging: bool = True, level: float = 0.9
) -> DepressionFit:
    r"""Fit (B, n_e, d) to the perplexity of each lineage, with profile intervals.

    Unit of B: nats. Collapse: fast if B is large and n_e is small. Undefined: if perplexity never rose, B is 0 and n_e
    and d are arbitrary. A small `p_purging` is evidence of purging (F test of d = 0 with one degree of freedom).
    Cost: O(lineages * generations * 1500).

    Args:
        log_perplexity: [..., generations + 1]: ln of perplexity on the same real text, of the founder first, and of
            each generation after it.
        real_share: m: share of fresh real data in each training set after the founder's, from 0 to 1.
        purging: Whether to fit d; if not, d is 0.
        level: Confidence of the intervals, between 0 and 1.

    Raises:
        InputError: Fewer than six generations after the founder, a value that is not finite, or a number outside of its
            range.

    Source: García-Dorado (2012), Genetics 190:1461 (g); López-Cortegano (2022), Bioinformatics 38:564 (fitting d on a
        grid, and testing it against d = 0); Bates and Watts (1988), Nonlinear Regression Analysis, chapter 6
        (profiles).

    Example:
        >>> path = purged_inbreeding(12, samples=10, purging=0.2)
        >>> fit = fit_depression(3.0 + 2.0 * path)
        >>> round(float(fit.load), 2), round(float(fit.size), 1), round(float(fit.purging), 2)
        (2.0, 10.0, 0.2)
    """
    values = series("log_perplexity", log_perplexity, fewest=FEWEST)
    shape, steps = values.shape[:-1], values.shape[-1] - 1
    freedom = steps + 1 - _PARAMETERS + (not purging)
    bar = 1.0 + 2.0 * float(fdtri(2, freedom, confidence(level))) / freedom
    lineages = values.reshape(-1, steps + 1)
    shares = np.broadcast_to(np.asarray(real_share, dtype=np.float64), (*shape, steps)).reshape(-1, steps)
    chunks = [
        _fit(lineages[part], shares[part], bar, purging=purging)
        for part in (slice(at, at + _AT_ONCE) for at in range(0, len(lineages), _AT_ONCE))
    ]
    best = {name: np.concatenate([chunk[name] for chunk in chunks]).reshape(shape) for name in chunks[0]}
    smallest, without = best.pop("smallest"), best.pop("without")
    paths = purged_inbreeding(steps, samples=best["size"], purging=best["purging"], real_share=real_share)
    founder = (values - best["load"][..., None] * paths).mean(-1)
    ratio = np.clip(without - smallest, 0.0, None) / (smallest / freedom)
    p_purging = np.asarray(fdtrc(1, freedom, ratio)) if purging else np.ones(shape)
    return DepressionFit(**best, p_purging=p_purging, founder=founder, error=np.sqrt(smallest / freedom), level=level)


def _fit(values: FloatArray, shares: FloatArray, bar: float, *, purging: bool) -> dict[str, FloatArray]:
    """Best values, their intervals, and the residual sums of squares with and without purging; each [lineages]."""
    sizes, purgings = (
        np.broadcast_to(grid, (len(values), len(grid))) for grid in (SIZES, PURGINGS if purging else [0.0])
    )
    rest, load, half = _cells(values, shares, sizes, purgings)
    row, place = np.arange(len(rest)), rest.reshape(len(rest), -1).argmin(-1)
    at_size, at_purging = np.divmod(place, purgings.shape[1])
    start = np.stack([np.log(sizes[row, at_size]), purgings[row, at_purging]], axis=-1)
    best, smallest, best_load = _descend(values, shares, start, purging=purging)
    # A perfect fit leaves rounding only, which is no evidence against its neighbours.
    smallest = np.maximum(smallest, (1e-9 * np.ptp(values, axis=-1)) ** 2 + np.finfo(float).tiny)
    without = np.where(purgings[:, None] == 0.0, rest, math.inf).min((-1, -2))
    estimates = {"size": np.exp(best[:, 0]), "purging": best[:, 1], "load": best_load}
    limit, centre = (smallest * bar)[:, None, None], best_load[:, None, None]
    for _ in range(_CLOSER):
        # The best point is inside, wherever the points of the grid are.
        nearest = np.abs(np.log(sizes) - best[:, :1]).argmin(-1), np.abs(purgings - best[:, 1:]).argmin(-1)
        inside = rest <= limit
        inside[row, nearest[0], nearest[1]] = True
        neighbourhood = ndimage.binary_dilation(inside, _CROSS)
        reach = np.sqrt(np.clip(limit - rest, 0.0, None)) * half
        estimates["load_low"] = np.where(neighbourhood, np.clip(load - reach, 0.0, None), centre).min((-1, -2))
        estimates["load_high"] = np.where(neighbourhood, load + reach, centre).max((-1, -2))
        low, high = (np.clip(np.exp(end), SIZES[0], SIZES[-1]) for end in _ends(np.log(sizes), inside.any(-1)))
        estimates["size_low"] = np.minimum(low, estimates["size"])
        estimates["size_high"] = np.maximum(high, estimates["size"])
        low, high = (np.clip(end, 0.0, PURGINGS[-1]) for end in _ends(purgings, inside.any(-2)))
        estimates["purging_low"], estimates["purging_high"] = np.minimum(low, best[:, 1]), np.maximum(high, best[:, 1])
        sizes = np.geomspace(estimates["size_low"], estimates["size_high"], _CELLS, axis=-1)
        if purging:
            purgings = np.linspace(estimates["purging_low"], estimates["purging_high"], _CELLS, axis=-1)
        rest, load, half = _cells(values, shares, sizes, purgings)
        without = np.minimum(without, np.where(purgings[:, None] == 0.0, rest, math.inf).min((-1, -2)))
    high = estimates["size_high"]
    estimates["size_high"] = np.where(high > SIZES[-1] * (1.0 - 1e-9), math.inf, high)
    return {**estimates, "smallest": smallest, "without": np.maximum(without, smallest)}


def _descend(
    values: FloatArray, shares: FloatArray, start: FloatArray, *, purging: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Levenberg-Marquardt in (ln n_e, d) from one start per lineage: the best point, its residual sum, and its B."""
    low, high = np.array([math.log(SIZES[0]), 0.0]), np.array([math.log(SIZES[-1]), PURGINGS[-1]])
    at, damping, shift = start, np.full(len(start), 1e-3), 1e-5 * np.eye(2)[: 1 + purging]
    each, n = np.arange(len(shift)), len(shift)
    left, load = _residuals(values, shares, at)
    for _ in range(_DESCENTS):
        # Step away from the upper end, so that the slope is taken on the curve.
        side = np.where(at[:, None] + shift > high, -1.0, 1.0)
        aside = (at[:, None] + side * shift).reshape(-1, 2)
        rest = _residuals(values.repeat(n, axis=0), shares.repeat(n, axis=0), aside)[0]
        rises = rest.reshape(len(at), n, -1) - left[:, None]
        slope = rises / (side[:, each, each, None] * 1e-5)
        square = slope @ slope.swapaxes(1, 2)
        square = square + damping[:, None, None] * square * np.eye(1 + purging) + 1e-15 * np.eye(1 + purging)
        move = -np.linalg.solve(square, slope @ left[..., None])[..., 0]
        candidate = np.clip(at + move @ np.eye(2)[: 1 + purging], low, high)
        newer, newer_load = _residuals(values, shares, candidate)
        better = (newer**2).sum(-1) < (left**2).sum(-1)
        at, left = np.where(better[:, None], candidate, at), np.where(better[:, None], newer, left)
        load, damping = np.where(better, newer_load, load), np.where(better, damping / 5.0, damping * 5.0)
    return at, np.asarray((left**2).sum(-1)), load


def _residuals(values: FloatArray, shares: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residuals of the best B and founder's level at one point per lineage: [lineages, generations + 1], and B."""
    steps = values.shape[-1] - 1
    path = purged_inbreeding(steps, samples=np.exp(at[:, 0]), purging=np.clip(at[:, 1], 0.0, 0.5), real_share=shares)
    path, centred = path - path.mean(-1, keepdims=True), values - values.mean(-1, keepdims=True)
    load = np.clip((path * centred).sum(-1) / np.maximum((path**2).sum(-1), 1e-300), 0.0, None)
    return np.asarray(centred - load[:, None] * path), load


def _cells(
    values: FloatArray, shares: FloatArray, sizes: FloatArray, purgings: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For each cell: the residual sum of squares, B, and how far B moves if the sum grows by one."""
    paths = purged_inbreeding(
        values.shape[-1] - 1,
        samples=sizes[:, :, None],
        purging=purgings[:, None, :],
        real_share=shares[:, None, None, :],
    )
    paths = paths - paths.mean(-1, keepdims=True)
    centred = values - values.mean(-1, keepdims=True)
    cross, squares = np.einsum("lnds,ls->lnd", paths, centred), np.maximum((paths**2).sum(-1), 1e-300)
    load = np.clip(cross / squares, 0.0, None)
    rest = (centred**2).sum(-1)[:, None, None] - 2.0 * load * cross + load**2 * squares
    return np.clip(rest, 0.0, None), load, 1.0 / np.sqrt(squares)


def _ends(grid: FloatArray, inside: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The points just outside of those that are inside; beyond the grid where its end is inside."""
    row, last = np.arange(len(grid)), grid.shape[1] - 1
    first, final = inside.argmax(-1), last - inside[:, ::-1].argmax(-1)
    width = grid[:, -1] - grid[:, 0]
    low = np.where(first > 0, grid[row, np.maximum(first - 1, 0)], grid[:, 0] - width)
    high = np.where(final < last, grid[row, np.minimum(final + 1, last)], grid[:, -1] + width)
    return low, high
