"""Instruments: what indicators look up of a wild type, made once and kept as long as the wild type is used.

All of it stands on the pool, so the wild type's own reading, on evaluation documents, is as independent of it as that
of a generation that writes like real people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import numpy as np

from collapse_guard.arrays import BoolArray, FloatArray, IntArray
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache
from collapse_guard.wildtype.columns import owners_of
from collapse_guard.wildtype.contents import of_vectors
from collapse_guard.wildtype.geometry import Geometry

Thing = TypeVar("Thing")

MOST_COLUMNS = 64
"""Columns of an array that is not standardised, up to which it is taken for a table."""
MOST_TRAINING_DOCUMENTS = 50_000
"""Number of pool documents, chosen at random, to look for copies in; with a larger pool the result is a lower bound."""
MOST_TRAINING_BYTES = 1 << 26
"""Bytes that these documents have at most."""


class Shared:
    """Things that several indicators need, each made once."""

    def of(self, make: Callable[[Self], Thing]) -> Thing:
        """What `make` makes of this; made on the first call, kept for the next ones.

        Example:
            >>> shared = Shared()
            >>> shared.of(id) is shared.of(id)
            True
        """
        made: dict[Any, Any] = self.__dict__.setdefault("_made", {})
        if make not in made:
            made[make] = make(self)
        return cast(Thing, made[make])


class Instruments(Shared):
    """Words, documents and geometry of a wild type, and what indicators make of them (`of`)."""

    def __init__(self, wild_type: WildType) -> None:
        """Begin with the wild type."""
        self.wild_type = wild_type

    @property
    def geometry(self) -> Geometry:
        """The frozen geometry."""
        return self.wild_type.geometry

    @cached_property
    def varies(self) -> BoolArray:
        """d: which columns of real rows vary; embeddings of texts count whole."""
        varies = np.ones(self.geometry.dimension, dtype=np.bool_)
        if self.wild_type.kind == "vectors":
            varies[list(self.wild_type.constant_columns)] = False
        return varies

    @cached_property
    def owners(self) -> IntArray | None:
        """d: which columns of real rows stand for one column of a table together; None: none do."""
        return owners_of(of_vectors(self.wild_type.contents).columns) if self.wild_type.kind == "vectors" else None

    @property
    def has_columns(self) -> bool:
        """Whether columns of real rows are of things of their own: of a table, or of an array of a few columns.

        Those of embeddings, and the pixels of images, are not: what is one column there is a matter of chance.
        """
        settings = self.wild_type.settings
        if settings.kind == "text" or self.varies.sum() < 2:
            return False
        return settings.standardized or (not settings.shape and len(self.varies) <= MOST_COLUMNS)

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """Known word -> its id."""
        return {word: i for i, word in enumerate(self.wild_type.known_words)}

    @cached_property
    def pool(self) -> list[str]:
        """Documents of the pool, at most 50,000 and 64 MB."""
        # The pool stands in a random order that depends on its contents alone.
        head = self.wild_type.pool[:MOST_TRAINING_DOCUMENTS]
        return head[: head.reach(MOST_TRAINING_BYTES)].texts

    @cached_property
    def pool_tokens(self) -> list[IntArray]:
        """Token ids of these documents."""
        return [ids.astype(np.int64, copy=False) for ids in self.wild_type.encode(self.pool)]

    @cached_property
    def type_counts(self) -> IntArray:
        """How often each token occurs in the pool; for a wild type of vectors, how many are in each cluster."""
        if self.wild_type.kind == "vectors":
            return self.geometry.histogram
        return self.wild_type.kept("types", lambda: {"counts": np.bincount(np.concatenate(self.pool_tokens))})["counts"]

    def types(self, texts: Sequence[str]) -> list[IntArray]:
        """Ids of the words of each text; words that the wild type does not know get the next ones, by the alphabet."""
        written = [self.wild_type.words(text) for text in texts]
        unknown = sorted({word for words in written for word in words} - self.word_ids.keys())
        ids = self.word_ids | {word: i for i, word in enumerate(unknown, len(self.word_ids))}
        return [np.array([ids[word] for word in words], dtype=np.int64) for words in written]

    def clusters(self, vectors: FloatArray) -> IntArray:
        """c: how many vectors are in each cluster of the frozen codebook."""
        return np.bincount(self.geometry.assign(vectors), minlength=len(self.geometry.codebook)).astype(np.int64)


def instruments(wild_type: WildType) -> Instruments:
    """The instruments of a wild type, by fingerprint."""
    return _instruments.of(wild_type.fingerprint, lambda: Instruments(wild_type))


_instruments: Cache[str, Instruments] = Cache()
