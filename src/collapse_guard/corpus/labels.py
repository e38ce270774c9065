"""Labels: which kind each of many documents is of, such as its language; few names and a number for each document."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from collapse_guard.arguments import utf8
from collapse_guard.arrays import IntArray, freeze
from collapse_guard.errors import InputError

LONGEST = 200
"""Characters of a label: a longer one is no kind of document."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The label of each of n documents.

    Example:
        >>> numbering = Numbering()
        >>> for label in ("es", "en", "", "es"):
        ...     numbering.add(label)
        >>> labels = numbering.labels()
        >>> labels.names, labels.codes.tolist(), list(labels)
        (('en', 'es'), [1, 0, -1, 1], ['es', 'en', '', 'es'])
    """

    names: tuple[str, ...]
    """By the alphabet."""
    codes: IntArray
    """n: number of the name of each document; -1 for none."""

    def select(self, places: IntArray) -> Self:
        """The labels at some places, in that order, with all names."""
        return type(self)(self.names, freeze(self.codes[places]))

    def used(self, places: IntArray) -> Labels:
        """The labels at some places, in that order, with the names that stand there alone."""
        codes = self.codes[places]
        present = np.unique(codes[codes >= 0])
        ranks = np.full(len(self.names) + 1, -1, np.int64)
        ranks[present] = np.arange(len(present))
        return Labels(tuple(self.names[i] for i in present.tolist()), freeze(ranks[codes]))

    def __len__(self) -> int:
        """n."""
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        """The label of each document, "" for none."""
        names = (*self.names, "")
        return (names[code] for code in self.codes.tolist())


class Numbering:
    """Numbers labels as they come, one after the other."""

    def __init__(self) -> None:
        """Begin without any."""
        self._numbers: dict[str, int] = {"": -1}
        self._codes = array("q")

    def add(self, label: str) -> None:
        """Note the next label; "" is none."""
        self._codes.append(self._numbers.setdefault(label, len(self._numbers) - 1))

    def labels(self) -> Labels:
        """All that were noted."""
        found = [name for name in self._numbers if name]
        order = sorted(range(len(found)), key=found.__getitem__)
        ranks = np.full(len(found) + 1, -1, np.int64)
        ranks[order] = np.arange(len(found))
        return Labels(tuple(found[i] for i in order), freeze(ranks[np.array(self._codes, np.int64)]))


def label_of(value: Any) -> str:
    """What a cell says a document is of: a text on one line, or a number as its digits; "" where it says nothing.

    Raises:
        InputError: It is neither, has no UTF-8 form, or is too long to be a kind of document.

    Example:
        >>> [label_of(value) for value in (" en\\n", 3, 3.0, None, float("nan"), True)]
        ['en', '3', '3', '', '', 'True']
    """
    is_nan = isinstance(value, float) and math.isnan(value)
    if value is None or is_nan or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float | np.integer | np.floating | np.bool_):
        raise InputError(f"a label must be a text or a number, but got a {type(value).__name__}: name another column")
    label = " ".join(str(value).split())
    if len(label) > LONGEST:
        raise InputError(
            f"a label must have at most {LONGEST} characters, but got {len(label)}: {label[:60]!r}…; name the column "
            "that says which kind a document is of"
        )
    utf8("a label", label)
    return label


def labels_of(values: Iterable[Any]) -> Iterator[str]:
    """The labels that values stand for; raises InputError as `label_of`, with the place of the value."""
    for place, value in enumerate(values):
        try:
            yield label_of(value)
        except InputError as error:
            raise InputError(f"`slices`, document {place}: {error}") from error
