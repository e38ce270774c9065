"""A world without text: a Gaussian that is fitted to what the one before it has drawn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from collapse_guard.wildtype import WildType
from detecting.sizes import Sizes

Rows = npt.NDArray[np.float64]
DIMENSION, TRAINED_ON, REAL_ROWS = 64, 200, 8_000
WORLDS = {"gaussian_fresh": "healthy world", "gaussian_replace": "collapsing world"}


def generations(world: str, sizes: Sizes, rng: np.random.Generator) -> Iterator[Rows]:
    """What each generation draws: a maximum-likelihood Gaussian of 200 rows, real ones or its parent's.

    In 64 dimensions 200 rows are few: the covariance of replaced generations loses rank at about a third of its
    spread each time, while the total variance falls by half a percent.
    """
    training = rng.normal(size=(TRAINED_ON, DIMENSION))
    for _ in range(sizes.generations + 1):
        mean, centred = training.mean(axis=0), training - training.mean(axis=0)
        # Weighted sums of the centred rows have exactly the fitted covariance.
        drawn = mean + rng.normal(size=(sizes.rows, TRAINED_ON)) @ centred / np.sqrt(TRAINED_ON)
        yield drawn
        training = rng.normal(size=(TRAINED_ON, DIMENSION)) if world == "gaussian_fresh" else drawn[:TRAINED_ON]


@lru_cache(maxsize=4)
def real_rows(seed: int, sizes: Sizes) -> WildType:
    """A wild type of standard normal rows."""
    rows = np.random.default_rng(seed).normal(size=(REAL_ROWS, DIMENSION))
    return WildType.fit_arrays(rows, seed=seed, group_samples=sizes.group_samples)
