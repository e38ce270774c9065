"""Names of array types, and two small operations on arrays: freezing one, and mixing the bits of hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
HashArray = npt.NDArray[np.uint64]

LARGEST = 1e30
"""Larger numbers are taken for infinite: no loss and no vector has one, and squares of their variances overflow."""

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make an array read-only, and return it."""
    array.setflags(write=False)
    return array


def is_usable(array: npt.NDArray[Any]) -> BoolArray:
    """Where an array is finite, and not so large that what is computed of it would not be.

    Example:
        >>> is_usable(np.array([1.0, -1e29, 1e31, np.nan])).tolist()
        [True, True, False, False]
    """
    usable: BoolArray = np.abs(array) <= LARGEST
    return usable


def flat_rows(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
    """Items of any shape, such as images, as one row of numbers each, and their shape; () where they are rows already.

    Example:
        >>> images, shape = flat_rows(np.zeros((10, 3, 8, 8)))
        >>> images.shape, shape
        ((10, 192), (3, 8, 8))
    """
    if array.ndim <= 2:
        return array, ()
    shape = array.shape[1:]
    return array.reshape(len(array), int(np.prod(shape))), shape


def mix(values: HashArray) -> HashArray:
    """The finaliser of splitmix64: a bijection in which every bit depends on every bit.

    Source: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))
