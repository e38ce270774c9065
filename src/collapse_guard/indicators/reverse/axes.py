"""Main axes: the few directions in which real vectors vary most, in which a density can be learnt from few samples."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from collapse_guard.arrays import FloatArray

MOST_AXES = 12
"""Directions at most. In more of them every sample is as far as any other, and a density learns little from it."""


class MainAxes(NamedTuple):
    """Directions of real vectors, frozen, and how vectors lie along them.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> axes = MainAxes.of(rng.normal(size=(500, 30)) * np.linspace(3.0, 0.1, 30))
        >>> axes(np.ones((2, 30))).shape
        (2, 13)
    """

    centre: FloatArray
    """d: mean of the real vectors."""
    directions: FloatArray
    """d p: orthonormal; none where d is at most `MOST_AXES`, and then vectors stay as they are."""

    @classmethod
    def of(cls, real: FloatArray) -> Self:
        """The main axes of real vectors: n d. O(n d) for each axis."""
        from sklearn.utils.extmath import randomized_svd

        centre = real.mean(axis=0)
        if real.shape[1] <= MOST_AXES:
            return cls(centre, np.zeros((real.shape[1], 0)))
        _, _, directions = randomized_svd(real - centre, MOST_AXES, random_state=0)
        return cls(centre, np.ascontiguousarray(directions.T))

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """n p + 1: how far along each axis, and how far from all of them; without axes, the vectors."""
        if not self.directions.shape[1]:
            return vectors
        moved = vectors - self.centre
        along = moved @ self.directions
        rest = np.linalg.norm(moved - along @ self.directions.T, axis=1, keepdims=True)
        return np.concatenate([along, rest], axis=1)
