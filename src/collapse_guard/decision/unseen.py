"""Unseen documents: the evaluation documents that a founder with a small leak was not trained on. They still decide.

A founder knows by heart what it was trained on, so all that comes later is worse on these documents, collapse or not.
Nothing is wrong with the others. Which they are is known where *all* training texts of the founder were looked at:

    left out    documents that were found in the texts, and those that parts of texts cannot tell (`untold`)
    unsure      of the others, as many as the look may have missed, and nobody knows which

The first are left out on both sides of every comparison. A collapse of the others must be shown without the k documents
that worsened most. Then it is one whichever k were missed:

    e(all but the k largest contributions) <= e(any n - k documents), and some n - k were never trained on

which holds because e-values of bets rise with each contribution (`comparison.betting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from collapse_guard.records import Reading

FEWEST = 20
"""So many documents must be left, or all are compared, and decide nothing."""
MISSED = 0.2
"""Share of the documents trained on that a look at all texts misses at most: docs/leaks.md has the measured ones."""
UNSURE = 0.005
"""Probability of more missed documents than are left out."""


class Sides(NamedTuple):
    """The readings of a generation and of its founder, of the same documents."""

    here: Reading
    founder: Reading
    left_out: int = 0
    """Documents that are on neither side."""
    without_worst: int = 0
    """Other documents that the founder may have been trained on; nobody knows which."""


@dataclass(frozen=True)
class Unseen:
    """Which documents a founder was not trained on, as far as its training texts tell."""

    seen: frozenset[str] = frozenset()
    """Documents that it was trained on, or that cannot be told."""
    missed: int = 0
    """So many others it may have been trained on."""

    def of(self, here: Reading, founder: Reading) -> Sides:
        """Both readings of the unseen documents; of all where few are left, or where nothing rests on documents."""
        if not (self.seen and founder.keys and founder.group == "document"):
            return Sides(here, founder)
        rest = self.alone(founder)
        if len(rest.keys) < FEWEST:
            return Sides(here, founder)
        left_out = len(founder.keys) - len(rest.keys)
        return Sides(self.alone(here), rest, left_out, self.missed)

    def alone(self, reading: Reading) -> Reading:
        """A reading of documents, of the unseen ones."""
        return taken(reading, [place for place, key in enumerate(reading.keys) if key not in self.seen])


ALL = Unseen()
"""The founder was trained on none, or how many it was trained on cannot be told."""


def most_missed(found: int, of: int) -> int:
    r"""How many documents that a model was trained on a look at all its training texts may have missed.

    .. math:: k = \max\{k \leq M - F : P(X \leq F) > 0.005\}, \qquad X \sim \mathrm{Bin}(F + k, 1 - 0.2)

    Args:
        found: F.
        of: M, all evaluation documents.

    Example:
        >>> most_missed(11, 300), most_missed(270, 300)
        (9, 30)
    """
    more = np.arange(of - found + 1)
    return int(more[binom.cdf(found, found + more, 1.0 - MISSED) > UNSURE].max())


def taken(reading: Reading, places: Sequence[int]) -> Reading:
    """A reading with some of its replicates."""
    columns = {name: getattr(reading, name) for name in ("keys", "replicates", "weights", "slices")}
    return reading.model_copy(update={name: tuple(of[i] for i in places) for name, of in columns.items() if of})
