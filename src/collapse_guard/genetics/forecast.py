r"""Forecast of an indicator under a mixture: paths with bands, from the few generations that a lineage has.

A generation that learns from samples alone passes on the losses of its parent and adds its own; real data dilute both:

.. math:: h_{t+1} = D_s(u) + \varepsilon, \qquad u = a + \lambda h_t

h is the effect against the founder and s the synthetic share of the training set. a is what one generation on samples
alone adds, and lambda in [0, 1] is the part that is passed on. How real data dilute depends on what mixes:

| `mixing`    | what mixes                          | D_s(u)                 | such as                          |
|-------------|-------------------------------------|------------------------|----------------------------------|
| `amount`    | h itself                            | s u                    | a share of n-grams; a loss       |
| `log`       | exp(h)                              | ln(1 - s + s exp(u))   | a log ratio that rises           |
| `minus_log` | exp(-h)                             | -ln(1 - s + s exp(-u)) | a log ratio that falls, turned   |
| `pair`      | the chance that two items agree     | s^2 u                  | the fixation index               |

For a learner of unlimited capacity, a loss in nats would be a `minus_log`: it would rise by no more than -ln(1 - s),
however bad the samples are. Small models lost more than in proportion, so a loss is treated as an `amount`. The last
line is exactly the law of drift and migration: with h counted from the founder, lambda = 1 - 1/n and a = 1/n. If a
lineage was trained on real data only, nothing is diluted, and s is 1.

**Unknown quantities are drawn.** For each lambda of a grid, a is a regression. The prior of lambda is normal with mean
0.8 and standard deviation 0.2. Errors are normal; their variance has an inverse chi-squared prior of three degrees of
freedom, scaled to about twice the mean squared standard error plus the square of a fifth of the usual step, because the
law is not exact either. These constants were chosen on 223 lineages whose seeds differ from those that
`docs/forecast.md` scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import whole
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError, near
from collapse_guard.genetics.series import by_generation, checked_shares, series

Mixing = Literal["amount", "log", "minus_log", "pair"]
MIXINGS: tuple[Mixing, ...] = get_args(Mixing)
"""How values of real and synthetic data mix."""
MEMORIES = np.linspace(0.0, 1.0, 21)
"""The grid of lambda."""
PRIOR_MEMORY, PRIOR_SD, UNDILUTED_MEMORY, UNDILUTED_SD = 0.8, 0.2, 0.5, 0.5
PRIOR_FREEDOM, MISFIT = 3.0, 0.2
_LARGEST, _SMALLEST, _ALMOST_ALL = 500.0, 1e-6, np.nextafter(-1.0, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """Draws of the unknown quantities of lineages; the first axis of each array counts draws."""

    added: FloatArray
    """[draws, ...]: a."""
    memory: FloatArray
    """[draws, ...]: lambda."""
    noise: FloatArray
    """[draws, ...]: standard deviation of the error under the shares of the data that the law was learned from."""
    measuring: FloatArray
    """[...]: the part of it that comes from measurement, which no mixture changes."""
    learned_share: FloatArray
    """[...]: mean s of the data that the law was learned from; errors of the law itself scale with s."""
    newest: FloatArray
    """[...]: the effect of the newest generation."""
    mixing: npt.NDArray[np.str_]
    """[...]: one of `MIXINGS` for each lineage."""
    undiluted: npt.NDArray[np.bool_]
    """[...]: whether the lineage was trained on real data only so far; s is then 1 for every mixture."""
    seed: int
    """Seed of the errors of paths; all mixtures share it, so that they differ by the mixture and not by chance."""

    def paths(self, synthetic_shares: npt.ArrayLike, *, noise: bool = True) -> FloatArray:
        """Possible effects of the next generations: [draws, ..., generations]. Cost: O(draws * lineages * generations).

        Args:
            synthetic_shares: s of each coming generation, [generations] or [..., generations].
            noise: Whether to add the errors of what will be measured; if not, the paths follow the law alone.
        """
        shares = checked_shares("synthetic_shares", synthetic_shares)
        shares = np.where(self.undiluted[..., None], 1.0, shares)
        errors = np.random.default_rng(self.seed).standard_normal((shares.shape[-1], *self.added.shape))
        effect, effects = np.broadcast_to(self.newest, self.added.shape), []
        for step, error in enumerate(errors):
            effect = diluted(self.added + self.memory * effect, shares[..., step], self.mixing)
            effect = effect + self._noise(shares[..., step]) * error if noise else effect
            effects.append(effect)
        return np.stack(effects, axis=-1)

    def _noise(self, share: FloatArray) -> FloatArray:
        own = np.maximum(self.noise**2 - self.measuring**2, 0.0) * (share / self.learned_share) ** 2
        return np.asarray(np.sqrt(np.minimum(self.noise, self.measuring) ** 2 + own))


def diluted(effect: npt.ArrayLike, share: npt.ArrayLike, mixing: npt.ArrayLike) -> FloatArray:
    """D_s(u) of the table at the top of the file: what remains of an effect that a share s of the data has. O(1).

    Args:
        effect: u, of any shape.
        share: s, from 0 to 1, of a shape that broadcasts.
        mixing: One of `MIXINGS`, or one for each effect.

    Example:
        >>> diluted([0.5, 9.0], 0.1, "minus_log").round(4).tolist()
        [0.0401, 0.1053]
    """
    u, s, kind = np.asarray(effect, dtype=np.float64), np.asarray(share, dtype=np.float64), np.asarray(mixing)
    sign = _sign(kind)
    logarithm = sign * np.log1p(np.maximum(s * np.expm1(np.minimum(sign * u, _LARGEST)), _ALMOST_ALL))
    return np.where(sign == 0.0, np.where(kind == "pair", s * s, s) * u, np.where(s == 1.0, u, logarithm))


def concentrated(effect: FloatArray, share: FloatArray, mixing: npt.NDArray[np.str_]) -> tuple[FloatArray, FloatArray]:
    """The inverse of `diluted`: u of h = D_s(u), and the slope of D_s there. O(1).

    Args:
        effect: h, of any shape.
        share: s, above 0, of a shape that broadcasts.
        mixing: One of `MIXINGS`, or one for each effect.

    Example:
        >>> u, slope = concentrated(np.array(0.2), np.array(0.5), np.array("amount"))
        >>> float(u), float(slope)
        (0.4, 0.5)
    """
    sign = _sign(mixing)
    slope = np.where(mixing == "pair", share * share, share)
    inside = np.where(sign == 0.0, 0.0, np.expm1(np.minimum(sign * effect, _LARGEST)) / share)
    with np.errstate(invalid="ignore", divide="ignore"):
        u = np.where(sign == 0.0, effect / slope, sign * np.log1p(inside))
    return u, np.where(sign == 0.0, slope, share * (1.0 + inside) * np.exp(-sign * effect))


def _sign(mixing: npt.NDArray[np.str_]) -> FloatArray:
    return np.where(mixing == "log", 1.0, np.where(mixing == "minus_log", -1.0, 0.0))


def learn(
    effects: npt.ArrayLike,
    standard_errors: npt.ArrayLike,
    *,
    synthetic_shares: npt.ArrayLike,
    mixing: npt.ArrayLike = "amount",
    draws: int = 400,
    seed: int = 0,
) -> Law:
    """Learn the law of each lineage from its generations. Cost: O(lineages * generations * 21 + draws * lineages).

    Args:
        effects: [..., generations + 1]: h; the founder's, first, is 0.
        standard_errors: Standard errors of the effects, of the same shape; the founder's may be 0.
        synthetic_shares: s of each generation after the founder: one number, or [..., generations].
        mixing: One of `MIXINGS`, or one for each lineage. A lineage whose effects exceed what its share of samples can
            explain is treated as an `amount`.
        draws: How many possible laws to draw.
        seed: Seed of the draws.

    Raises:
        InputError: No generation after the founder, shapes that do not fit, or a number outside of its range.

    Example:
        >>> law = learn([0.0, 0.1, 0.19, 0.271], [0.0, 0.001, 0.001, 0.001], synthetic_shares=1.0, seed=1)
        >>> [round(float(value), 1) for value in np.median(law.paths([1.0, 1.0]), axis=0)]
        [0.3, 0.4]
    """
    values, errors, shares = _series(effects, standard_errors, synthetic_shares)
    n_draws, rng = whole("draws", draws, least=1), np.random.default_rng(seed)
    undiluted = (shares == 0.0).all(-1)
    shares = np.where(undiluted[..., None], 1.0, shares)
    kinds, alone, weights = _alone(values, shares, _mixing(mixing, undiluted.shape))
    added, squares = _regressions(values, alone, weights)
    freedom = PRIOR_FREEDOM + values.shape[-1] - 2.0
    steps = (np.diff(values, axis=-1) ** 2).mean(-1)
    # Without errors and steps, the logarithm below would be infinite.
    measuring = 2.0 * (errors**2).mean(-1)
    scale = measuring + MISFIT**2 * steps + np.finfo(float).tiny
    squares = squares + PRIOR_FREEDOM * scale
    places = _draw_memories(squares, undiluted, freedom, n_draws, rng)
    noise = np.sqrt(_at(squares, places) / rng.chisquare(freedom, places.shape))
    return Law(
        added=_at(added, places) + rng.standard_normal(places.shape) * noise / np.sqrt((weights**2).sum(-1)),
        memory=MEMORIES[places],
        noise=noise,
        measuring=np.sqrt(measuring),
        learned_share=shares.mean(-1),
        newest=values[..., -1],
        mixing=kinds,
        undiluted=undiluted,
        seed=int(rng.integers(2**63)),
    )


def _alone(
    values: FloatArray, shares: FloatArray, mixing: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.str_], FloatArray, FloatArray]:
    """The kinds that fit, u of each generation after the founder, and how much of an error in u shows in h."""
    some = np.maximum(shares, _SMALLEST)
    u, slope = concentrated(values[..., 1:], some, mixing[..., None])
    fits = (np.isfinite(u) & (slope > 0.1 * some)).all(-1) | np.isin(mixing, ("amount", "pair"))
    kinds = np.where(fits, mixing, "amount")
    u, slope = concentrated(values[..., 1:], some, kinds[..., None])
    return kinds, u, np.where(shares > 0.0, slope, 0.0)


def _regressions(values: FloatArray, alone: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For each lambda: the best a, and the sum of squares that it leaves; [grid, ...]."""
    grid = MEMORIES.reshape(-1, *[1] * values.ndim)
    rest = weights * (alone - grid * values[..., :-1])
    added = (rest * weights).sum(-1) / (weights**2).sum(-1)
    return added, ((rest - added[..., None] * weights) ** 2).sum(-1)


def _draw_memories(
    squares: FloatArray, undiluted: npt.NDArray[np.bool_], freedom: float, draws: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draw a place in the grid of lambda for each draw and lineage: [draws, ...]."""
    grid = MEMORIES.reshape(-1, *[1] * undiluted.ndim)
    mean, sd = np.where(undiluted, UNDILUTED_MEMORY, PRIOR_MEMORY), np.where(undiluted, UNDILUTED_SD, PRIOR_SD)
    log = -0.5 * freedom * np.log(squares) - 0.5 * ((grid - mean) / sd) ** 2
    cumulated = np.exp(log - log.max(0)).cumsum(0)
    quantiles = rng.random((draws, *undiluted.shape)) * cumulated[-1]
    return np.asarray((quantiles[:, None] > cumulated).sum(1))


def _at(table: FloatArray, places: npt.NDArray[np.intp]) -> FloatArray:
    """Entries of a table [grid, ...] at places [draws, ...]."""
    return np.take_along_axis(table, places, axis=0)


def _series(
    effects: npt.ArrayLike, standard_errors: npt.ArrayLike, synthetic_shares: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    values, errors = series("effects", effects, fewest=1), series("standard_errors", standard_errors, fewest=1)
    if values.shape != errors.shape:
        raise InputError(
            f"`standard_errors` must have the shape of `effects`, {values.shape}, but got {errors.shape}: give one each"
        )
    shares = checked_shares("synthetic_shares", synthetic_shares)
    return values, errors, by_generation("synthetic_shares", shares, values)


def _mixing(mixing: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.str_]:
    kinds = np.asarray(mixing)
    for kind in np.unique(kinds):
        if kind not in MIXINGS:
            raise InputError(
                f"`mixing` must be one of {', '.join(MIXINGS)}, but got {kind!s:.40}: {near(kind, MIXINGS)}"
            )
    return np.broadcast_to(kinds, shape)


def passed(paths: FloatArray, limits: npt.ArrayLike, both_sides: npt.ArrayLike = False) -> npt.NDArray[np.bool_]:
    """Whether effects have passed their limits in a generation or before: [draws, ..., generations].

    Args:
        paths: [draws, ..., generations]: from `Law.paths`, with the sign such that up is toward collapse.
        limits: [...]: margins.
        both_sides: [...]: whether minus the limit is a limit too.

    Example:
        >>> passed(np.array([[0.1, 0.3, 0.1], [0.1, 0.1, 0.1]]), 0.2).mean(axis=0).tolist()
        [0.0, 0.5, 0.5]
    """
    both, limit = np.asarray(both_sides)[..., None], np.asarray(limits, dtype=np.float64)[..., None]
    return np.asarray(np.maximum.accumulate(np.where(both, np.abs(paths), paths) > limit, axis=-1))
