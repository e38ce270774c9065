"""Checks of series over generations, the founder first, and of the shares that later generations were trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from collapse_guard.arguments import share
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError


def series(name: str, values: Any, *, fewest: int) -> FloatArray:
    """[..., generations + 1]: finite, with at least `fewest` generations after the founder; raises InputError.

    Example:
        >>> series("fixation", [0.0, 0.1], fewest=1).tolist()
        [0.0, 0.1]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] < fewest + 1:
        raise InputError(
            f"`{name}` must hold the founder and at least {fewest} generation(s) after it, but got "
            f"{array.shape[-1] if array.ndim else 1} value(s): not enough generations, wait for more"
        )
    bad = array[~np.isfinite(array)]
    if bad.size:
        raise InputError(f"`{name}` must be finite, but got {bad[0]}: leave out generations without a value")
    return array


def checked_shares(name: str, numbers: Any) -> FloatArray:
    """Numbers from 0 to 1, of any shape; raises InputError.

    Example:
        >>> checked_shares("real_shares", [0.1, 0.5]).tolist()
        [0.1, 0.5]
    """
    values = np.asarray(numbers, dtype=np.float64)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise InputError(f"`{name}` must be from 0 to 1, but got {numbers!r:.80}: give 0.1 for a tenth")
    return values


def by_generation(name: str, numbers: FloatArray, values: FloatArray) -> FloatArray:
    """One number for each generation after the founder of `values`; raises InputError if the shapes do not fit.

    Example:
        >>> by_generation("real_shares", np.array(0.1), np.zeros(3)).tolist()
        [0.1, 0.1]
    """
    steps = values.shape[-1] - 1
    try:
        return np.broadcast_to(numbers, (*values.shape[:-1], steps))
    except ValueError as error:
        raise InputError(
            f"`{name}` must be one number or one for each of {steps} generations after the founder, but got the shape "
            f"{numbers.shape}: leave out the founder's"
        ) from error


def confidence(level: Any) -> float:
    """The confidence of an interval, between 0 and 1; raises InputError.

    Example:
        >>> confidence(0.9)
        0.9
    """
    if not 0.0 < share("level", level) < 1.0:
        raise InputError(f"`level` must be between 0 and 1, but got {level!r}: give 0.9")
    return float(level)
