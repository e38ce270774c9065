"""Likelihood over rarity: how much more than common documents rare ones suffer, whatever happens to all alike."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.likelihood.tokens import LikelihoodIndicator
from collapse_guard.indicators.rates import Rates, ScoredDocuments, none_known, of_known
from collapse_guard.records import EffectScale


def tail_gap(nats: Values, n_tokens: Values, rarity: Values) -> float:
    r"""How much harder documents are that are rarer by one standard deviation, in nats per token.

    .. math:: \frac{\sum_i w_i z_i r_i}{\sum_i w_i}, \qquad z_i = \frac{q_i - \bar q}{s_q}

    with r_i the nats per token of document i, w_i its tokens, and z_i its rarity q_i, standardised with these weights.
    Rarity is frozen with the wild type: the nats per token of a small model that was fitted on the pool, so no
    generation's luck chose the rare ones. At the founder the gap is no fault. Its growth is: where rare text fades from
    the training data, common text takes its place and gets easier, and the mean of all documents hides both. What hits
    all documents alike, such as another seed, cancels out.

    Unit: nats per token. Range: (-inf, inf). Collapse: up. Undefined (NaN) where all documents are equally rare, or
    none is scored. O(d).

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens of each.
        rarity: d: how rare each is, in any unit.

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails); the contrast is ours.

    Example:
        >>> tail_gap([2.0, 4.0, 12.0], [2, 2, 4], [5.0, 6.0, 8.5])
        0.8111071056538127
    """
    parts = (as_array(part).astype(np.float64) for part in (nats, n_tokens, rarity))
    x, w, q = parts
    return _gap(float(w.sum()), float(w @ q), float(w @ (q * q)), float(x.sum()), float(x @ q))


def _gap(tokens: float, rarity: float, squares: float, nats: float, products: float) -> float:
    """From sums over documents of w, w q, w q^2, x and q x."""
    variance = squares / tokens - (rarity / tokens) ** 2 if tokens > 0.0 else math.nan
    # What rounding leaves of the squares of equal numbers is no variance.
    if not variance > 1e-12 * abs(squares):
        return math.nan
    return (products - nats * rarity / tokens) / tokens / math.sqrt(variance)


class TailGap(LikelihoodIndicator):
    """How much more than common documents rare ones lose; see `tail_gap`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `rarity` (d,) of d documents. Value: float64.

    Example:
        >>> import torch
        >>> metric = TailGap()
        >>> metric.update(torch.tensor([2.0, 4.0, 12.0]), torch.tensor([2, 2, 4]), torch.tensor([5.0, 6.0, 8.5]))
        >>> metric.compute()
        tensor(0.8111, dtype=torch.float64)
    """

    name, place = "tail_gap", 45
    unit = "nats per token"
    value_range = (-math.inf, math.inf)
    scale: ClassVar[EffectScale] = EffectScale.LOG
    is_contrast = True
    cost = "O(d) for d documents"
    definitions = (2, 7)
    misses = "rare documents that a small model does not find rare"
    minimum_n = 30
    undefined = "all documents are equally rare"
    _counted: ClassVar[str] = "scored"

    def __init__(self, **kwargs: object) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        for what in ("tokens", "rarity", "squares", "nats", "products"):
            self._add_sum(f"{what}_of_rarity_{self._counted}")

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """What each evaluation document adds to the gap; None where nobody knows how rare they are."""
        losses, rarity = scored.losses, scored.rarity
        if rarity is None:
            return None
        chosen = of_known(losses, rarity)
        tokens = chosen.n_tokens.astype(np.float64)
        rare = np.array([rarity[document] for document in chosen.documents])
        return Rates(
            value=tail_gap(chosen.nll, tokens, rare),
            documents=chosen.documents,
            sums=tokens * _contributions(chosen.rates, tokens, rare),
            units=chosen.n_tokens,
            problem="" if len(chosen) else none_known(len(losses)),
        )

    def update(self, nats: Tensor, n_tokens: Tensor, rarity: Tensor) -> None:
        """Add documents."""
        x, w, q = nats.double(), n_tokens.double(), rarity.double()
        self._add_up(w.sum(), (w * q).sum(), (w * q * q).sum(), x.sum(), (x * q).sum())

    def compute(self) -> Tensor:
        """The gap of everything since the last reset."""
        return self._scalar(_gap(*(float(total) for total in self._totals)))


def _contributions(rates: FloatArray, tokens: FloatArray, rarity: FloatArray) -> FloatArray:
    """z_i (r_i - mean r): their weighted mean is the gap, and what hits all documents alike is in none of them."""
    if not len(rates):
        return rates
    centred = rarity - np.average(rarity, weights=tokens)
    deviation = math.sqrt(float(np.average(centred**2, weights=tokens)))
    z = centred / deviation if deviation > 0.0 else np.full(len(rates), math.nan)
    with np.errstate(invalid="ignore"):  # losses that are infinite have no mean to stand apart from
        return np.asarray(z * (rates - np.average(rates, weights=tokens)), dtype=np.float64)
