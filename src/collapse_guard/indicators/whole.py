"""All samples of a generation at once: what an indicator of the whole file reads (`Indicator.read`).

Copies that are spread over groups of 128 are rare in each of them, so what counts whole samples must see them all.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.instruments import Instruments, Shared
from collapse_guard.records.census import Census


class Clusters(NamedTuple):
    """Counts of kinds that grow together where there are more samples, as clusters of near copies do.

    Cutting the counts of many samples to fewer would leave clusters together that only the others connect. So they are
    counted in parts too: the first 64, 128, 256, … samples in content order.
    """

    census: Census
    """Of all samples."""
    smaller: tuple[Census, ...]
    """Of the parts, rising in size."""
    kinds: Sequence[Hashable] = ()
    """Which cluster each sample is of, in the order in which the samples were given; empty: not told."""


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
    lengths: FloatArray | None = None
    """n: tokens of each sample; None where they do not tell, as of rows of numbers."""
    truncated: FloatArray | None = None
    """1 for each sample that was cut before its end, 0 for each other, empty ones last; None: nobody said."""
    prompts: IntArray | None = None
    """Number of each sample's prompt, those of empty ones last, where samples of one prompt are not independent."""


def is_empty(text: str) -> bool:
    r"""Whether a text has nothing but white space.

    Example:
        >>> is_empty(" \n"), is_empty(".")
        (True, False)
    """
    return not text or text.isspace()
