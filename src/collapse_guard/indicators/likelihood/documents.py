"""Likelihood over documents: bits per byte, and the losses of the hardest documents and tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from collapse_guard.indicators.likelihood.nats import (
    bits_per_byte,
    check_share,
    cvar_loss,
    cvar_parts,
    rate,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.likelihood.tokens import LikelihoodIndicator
from collapse_guard.indicators.ngrams import FlatStates
from collapse_guard.indicators.rates import Rates, ScoredDocuments, not_finite
from collapse_guard.records import EffectScale

MOST_DOCUMENTS = 10**6
"""Documents that `CvarLoss` keeps at most: 8 MB."""


class BitsPerByte(LikelihoodIndicator):
    """Bits per byte over documents; see `bits_per_byte`.

    As input to `update`: `nats` (d,) and `n_bytes` (d,) of d documents. Value: float64.

    Example:
        >>> metric = BitsPerByte()
        >>> metric.update(torch.tensor([10.0, 30.0]), torch.tensor([20, 20]))
        >>> metric.compute()
        tensor(1.4427, dtype=torch.float64)
    """

    name, place = "bits_per_byte", 20
    unit = "bits per byte"
    cost = "O(d) for d documents"
    minimum_n = 30
    undefined = "the scored text has no bytes"
    _states = (("nats_of_bytes", torch.float64), ("n_bytes", torch.int64))

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all documents; None where their bytes are not known."""
        losses = scored.losses
        if losses.n_bytes is None:
            return None
        empty = np.flatnonzero(losses.n_bytes < 1)
        return Rates(
            value=bits_per_byte(losses.nll, losses.n_bytes),
            documents=losses.documents,
            sums=losses.nll / math.log(2),
            units=losses.n_bytes,
            problem=f"document {losses.documents[empty[0]]!r} has no bytes" if len(empty) else "",
        )

    def update(self, nats: Tensor, n_bytes: Tensor) -> None:
        """Add documents."""
        self._add_up(nats.sum(dtype=torch.float64), n_bytes.sum())

    def compute(self) -> Tensor:
        """Bits per byte of everything since the last reset."""
        return self._scalar(bits_per_byte(*self._totals))


class _HardestIndicator(LikelihoodIndicator):
    """What the losses of the hardest documents and tokens declare alike."""

    unit = "nats per token"
    definitions = (2, 7)
    scale = EffectScale.LOG

    def compute(self) -> Tensor:
        """Nats per token over everything since the last reset."""
        return self._scalar(rate(*self._totals))


class TailLoss(_HardestIndicator):
    """Loss over the founder's hardest documents; see `tail_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `in_tail` (d,) of d documents. Value: float64.

    Example:
        >>> metric = TailLoss()
        >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([2, 3]), torch.tensor([False, True]))
        >>> metric.compute()
        tensor(3., dtype=torch.float64)
    """

    name, place = "tail_loss", 30
    cost = "O(d) for d documents"
    misses = (
        "tails that the founder knew well; later generations read low, because the founder's own loss chose the tail"
    )
    minimum_n = 10
    undefined = "no document of the tail is scored"
    _states = (("tail_nats", torch.float64), ("tail_tokens", torch.int64))

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of the documents of the tail; None where none was frozen."""
        losses, tail = scored.losses, scored.tail
        if tail is None:
            return None
        chosen = np.isin(losses.documents, tail.documents)
        documents = tuple(np.array(losses.documents)[chosen].tolist())
        n_minimum = math.ceil(cls.minimum_n / tail.share - 1e-9)
        too_few = (
            f"the founder's tail has {len(documents)} documents, {cls.minimum_n} are needed: "
            f"score at least {n_minimum} wild-type documents"
        )
        return Rates(
            value=tail_loss(losses.nll, losses.n_tokens, chosen),
            documents=documents,
            sums=losses.nll[chosen],
            units=losses.n_tokens[chosen],
            problem=_missing(documents, tail.documents) or (too_few if len(documents) < cls.minimum_n else ""),
            n=len(losses),
            n_minimum=n_minimum,
        )

    def update(self, nats: Tensor, n_tokens: Tensor, in_tail: Tensor) -> None:
        """Add documents."""
        self._add_up(nats[in_tail].sum(dtype=torch.float64), n_tokens[in_tail].sum())


class TailTokenLoss(_HardestIndicator):
    """Loss over the founder's hardest tokens; see `tail_token_loss`.

    As input to `update`: `token_nats` and `in_tail`, of any one shape. Value: float64.

    Example:
        >>> metric = TailTokenLoss()
        >>> metric.update(torch.tensor([[0.5, 8.0], [6.0, 1.0]]), torch.tensor([[False, True], [True, False]]))
        >>> metric.compute()
        tensor(7., dtype=torch.float64)
    """

    name, place = "tail_token_loss", 40
    cost = "O(t) for t tokens"
    misses = "about half of the loss: the founder's hardest tokens were partly chosen by chance"
    minimum_n = 10
    undefined = "no token of the tail is scored"
    _states = (("hard_nats", torch.float64), ("n_hard", torch.int64))

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of the documents with tokens of the tail; None where none was frozen or tokens were not scored."""
        losses, tail = scored.losses, scored.tail
        if tail is None or not tail.tokens or losses.token_nll is None:
            return None
        known = dict(zip(losses.documents, losses.token_nll, strict=True))
        held = tuple(document for document in sorted(tail.tokens) if document in known)
        short = [document for document in held if max(tail.tokens[document]) >= len(known[document])]
        problem = _missing(held, tuple(tail.tokens))
        if short:
            problem = (
                f"{len(short)} documents have fewer tokens than at the founder (first: {short[0]!r}): "
                "another tokenizer?"
            )
            held = ()
        nats = [np.asarray(known[document], dtype=np.float64)[list(tail.tokens[document])] for document in held]
        pooled = np.concatenate(nats) if nats else np.zeros(0)
        return Rates(
            value=tail_token_loss(pooled, np.ones(len(pooled), bool)),
            documents=held,
            sums=np.array([part.sum() for part in nats]),
            units=np.array([len(part) for part in nats], dtype=np.int64),
            problem=problem,
        )

    def update(self, token_nats: Tensor, in_tail: Tensor) -> None:
        """Add tokens."""
        self._add_up(token_nats[in_tail].sum(dtype=torch.float64), in_tail.sum())


class CvarLoss(_HardestIndicator, FlatStates):
    """Conditional value at risk over documents; see `cvar_loss`.

    As input to `update`: `nats` (d,) and `n_tokens` (d,) of d documents. Value: float64. The worst documents are only
    known at the end, so one float64 is kept for each: at most a million documents, 8 MB.

    Args:
        q: Share of the documents that are the worst.

    Raises:
        InputError: `q` is out of range, or there are too many documents.

    Example:
        >>> metric = CvarLoss(q=0.25)
        >>> metric.update(torch.arange(1, 11), torch.ones(10))
        >>> metric.compute()
        tensor(9.2000, dtype=torch.float64)
    """

    name, place = "cvar_loss", 50
    cost = "O(d log d) for d documents"
    misses = "hard documents that others replace: each generation has its own worst documents"
    minimum_n = 100
    undefined = "no document is scored"

    rates_of_documents: Tensor

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all documents: what each adds to the value."""
        losses = scored.losses
        # Documents weigh the same; the weight changes with the tokenizer, so that generations of two are kept apart.
        weight = losses.n_tokens.mean() if len(losses) else 1.0
        return Rates(
            value=cvar_loss(losses.nll, losses.n_tokens),
            documents=losses.documents,
            sums=weight * cvar_parts(losses.nll, losses.n_tokens),
            units=np.full(len(losses), weight),
            problem=not_finite(losses.documents, losses.nll),
        )

    def __init__(self, q: float = 0.1, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        check_share("q", q)
        self.q = q
        self._add_flat("rates_of_documents", torch.float64)

    def update(self, nats: Tensor, n_tokens: Tensor) -> None:
        """Add documents."""
        self._check_room("nats", len(self.rates_of_documents) + len(nats), MOST_DOCUMENTS, "documents")
        self._append("rates_of_documents", nats.double() / n_tokens)

    def compute(self) -> Tensor:
        """Conditional value at risk of all documents since the last reset."""
        return self._scalar(cvar_loss(self.rates_of_documents, torch.ones_like(self.rates_of_documents), self.q))


def _missing(present: tuple[str, ...], required: tuple[str, ...]) -> str:
    missing = sorted(set(required) - set(present))
    if not missing:
        return ""
    return (
        f"{len(missing)} of the {len(required)} documents of the founder's tail were not scored (first: "
        f"{missing[0]!r}): score the same documents in every generation"
    )
