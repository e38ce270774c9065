"""Census: how many different samples there are once, twice, and so on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable

Census = tuple[tuple[int, int], ...]
"""(k, how many different samples there are k times), k rising."""


def census_of(kinds: Iterable[Hashable]) -> Census:
    """Count how many different things there are once, twice, and so on.

    Example:
        >>> census_of(["war", "peace", "war", "taxes"])
        ((1, 2), (2, 1))
    """
    return tuple(sorted(Counter(Counter(kinds).values()).items()))


def size_of(census: Census) -> int:
    """Number of samples.

    Example:
        >>> size_of(((1, 2), (2, 1)))
        4
    """
    return sum(times * different for times, different in census)


def share_of_different(census: Census) -> float:
    """Different samples / samples; NaN without samples.

    Example:
        >>> share_of_different(((1, 2), (2, 1)))
        0.75
    """
    n = size_of(census)
    return sum(different for _, different in census) / n if n else math.nan
