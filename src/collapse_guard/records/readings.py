"""What was measured of a generation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import Field

from collapse_guard.records.record import Record


class Direction(StrEnum):
    """Which way an indicator moves when the model collapses."""

    DOWN = "down"
    UP = "up"
    BOTH = "both"


class Reading(Record):
    """An indicator's value for one generation, with its replicates and n."""

    indicator: str
    """Name of the indicator, as in the catalogue: "perplexity", "distinct_2"."""
    family: str
    """Family of the indicator: the MLflow metric is `<family>/<indicator>`."""
    value: float
    """The indicator in its unit; NaN where it is undefined, and `problem` says why."""
    unit: str
    """Unit of `value`."""
    direction: Direction
    """Which way is collapse."""
    n: int
    """How many documents or samples the value rests on."""
    n_minimum: int
    """How many documents or samples a comparison needs at least."""
    replicates: tuple[float, ...] = ()
    """Values of equal-sized groups (output indicators) or of documents (likelihood: a rate such as nats per token)."""
    weights: tuple[float, ...] = ()
    """Weight of each replicate (tokens or bytes of a document); empty: all equal."""
    keys: tuple[str, ...] = ()
    """Identity of each replicate where it can be paired across generations (document ids); empty: not paired."""
    scale: Literal["log_ratio", "difference", "absolute"] = "log_ratio"
    """How two readings are compared: "log_ratio" of the means of their replicates, "difference" of means that are
    logarithms already (nats), or "absolute" difference in the unit, for numbers that may be 0 or negative."""
    group: str = ""
    """What one replicate is: "4096 tokens", "128 samples", "document"."""
    problem: str = ""
    """Why there is no usable value, as a sentence; empty where there is one."""

    @property
    def is_usable(self) -> bool:
        """Whether the reading is a finite number that rests on enough documents or samples."""
        return not self.problem and math.isfinite(self.value)


Readings = Mapping[str, Reading]
"""Name of an indicator -> its reading."""


class Relatives(NamedTuple):
    """The readings of a generation, and of those that it comes from."""

    here: Readings
    """Of the generation."""
    founder: Readings
    """Of generation 0; empty where there is none."""
    parent: Readings
    """Of the newest parent; empty where there is none."""


def are_usable(indicator: str, *sides: Readings) -> bool:
    """Whether all sides have a usable reading of an indicator."""
    return all(indicator in side and side[indicator].is_usable for side in sides)


class TailStratum(Record):
    """The founder's hardest wild-type documents and tokens, frozen: later generations are scored on the same ones."""

    share: float
    """Share of documents, and of tokens, that count as the tail."""
    documents: tuple[str, ...]
    """Ids of the founder's hardest documents by nats per token."""
    tokens: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Document id -> positions of the founder's hardest tokens; empty where only sums per document were known."""
