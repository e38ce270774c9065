"""Passages of speeches: those that a wild type is made of, those that a model learns from, and fresh ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard.demo import corpus
from collapse_guard.wildtype import WildType

WORDS = 100
"""Of a passage."""


class Sizes(NamedTuple):
    """How many passages there are of each use, one after the other in a random order."""

    real: int = 9_000
    """The wild type is made of these."""
    learnt: int = 8_000
    """The trigram model learns from these."""
    samples: int = 3_000
    """Fresh ones; and as many samples of each other kind."""

    @property
    def needed(self) -> int:
        """In all."""
        return sum(self)


class Passages(NamedTuple):
    """Real passages of three uses, of which none is in two."""

    wild_type: WildType
    """Of some of them."""
    learnt: list[str]
    """What a model learns from."""
    fresh: list[str]
    """All others."""

    @property
    def unseen(self) -> list[str]:
        """All that the wild type does not have."""
        return [*self.learnt, *self.fresh]


def passages(sizes: Sizes, seed: int) -> Passages:
    """Cut all speeches into passages, and fit the wild type.

    Raises:
        SystemExit: There are not as many.
    """
    texts = _cut()
    if len(texts) < sizes.needed:
        raise SystemExit(f"{sizes.needed:,} passages are needed, and the speeches have {len(texts):,}: ask for fewer")
    order = np.random.default_rng(seed).permutation(len(texts))
    real, learnt, fresh = np.split(order, np.cumsum(sizes)[:2])
    return Passages(WildType.fit(_chosen(texts, real)), _chosen(texts, learnt), _chosen(texts, fresh))


def _cut() -> list[str]:
    """All speeches in passages of so many words, without what is left at their ends."""
    words = (path.read_text(encoding="utf-8").split() for path in corpus.speeches())
    return [" ".join(some[i : i + WORDS]) for some in words for i in range(0, len(some) - WORDS + 1, WORDS)]


def _chosen(texts: Sequence[str], places: np.ndarray) -> list[str]:
    return [texts[i] for i in places]
