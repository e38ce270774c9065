"""Likelihood over slices: the kind of document whose loss stands out from that of all others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.likelihood.tokens import LikelihoodIndicator
from collapse_guard.indicators.rates import Rates, ScoredDocuments, none_known, of_known
from collapse_guard.records import EffectScale
from collapse_guard.wildtype.slices import FEWEST_DOCUMENTS

_TOO_SMALL = "no slice has {fewest} scored documents beside those of another: score more evaluation documents"


def worst_slice_loss(nats: Values, n_tokens: Values, slices: Values, fewest: int = FEWEST_DOCUMENTS) -> float:
    r"""Nats per token of the slice that stands out most, less those of all other documents.

    .. math:: \max_s \left( \frac{\sum_{i \in s} x_i}{\sum_{i \in s} w_i}
              - \frac{\sum_{i \notin s} x_i}{\sum_{i \notin s} w_i} \right)

    with x_i the nats of document i and w_i its tokens, over the slices with `fewest` documents or more. A slice is a
    kind of document: a column of the user's, such as the language, or a frozen cluster of the wild type.

    Unit: nats per token. Range: (-inf, inf). Collapse: up. Undefined (NaN) where no slice has so many documents, or
    there are no others. O(d).

    The value says which kind of document is hardest, which at the founder is no fault: kinds differ. What counts is the
    change of each slice against the founder, less that of the others: what hits all documents alike, such as another
    seed, cancels out, and one kind that was forgotten stands out long before the mean moves.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens of each.
        slices: d: number of the slice of each document, from 0; -1 for none, which counts among all others.
        fewest: Documents that a slice needs to count.

    Source: Eyuboglu et al. (2022), Domino: discovering systematic errors with cross-modal embeddings, ICLR (slices that
        are found, and underperform); Shumailov et al. (2024), Nature 631:755 (modes that vanish).

    Example:
        >>> worst_slice_loss([2.0, 9.0, 3.0, 5.0], [2, 3, 3, 5], [0, 1, 0, 1], fewest=2)
        0.75
    """
    places = as_array(slices).astype(np.int64) + 1
    parts = (np.ones(len(places)), as_array(nats), as_array(n_tokens))
    documents, sums, units = (_totals(part, places) for part in parts)
    return _largest(documents, sums, units, fewest=fewest)


def _totals(values: npt.NDArray[Any], places: IntArray) -> FloatArray:
    return np.bincount(places, values.astype(np.float64)).astype(np.float64)


def _largest(documents: FloatArray, sums: FloatArray, units: FloatArray, *, fewest: int) -> float:
    """The largest contrast, from the documents, nats and tokens of no slice and of each slice."""
    others = units.sum() - units
    counts = (documents >= fewest) & (units > 0) & (others > 0)
    counts[:1] = False
    if not counts.any():
        return math.nan
    return float(from_others(sums, units)[counts].max())


def from_others(sums: FloatArray, units: FloatArray) -> FloatArray:
    """How far the rate of each slice lies from that of all other documents.

    Args:
        sums: s: nats of each slice, and of the documents of none.
        units: s: tokens of each.

    Example:
        >>> from_others(np.array([0.0, 6.0, 4.0]), np.array([0.0, 2.0, 4.0]))[1:].tolist()
        [2.0, -2.0]
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite losses, and slices without documents, are no rate
        return np.asarray(sums / units - (sums.sum() - sums) / (units.sum() - units), dtype=np.float64)


class WorstSliceLoss(LikelihoodIndicator):
    """Loss of the slice that stands out most, against all other documents; see `worst_slice_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `slices` (d,) of d documents: the number of the slice of
    each, from 0, or -1 for none. Value: float64.

    Args:
        n_slices: Number of slices.
        fewest: Documents that a slice needs to count.

    Raises:
        InputError: A slice is not below `n_slices`.

    Example:
        >>> metric = WorstSliceLoss(n_slices=2, fewest=1)
        >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([2, 3]), torch.tensor([0, 1]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "worst_slice_loss", 55
    unit = "nats per token"
    value_range = (-math.inf, math.inf)
    scale: ClassVar[EffectScale] = EffectScale.LOG
    is_contrast = True
    cost = "O(d) for d documents"
    definitions = (2, 6)
    misses = "what hits all slices alike, and what a slice is too small, or too mixed, to show"
    minimum_n = 2 * FEWEST_DOCUMENTS
    undefined = "no slice has enough documents"
    _counted: ClassVar[str] = "scored"

    def __init__(self, n_slices: int = 64, fewest: int = FEWEST_DOCUMENTS, **kwargs: object) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self.n_slices, self.fewest = n_slices, fewest
        for what in ("documents", "nats", "tokens"):
            # The setting is part of the names: see Indicator.
            self._add_sum(f"{what}_{self._counted}_of_{n_slices}_slices", n_slices + 1)

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all evaluation documents, with the slice of each; None where the wild type has no slices."""
        losses, slices = scored.losses, scored.slices
        if slices is None:
            return None
        chosen = of_known(losses, slices)
        names = _large_enough([slices[document] for document in chosen.documents])
        number = {name: i for i, name in enumerate(sorted(set(names) - {""}))}
        value = worst_slice_loss(chosen.nll, chosen.n_tokens, [number.get(name, -1) for name in names])
        problem = "" if set(names) - {""} and len(set(names)) > 1 else _TOO_SMALL.format(fewest=FEWEST_DOCUMENTS)
        return Rates(
            value=value,
            documents=chosen.documents,
            sums=chosen.nll,
            units=chosen.n_tokens,
            slices=names,
            problem=problem if len(chosen) else none_known(len(losses)),
        )

    def update(self, nats: Tensor, n_tokens: Tensor, slices: Tensor) -> None:
        """Add documents."""
        if len(slices) and not -1 <= int(slices.min()) <= int(slices.max()) < self.n_slices:
            raise InputError(
                f"`slices` must be from -1 to {self.n_slices - 1}, but got {int(slices.min())} to {int(slices.max())}: "
                "raise `n_slices`"
            )
        parts = (torch.ones_like(n_tokens), nats, n_tokens)
        self._add_up(*(torch.bincount(slices + 1, part.double(), self.n_slices + 1) for part in parts))

    def compute(self) -> Tensor:
        """Nats per token by which the worst slice stands out, of all documents since the last reset."""
        documents, sums, units = (total.cpu().numpy() for total in self._totals)
        return self._scalar(_largest(documents, sums, units, fewest=self.fewest))


def _large_enough(names: Sequence[str]) -> tuple[str, ...]:
    """The slices of documents, "" for those of a slice that has too few of them."""
    counts = Counter(names)
    return tuple(name if counts[name] >= FEWEST_DOCUMENTS else "" for name in names)
