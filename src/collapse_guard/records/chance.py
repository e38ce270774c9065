"""Chance: how far readings and effects move where retraining changes nothing, and what that rests on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from collapse_guard.records.record import Record

Deviation = Annotated[float, Field(ge=0.0)]


class Refits(Record):
    """What another sample of real documents does to a reading: a small model fitted again and again, on other draws."""

    n: Annotated[int, Field(ge=2)]
    """How many times the small model was fitted."""
    sd: Deviation
    """Standard deviation of the reading's value over draws as large as the samples that it rests on."""
    by_slice: dict[str, Deviation] = Field(default_factory=dict)
    """Slice -> standard deviation of its distance from the other documents; empty where slices are not told apart."""


class Growth(Record):
    """Whether an effect grows over the generations of a lineage, as what is lost does, or stays, as luck does."""

    slope: float
    """Median change for each generation, in the unit of the effect; positive is toward collapse."""
    since: int
    """The first generation that it rests on."""
    grows: bool
    """Whether nearly all pairs of generations show a rise of harm. It is a description: no verdict rests on it."""


class Chance(Record):
    """What chance alone does to the effect of a comparison: more than the spread of its documents or groups shows."""

    sd: Deviation
    """Standard deviation of the effect, beside its standard error, in its unit."""
    watch: Deviation
    """Harm that chance alone exceeds with the probability that this generation may spend on a false WATCH."""
    margin: Deviation
    """Harm that chance alone exceeds with the probability that it may spend on a false COLLAPSED."""
    refits: int = 0
    """Draws of real documents that it rests on, …"""
    generations: int = 0
    """… generations, whose effects changed from one to the next, …"""
    slices: int = 0
    """… and other slices. All zero: it is the error of measuring alone."""
