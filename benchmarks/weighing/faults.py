"""Sixteen kinds of samples in the place of real rows, by what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from weighing.worlds import Rows, World

CHANGED = 1
"""The kind that is lost or whose share moves, and the column that is permuted."""
COPIES = 10
A_LITTLE = 0.01
"""Noise on copies, in deviations of each column."""


class Fault(NamedTuple):
    """A kind of samples."""

    name: str
    """As the table shows it."""
    samples: Callable[[World, int, np.random.Generator], Rows]
    """So many of them."""


def _changed(change: Callable[[Rows, np.random.Generator], Rows]) -> Callable[[World, int, np.random.Generator], Rows]:
    """Real rows that something is done to."""
    return lambda world, n, rng: change(world.draw(n, rng), rng)


def _with_kind(factor: float) -> Callable[[World, int, np.random.Generator], Rows]:
    """Real rows with other shares."""
    return lambda world, n, rng: world.draw(n, rng, world.with_kind(CHANGED, factor))


def _noisy(rows: Rows, rng: np.random.Generator, deviations: float) -> Rows:
    """Rows with noise, in deviations of each column."""
    return rows + deviations * rows.std(axis=0) * rng.normal(size=rows.shape)


def _normal(rows: Rows, rng: np.random.Generator) -> Rows:
    return rng.multivariate_normal(rows.mean(axis=0), np.cov(rows.T), len(rows))


def _one_permuted(rows: Rows, rng: np.random.Generator) -> Rows:
    rows[:, CHANGED] = rng.permutation(rows[:, CHANGED])
    return rows


def _copies(world: World, n: int, rng: np.random.Generator) -> Rows:
    few = world.draw(n // COPIES, rng)
    return few.repeat(COPIES, axis=0) + A_LITTLE * few.std(axis=0) * rng.normal(size=(len(few) * COPIES, few.shape[1]))


def _mean(rows: Rows, rng: np.random.Generator) -> Rows:
    return rows.mean(axis=0) + A_LITTLE * rows.std(axis=0) * rng.normal(size=rows.shape)


FAULTS = (
    Fault("real rows", World.draw),
    Fault("a thousandth as large", _changed(lambda x, _: x / 1_000)),
    Fault("twice as large", _changed(lambda x, _: 2 * x)),
    Fault("moved by a quarter of a deviation in each column", _changed(lambda x, _: x + x.std(axis=0) / 4)),
    Fault("100 deviations away", _changed(lambda x, _: x + 100 * x.std(axis=0))),
    Fault("normal noise with the covariance of real rows", _changed(_normal)),
    Fault(
        "noise with the deviation of each column",
        _changed(lambda x, rng: rng.normal(x.mean(axis=0), x.std(axis=0), x.shape)),
    ),
    Fault("all columns permuted", _changed(lambda x, rng: rng.permuted(x, axis=0))),
    Fault("one column permuted", _changed(_one_permuted)),
    Fault("one kind lost (an eighth; 30%)", _with_kind(0.0)),
    Fault("noise of half a deviation added", _changed(lambda x, rng: _noisy(x, rng, 0.5))),
    Fault("noise of a tenth of a deviation added", _changed(lambda x, rng: _noisy(x, rng, 0.1))),
    Fault("a tenth of the rows, ten times each, with a little noise", _copies),
    Fault("the mean of real rows, with a little noise", _changed(_mean)),
    Fault("one kind half as frequent", _with_kind(0.5)),
    Fault("one kind twice as frequent", _with_kind(2.0)),
)
