"""How many documents stay in their slice where only their first words are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard.wildtype import WildType
from detecting.table import Cells, Sheet
from weighing.speeches import WORDS


class Kept(NamedTuple):
    """Evaluation documents that are put into slices by their first words."""

    words: int
    """So many first words of each."""
    share: float
    """Of the documents, those that stay in the slice of the whole document."""
    largest: float
    """Of the documents, those in the largest slice: what a rule without any words would come to."""


def kept(wild_type: WildType, lengths: Sequence[int]) -> list[Kept]:
    """Shorten the evaluation documents to each length, and put them into slices."""
    slices = wild_type.slices
    if slices is None:
        raise SystemExit("the wild type has no slices: ask for more passages")
    found = []
    for n in lengths:
        numbers = slices.assign([" ".join(text.split()[:n]) for text in wild_type.evaluation])
        stays = float(np.mean(numbers == slices.of_evaluation))
        found.append(Kept(words=n, share=stays, largest=max(slices.sizes) / len(wild_type.evaluation)))
    return found


def sheet(wild_type: WildType, found: Sequence[Kept]) -> Sheet:
    """A line for each length."""
    n, slices = len(wild_type.evaluation), wild_type.slices
    names = 0 if slices is None else len(slices.names)
    title = (
        f"{n:,} passages of speeches, of {WORDS} words each, in {names} slices that were found; the largest has "
        f"{found[0].largest:.0%} of them"
    )
    rows: list[Cells] = [(str(one.words), f"{one.share:.0%}") for one in found]
    return Sheet(title, ("first words that are given", "passages that stay in their slice"), rows)
