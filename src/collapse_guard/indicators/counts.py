"""Counts as they come in, and the shares that they give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.errors import InputError

Values = npt.ArrayLike | Tensor
"""Numbers as they come in: a list, an array or a tensor."""


def ratio(part: float, whole: float) -> float:
    """`part / whole`; NaN where there is no whole."""
    return part / whole if whole else math.nan


def occurrences(counts: Values) -> IntArray:
    """The counts above zero, as 1-D int64.

    Raises:
        InputError: A count is negative or no integer.

    Example:
        >>> occurrences([[2, 0], [1, 0]]).tolist()
        [2, 1]
    """
    array = as_array(counts)
    integers = not array.size or array.dtype.kind in "iu"
    if not integers or array.min(initial=0) < 0:
        got = array.min() if integers else array.dtype
        raise InputError(f"`counts` must be integers of at least 0, but got {got}: count how often each type occurs")
    return array[array > 0].astype(np.int64, copy=False)


def as_array(values: Values) -> npt.NDArray[Any]:
    """Values as a NumPy array, tensors of any device too."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
