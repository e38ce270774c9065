"""Losses of real documents under a small language model that was fitted on samples: of all, and of rare ones."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from collapse_guard.indicators.base import EvidenceKind, Indicator
from collapse_guard.indicators.counts import Values
from collapse_guard.indicators.likelihood.nats import perplexity
from collapse_guard.indicators.likelihood.rarity import TailGap, tail_gap
from collapse_guard.indicators.rates import Rates, ScoredDocuments
from collapse_guard.records import Direction, EffectScale


def reverse_perplexity(nats: Values, n_tokens: Values) -> float:
    r"""Perplexity of real documents under a small model that learnt from samples: `exp(sum nats / sum tokens)`.

    It says what a successor would learn about real text from these samples. The small model is an interpolated
    Kneser-Ney model of the wild type's tokens (`corpus.kneser_ney`), fitted on a fixed number of tokens, because with
    more text it knows more; a document's loss is its mean over disjoint parts of the samples of that size. It needs no
    logits, sees narrow decoding and noise alike, and pairs documents across generations as losses do.

    Unit: choices per token. Range: [1, inf). Collapse: up. Undefined (NaN) without tokens; infinite above 709 nats per
    token. O(t) for t tokens of samples and of documents, but for sorting.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: tokens of each.

    Source: Zhao et al. (2018), Adversarially regularized autoencoders, ICML, section 5 (reverse perplexity); Semeniuta
        et al. (2018), On accurate evaluation of GANs for language generation, arXiv:1806.04936 (a model's own
        perplexity misses the loss of modes).

    Example:
        >>> round(reverse_perplexity([math.log(8), math.log(2)], [1, 3]), 6)
        2.0
    """
    return perplexity(nats, n_tokens)


def reverse_tail_loss(nats: Values, n_tokens: Values, rarity: Values) -> float:
    r"""How much harder rare real documents are than common ones, for a small model that learnt from samples.

    As `tail_gap`, but with the losses of a small language model that learnt from the samples of a generation: where
    rare text is no longer written, a successor cannot learn it. It needs no losses of the model.

    Unit: nats per token, for each standard deviation of rarity. Range: (-inf, inf). Collapse: up. Undefined (NaN) where
    all documents are equally rare, or none is scored. O(t) for t tokens of samples and of documents, but for sorting.

    Args:
        nats: d: sums of nats of documents, under the small model.
        n_tokens: d: tokens of each.
        rarity: d: how rare each is, in any unit.

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails); the contrast is ours.

    Example:
        >>> reverse_tail_loss([2.0, 4.0, 12.0], [2, 2, 4], [5.0, 6.0, 8.5])
        0.8111071056538127
    """
    return tail_gap(nats, n_tokens, rarity)


class _ReverseIndicator(Indicator):
    """What indicators of losses under a small model declare alike."""

    family = "reverse"
    direction = Direction.UP
    evidence: ClassVar[EvidenceKind] = "reverse"
    minimum_n = 30
    cost = "O(t) for t tokens of samples and of documents, but for sorting"
    misses = "what only a long context shows: the small model sees two tokens back"


class ReversePerplexity(_ReverseIndicator):
    """Perplexity of real documents under a small model fitted on samples; see `reverse_perplexity`.

    As input to `update`: `nats` (d,) and `n_tokens` (d,) of d documents. Value: float64.

    Example:
        >>> metric = ReversePerplexity()
        >>> metric.update(torch.tensor([10.0, 30.0]), torch.tensor([5, 5]))
        >>> metric.compute()
        tensor(54.5982, dtype=torch.float64)
    """

    name, place = "reverse_perplexity", 10
    unit = "choices per token"
    value_range = (1.0, math.inf)
    scale = EffectScale.EXPONENTIAL
    definitions = (1, 2, 3, 6)
    undefined = "no token is scored"
    _states = (("nats_learnt", torch.float64), ("n_tokens_learnt", torch.int64))

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all documents."""
        losses = scored.losses
        value = reverse_perplexity(losses.nll, losses.n_tokens)
        return Rates(value=value, documents=losses.documents, sums=losses.nll, units=losses.n_tokens)

    def update(self, nats: Tensor, n_tokens: Tensor) -> None:
        """Add documents."""
        self._add_up(nats.sum(dtype=torch.float64), n_tokens.sum())

    def compute(self) -> Tensor:
        """Reverse perplexity of everything since the last reset."""
        return self._scalar(reverse_perplexity(*self._totals))


class ReverseTailLoss(TailGap):
    """How much harder rare documents are for a small model that learnt from samples; see `reverse_tail_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `rarity` (d,) of d documents. Value: float64.

    Example:
        >>> metric = ReverseTailLoss()
        >>> metric.update(torch.tensor([2.0, 4.0, 12.0]), torch.tensor([2, 2, 4]), torch.tensor([5.0, 6.0, 8.5]))
        >>> metric.compute()
        tensor(0.8111, dtype=torch.float64)
    """

    name, place = "reverse_tail_loss", 20
    family = "reverse"
    evidence: ClassVar[EvidenceKind] = "reverse"
    cost = "O(t) for t tokens of samples and of documents, but for sorting"
    misses = "what only a long context shows, and rare documents that a small model does not find rare"
    _counted = "learnt"
