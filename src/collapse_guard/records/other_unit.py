"""What samples look like that are given in another unit than the real rows of a table, or of images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from collapse_guard.records.record import Record

Way = Literal["factor", "standardised", "scaled", "logarithm", "exponential"]


class OtherUnit(Record):
    """One way in which samples differ from real rows alike at all quantiles: that of another unit."""

    way: Way
    """How: real values times a number; in standard deviations; with other ends; their logarithm; their exponential."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    """The first columns that are so, as messages call them."""
    n_columns: Annotated[int, Field(ge=1)]
    """How many are."""
    of: Annotated[int, Field(ge=1)]
    """Of how many that were looked at."""
    factors: Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(min_length=1)]
    """What real values are multiplied by, or their distances, in each of the first columns."""
    here: float
    """Median of the samples in the first of these columns."""
    there: float
    """Median of real rows there."""
    is_told_apart: bool
    """Whether location says so too. Values around 0 that grow or shrink look the same in another unit."""
