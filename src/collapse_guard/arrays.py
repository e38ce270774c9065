"""Names of array types, and two small operations on arrays: freezing one, and mixing the bits of hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
HashArray = npt.NDArray[np.uint64]

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make an array read-only, and return it."""
    array.setflags(write=False)
    return array


def mix(values: HashArray) -> HashArray:
    """The finaliser of splitmix64: a bijection in which every bit depends on every bit.

    Source: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))
