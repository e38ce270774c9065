"""Readings of a generation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from collapse_guard.records.census import Census
from collapse_guard.records.chance import Refits
from collapse_guard.records.outlook import Interval
from collapse_guard.records.record import Record, Share
from collapse_guard.records.scale import EffectScale

TRAINING_PERPLEXITY = "training_perplexity"
"""Name of the reading of losses on training documents, which is of one generation and no indicator of collapse."""


class Direction(StrEnum):
    """Which way an indicator moves when the model collapses."""

    DOWN = "down"
    UP = "up"
    BOTH = "both"

    def sign(self, effect: float) -> float:
        """The sign of effects toward collapse: 1 or -1; where both ways are, that of the effect."""
        return {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.BOTH: math.copysign(1.0, effect)}[self]


class Reading(Record):
    """An indicator's value for one generation, with its replicates and n."""

    indicator: str
    """Name of the indicator, as in the catalogue: "perplexity", "distinct_2"."""
    family: str
    """Family of the indicator: the MLflow metric is `<family>/<indicator>`."""
    value: float
    """The indicator in its unit; NaN if it is undefined, and `problem` says why."""
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
    slices: tuple[str, ...] = ()
    """The slice of each replicate, "" for none, where slices of the wild type are told apart; empty elsewhere."""
    examples: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Slice -> openings of two of its documents, where slices are told apart. Text from outside: escape it."""
    scale: EffectScale = EffectScale.LOG_RATIO
    """How two readings are compared, and how their difference is shown."""
    census: Census = ()
    """Of what counts whole samples: (k, how many different samples there are k times), k rising. It takes the place of
    replicates: the share of different samples falls with their number, and is compared at an equal one."""
    smaller: tuple[Census, ...] = ()
    """The census of parts of 64, 128, 256, … samples, where what is counted grows together with more samples."""
    refits: Refits | None = None
    """What another sample of real documents does to the value; None: it rests on no small model."""
    by_prompts: float = 1.0
    """How many times larger the variance of the census is than that of independent samples, because some answer the
    same prompt."""
    different: Share = 1.0
    """Share of the samples that differ from each other. Intervals count only so large a part of the groups."""
    parts: tuple[float, ...] = ()
    """The value in each of the disjoint parts of the samples that a small model was fitted on: their spread is that of
    drawing the samples. Empty: the value does not rest on such parts."""
    budget: int | None = None
    """Size of such a part, in tokens of samples, or in rows: more would teach more. None: nothing was fitted."""
    interval: Interval | None = None
    """The value with its interval, where it is read off a curve; None: it is not."""
    group: str = ""
    """What one replicate is: "4096 tokens", "128 samples", "document"."""
    drawn: str = ""
    """What is drawn at random where the indicator is a probability of draws: "tokens", or "clusters" of vectors."""
    problem: str = ""
    """Why there is no usable value, as a sentence; empty if there is one."""

    @property
    def is_usable(self) -> bool:
        """Whether the reading is a finite number that rests on enough documents or samples."""
        return not self.problem and math.isfinite(self.value)

    @property
    def is_only_told(self) -> bool:
        """Whether it has an interval of its own and no replicates: it is shown, and nothing is compared with it."""
        return self.interval is not None and not self.replicates

    def abridged(self) -> Reading:
        """The value without its replicates and its census."""
        parts = ("replicates", "weights", "keys", "slices", "census", "smaller")
        return self.model_copy(update=dict.fromkeys(parts, ()))


Readings = Mapping[str, Reading]
"""Name of an indicator -> its reading."""


class Relatives(NamedTuple):
    """The readings of a generation, and of those that it comes from."""

    here: Readings
    """Readings of the generation."""
    founder: Readings
    """Readings of generation 0; empty if there are none."""
    parent: Readings
    """Readings of the newest parent; empty if there are none."""


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
