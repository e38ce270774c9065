"""Slices among samples: how much of each kind of document a generation writes, against real text."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from collapse_guard.records.record import Record, Share

Count = Annotated[int, Field(ge=0)]


class SliceShare(Record):
    """One slice of the wild type, and how much of it the samples are."""

    name: str
    """Name of the slice. Text from outside: escape it before it is shown."""
    documents: Count
    """Its evaluation documents."""
    real: Share
    """Share of real texts, as long as the samples, that the rule puts into it."""
    samples: Share
    """Share of the samples that the rule puts into it."""


class SliceCoverage(Record):
    """How the samples of a generation are spread over the slices; it decides nothing.

    One rule puts real texts and samples into slices, by their words, so what it confuses it confuses on both sides.
    """

    shares: tuple[SliceShare, ...]
    """The slices, the largest first."""
    n: Count
    """Samples that were put into slices: those that are not empty."""
    agreement: Share
    """Share of the real texts that the rule puts into the slice that they are of; low: their words do not tell."""
