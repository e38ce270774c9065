"""Slices: kinds of documents that are watched one by one, given by the user or found by their words.

What is found is derived of the wild type alone, and kept with it: the same slices in every generation.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from collapse_guard.arrays import IntArray, freeze
from collapse_guard.wildtype import kept as keeping
from collapse_guard.wildtype.cache import Cache
from collapse_guard.wildtype.contents import TextContents
from collapse_guard.wildtype.kinds import COMMON, Kinds, known_words, presence_of, telling

if TYPE_CHECKING:
    from collapse_guard.wildtype.reference import WildType

FEWEST_DOCUMENTS = 40
"""Evaluation documents that a slice needs: with fewer, its own noise hides what happens to it."""
OTHER = "other"
"""Name of the slice of what is too small to be one."""
NONE = -1
"""Number of the slice of a document that has none."""
MOST_FOUND = 10
"""Slices that are found at most: of more, each is harder to tell from chance."""
MOST_POOL = 4_000
"""Documents of the pool, chosen at random, that kinds are known by, beside those for evaluation."""
_PER_SLICE = 2 * FEWEST_DOCUMENTS
"""Evaluation documents for each slice that is looked for."""
_EXAMPLES, _OPENING = 2, 90
"""Documents that stand for a slice, and characters of each that are shown."""
_NAMED_BY = 3
"""Words in the name of a slice that was found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices:
    """Kinds of documents, each with 40 evaluation documents or more.

    Example:
        >>> slices = Slices.given(["en"] * 60 + ["es"] * 45 + ["fr"] * 3 + [""])
        >>> slices.names, slices.sizes, slices.merged
        (('en', 'es'), (60, 45), {'fr': 3})
    """

    names: tuple[str, ...]
    """s: the largest first."""
    of_evaluation: IntArray
    """n: number of the slice of each evaluation document; -1 for none."""
    is_given: bool
    """Whether the user gave them; else they were found."""
    merged: Mapping[str, int] = field(default_factory=dict)
    """Name of each kind that was too small -> its evaluation documents: they are in "other", or in none where all of
    these together are too few."""
    kinds: Kinds | None = None
    """What each slice is known by, in their order; None: its documents have no words in common."""

    @classmethod
    def given(cls, labels: Sequence[str]) -> Slices:
        """Slices of the labels of the evaluation documents, "" for none.

        Labels with fewer than 40 documents become the slice "other", if they have as many together.
        """
        counts = Counter(label for label in labels if label)
        merged = {name: n for name, n in sorted(counts.items()) if name != OTHER and n < FEWEST_DOCUMENTS}
        numbers, names = _numbered([OTHER if label in merged else label for label in labels])
        return cls(names=names, of_evaluation=numbers, is_given=True, merged=merged)

    @classmethod
    def found(cls, evaluation: Sequence[str], pool: Sequence[str], *, seed: int) -> Slices | None:
        """Kinds of real documents that their words tell apart; None where they are too few, or have too few words.

        A kind with fewer than 40 evaluation documents is given up, the smallest first: they are of the most likely one
        of the others then.

        Args:
            evaluation: n: evaluation documents.
            pool: Documents of the pool, from which kinds are learnt too.
            seed: Seed of the search.
        """
        n_kinds = min(MOST_FOUND, len(evaluation) // _PER_SLICE)
        texts = [*evaluation, *pool]
        words = known_words(texts, common=COMMON) if n_kinds > 1 else ()
        if len(words) < n_kinds or n_kinds < 2:
            return None
        presence = presence_of(texts, words)
        here = presence[: len(evaluation)]
        kinds = _large_enough(Kinds.found(words, presence, n_kinds, seed=seed), here)
        likely = kinds.most_likely(here)
        order = np.argsort(-np.bincount(likely, minlength=len(kinds.log_sizes)), kind="stable")
        if len(order) < 2:
            return None
        kinds = kinds.select(order)
        numbers = freeze(kinds.most_likely(here))
        return cls(names=_names(here, words, numbers), of_evaluation=numbers, is_given=False, kinds=kinds)

    @property
    def sizes(self) -> tuple[int, ...]:
        """s: evaluation documents of each."""
        return tuple(np.bincount(self.of_evaluation + 1, minlength=len(self.names) + 1)[1:].tolist())

    def assign(self, texts: Sequence[str]) -> IntArray | None:
        """The number of the slice that each text is most likely of, by its words; None where words tell nothing.

        It needs no embedder, and short texts will do: nine in ten passages of speeches stay in their slice when only
        their first 40 of 100 words are given (`python benchmarks/worth.py slices`).
        """
        return None if self.kinds is None else self.kinds.assign(texts)


def slices_of(wild_type: WildType) -> Slices | None:
    """The slices of a wild type: as they were given, or found and kept; None where there are none."""
    contents = wild_type.contents
    if not isinstance(contents, TextContents):
        return None
    made = wild_type.kept("slices", lambda: _arrays(_made(contents, wild_type.settings.seed)))
    return _slices(made) if made else None


def examples_of_each(wild_type: WildType) -> dict[str, tuple[str, ...]]:
    """Name of each slice -> the openings of two of its evaluation documents, on one line, for people.

    Example:
        >>> from collapse_guard import WildType
        >>> texts = [f"document {i} of the wild type" for i in range(400)]
        >>> wild_type = WildType.fit(texts, slices=["en", "es"] * 200, near_duplicate_threshold=1.0)
        >>> [len(openings) for openings in examples_of_each(wild_type).values()]
        [2, 2]
    """
    slices = wild_type.slices
    if slices is None:
        return {}
    places = {name: np.flatnonzero(slices.of_evaluation == i)[:_EXAMPLES] for i, name in enumerate(slices.names)}
    return {name: tuple(_opening(wild_type.evaluation[int(i)]) for i in chosen) for name, chosen in places.items()}


def _opening(text: str) -> str:
    return textwrap.shorten(text[: 4 * _OPENING], _OPENING, placeholder=" ...")


def slice_of_each(wild_type: WildType) -> Mapping[str, str] | None:
    """Content hash of each evaluation document -> the name of its slice, "" for none; None where there are no slices.

    It is made once for each wild type.

    Example:
        >>> from collapse_guard import WildType
        >>> texts = [f"document {i} of the wild type" for i in range(400)]
        >>> wild_type = WildType.fit(texts, slices=["en", "es"] * 200, near_duplicate_threshold=1.0)
        >>> sorted(slice_of_each(wild_type).values())[::20]
        ['en', 'en', 'es', 'es']
    """
    slices = wild_type.slices
    return None if slices is None else _of_each.of(wild_type.fingerprint, lambda: _named(wild_type, slices))


def _named(wild_type: WildType, slices: Slices) -> Mapping[str, str]:
    names, numbers = (*slices.names, ""), slices.of_evaluation.tolist()
    named = {document: names[number] for document, number in zip(wild_type.evaluation.hashes, numbers, strict=True)}
    return MappingProxyType(named)


_of_each: Cache[str, Mapping[str, str]] = Cache()


def _made(contents: TextContents, seed: int) -> Slices | None:
    evaluation, pool = contents.evaluation.texts, contents.pool[:MOST_POOL].texts
    if contents.labels is None:
        return Slices.found(evaluation, pool, seed=seed)
    slices = Slices.given(list(contents.labels[0]))
    return replace(slices, kinds=_learnt(slices, [*evaluation, *pool], chain(*contents.labels)))


def _learnt(slices: Slices, texts: Sequence[str], labels: Iterable[str]) -> Kinds | None:
    """What each slice is known by, from documents of which the label is known."""
    number = {name: place for place, name in enumerate(slices.names)}
    numbers = np.array(
        [number.get(OTHER if label in slices.merged else label, NONE) for _, label in zip(texts, labels, strict=False)]
    )
    words = known_words(texts)
    if not words or not number:
        return None
    weights = (numbers[:, None] == np.arange(len(number))).astype(np.float64)
    return Kinds.of(words, presence_of(texts, words), weights)


def _large_enough(kinds: Kinds, presence: sparse.csr_array) -> Kinds:
    """The kinds that have enough of the evaluation documents."""
    while len(kinds.log_sizes) > 1:
        counts = np.bincount(kinds.most_likely(presence), minlength=len(kinds.log_sizes))
        if counts.min() >= FEWEST_DOCUMENTS:
            break
        kinds = kinds.select(np.delete(np.arange(len(counts)), counts.argmin()))
    return kinds


def _names(presence: sparse.csr_array, words: Sequence[str], numbers: IntArray) -> tuple[str, ...]:
    """The words of each slice that say most about it."""
    names: list[str] = []
    for number in range(int(numbers.max()) + 1):
        name = ", ".join(telling(presence, words, numbers, number, _NAMED_BY)) or f"kind {number + 1}"
        names.append(name if name not in names else f"{name} ({number + 1})")
    return tuple(names)


def _numbered(labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """The number of each label, the commonest first, and their names; -1 for "" and for those that are too rare."""
    counts = Counter(label for label in labels if label)
    names = sorted(
        (name for name, n in counts.items() if n >= FEWEST_DOCUMENTS), key=lambda name: (-counts[name], name)
    )
    number = {name: i for i, name in enumerate(names)}
    return freeze(np.array([number.get(label, NONE) for label in labels], dtype=np.int64)), tuple(names)


def _arrays(slices: Slices | None) -> keeping.Arrays:
    """All parts as arrays; nothing where there are no slices."""
    if slices is None:
        return {}
    names: dict[str, Any] = {"names": slices.names, "is_given": slices.is_given, "merged": dict(slices.merged)}
    kinds = slices.kinds
    if kinds is not None:
        names["words"] = kinds.words
    described = np.frombuffer(json.dumps(names).encode(), np.uint8)
    numbers = {} if kinds is None else {"log_shares": kinds.log_shares, "log_sizes": kinds.log_sizes}
    return {"described": described, "of_evaluation": slices.of_evaluation, **numbers}


def _slices(arrays: keeping.Arrays) -> Slices:
    """Slices again, from all parts as arrays."""
    described = json.loads(arrays["described"].tobytes())
    words, kinds = described.pop("words", None), None
    if words is not None:
        shares, sizes = (freeze(arrays[name]) for name in ("log_shares", "log_sizes"))
        kinds = Kinds(words=tuple(words), log_shares=shares, log_sizes=sizes)
    names = tuple(described.pop("names"))
    return Slices(names=names, of_evaluation=freeze(arrays["of_evaluation"]), kinds=kinds, **described)
