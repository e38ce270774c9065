"""All samples of a generation at once: what an indicator of the whole file reads (`Indicator.read`).

Copies that are spread over groups of 128 are rare in each of them, so what counts whole samples must see them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collapse_guard.indicators.instruments import Instruments, Shared

Census = tuple[tuple[int, int], ...]
"""(k, how many different samples there are k times), k rising."""


class Clusters(NamedTuple):
    """Counts of kinds that grow together where there are more samples, as clusters of near copies do.

    Cutting the counts of many samples to fewer would leave clusters together that only the others connect. So they are
    counted in parts too: the first 64, 128, 256, … samples in content order.
    """

    census: Census
    """Of all samples."""
    smaller: tuple[Census, ...]
    """Of the parts, rising in size."""


@dataclass(frozen=True, eq=False)
class WholeSamples(Shared):
    """All samples of a generation."""

    contents: Sequence[Hashable]
    """n: what makes a sample the same as another, of the samples that are not empty."""
    texts: Sequence[str]
    """n: the same samples as texts; none where samples are rows of numbers."""
    n_empty: int
    """How many more samples are empty."""
    instruments: Instruments
    """Instruments of the wild type."""


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
    return sum(different for _, different in census) / n if n else float("nan")


def is_empty(text: str) -> bool:
    r"""Whether a text has nothing but white space.

    Example:
        >>> is_empty(" \n"), is_empty(".")
        (True, False)
    """
    return not text or text.isspace()
