"""Arguments of the worlds, refused in one way where they are not usable."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np

from collapse_guard.errors import InputError


def whole(name: str, value: Any, *, least: int) -> int:
    """A whole number of at least `least`; raises InputError.

    Example:
        >>> whole("lineages", 3, least=1)
        3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"`{name}` must be a whole number of at least {least}, but got {value!r}: give such a number")
    return int(value)


def above(name: str, value: Any, low: float) -> float:
    """A finite number above `low`; raises InputError.

    Example:
        >>> above("exponent", 2, 1.0)
        2.0
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low < value < math.inf:
        raise InputError(f"`{name}` must be a finite number above {low:g}, but got {value!r}: give a larger one")
    return float(value)


def share(name: str, value: Any) -> float:
    """A number from 0 to 1; raises InputError.

    Example:
        >>> share("real_share", 0.1)
        0.1
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 <= value <= 1.0:
        raise InputError(f"`{name}` must be a share from 0 to 1, but got {value!r}: give 0.1 for a tenth")
    return float(value)
