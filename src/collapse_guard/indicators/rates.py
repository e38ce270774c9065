"""Rates: a number for each document, which is what an indicator of losses reads (`Indicator.read`)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.evidence import Losses
from collapse_guard.records import TailStratum


class ScoredDocuments(NamedTuple):
    """What an indicator of losses is given."""

    losses: Losses
    """Losses of the generation on wild-type documents."""
    tail: TailStratum | None
    """The tail, frozen at the founder; None: nobody froze one."""
    slices: Mapping[str, str] | None = None
    """Id of each evaluation document -> its slice, "" for none; None: the wild type has no slices."""
    rarity: Mapping[str, float] | None = None
    """Id of each evaluation document -> how rare it is: nats per token of a small model fitted on the pool; None: it is
    not known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """The value of an indicator, and the rates of the documents, paired across generations by their ids."""

    value: float
    """The indicator, of all documents together; NaN where it is undefined."""
    documents: tuple[str, ...]
    """Ids."""
    sums: FloatArray
    """d: sums over each document, such as nats."""
    units: FloatArray | IntArray
    """d: what the sums are shared among, such as tokens: the weights of the documents."""
    what: str = "losses"
    """What the sums are, in the plural, for problems."""
    problem: str = ""
    """Why there is no usable value, as a sentence; empty where there is one."""
    n: int | None = None
    """Documents that the value rests on; None: those with a rate."""
    n_minimum: int | None = None
    """Documents that a comparison needs at least; None: as the class declares."""
    slices: tuple[str, ...] = ()
    """d: the slice of each document, "" for none; empty where slices do not matter."""


def of_known(losses: Losses, documents: Container[str]) -> Losses:
    """The losses of the documents that are among these, in their order.

    Example:
        >>> losses = Losses(documents=("a", "b", "c"), nll=[1.0, 2.0, 3.0], n_tokens=[1, 1, 1])
        >>> of_known(losses, {"c", "a"}).documents
        ('a', 'c')
    """
    return losses.take([place for place, document in enumerate(losses.documents) if document in documents])


def none_known(n: int) -> str:
    """Say that no scored document is one of the wild type, as a sentence."""
    return (
        f"none of the {n} scored documents is known as an evaluation document of the wild type: score them under their "
        "content hashes (`wild_type.evaluation.hashes`)"
    )


def too_few(n: int, minimum: int, what: str = "documents") -> str:
    """Say that fewer were scored than a comparison needs, as a clause; empty where there are enough."""
    return f"{n} {what} were scored, {minimum} are needed" if n < minimum else ""


def weighted_error(weights: FloatArray, residuals: FloatArray) -> float:
    """Standard error of a weighted sum, from n residuals: `sqrt(n / (n - 1) * sum (w x)^2)`.

    Example:
        >>> weighted_error(np.ones(2), np.array([-1.0, 1.0]))
        2.0
    """
    n = len(residuals)
    return float(np.sqrt(n / (n - 1.0) * np.sum((weights * residuals) ** 2)))


def not_finite(documents: Sequence[str], values: FloatArray, what: str = "losses", *, of: str = "document") -> str:
    """Say how many values are NaN or infinite, as a clause; empty where none is.

    Example:
        >>> not_finite(("a", "b"), np.array([1.0, np.nan]))
        "1 of 2 losses are not finite (first: document 'b')"
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return ""
    return f"{len(bad)} of {len(documents)} {what} are not finite (first: {of} {documents[bad[0]]!r})"
