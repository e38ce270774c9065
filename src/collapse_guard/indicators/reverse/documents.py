"""Losses of real documents under a small language model that was fitted on samples: of all, and of rare ones."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arrays import BoolArray, FloatArray, IntArray
from collapse_guard.indicators.base import EvidenceKind, Indicator
from collapse_guard.indicators.counts import Values, as_array, ratio
from collapse_guard.indicators.likelihood.nats import perplexity
from collapse_guard.indicators.rates import Rates, ScoredDocuments
from collapse_guard.records import Direction, EffectScale

_KEY = b"collapse_guard reverse"


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


def reverse_tail_loss(nats: Values, n_tokens: Values, in_tail: Values, block: Values) -> float:
    r"""How much harder rare real documents are than others, for a small model that learnt from samples.

    .. math:: \frac{\sum_b T_b \, (r_b - s_b)}{\sum_b T_b}

    with r_b the nats per token of the rare documents of block b, s_b that of its other documents, and T_b the tokens of
    the rare ones. Each rare document has a block of other documents of its own, so that blocks are independent. Where
    rare text fades from samples, common text takes its place and its loss falls; the mean of both hides what this
    contrast shows. Rare are the tenth of the evaluation documents that the small model finds hardest once it has learnt
    from the pool, so no generation's luck chose them.

    Unit: nats per token. Range: (-inf, inf). Collapse: up. Undefined (NaN) where no block has documents of both kinds.
    O(d) for d documents.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: tokens of each.
        in_tail: d: whether the document is a rare one.
        block: d: number of its block, from 0 on.

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails); the contrast is ours.

    Example:
        >>> reverse_tail_loss([20.0, 8.0, 8.0], [4, 4, 4], [True, False, False], [0, 0, 0])
        3.0
    """
    blocks, tail = as_array(block).astype(np.int64), as_array(in_tail).astype(bool)
    sums, units = as_array(nats).astype(np.float64), as_array(n_tokens).astype(np.float64)
    n = int(blocks.max(initial=-1)) + 1
    rare, others = (_totals(blocks[side], sums[side], units[side], n) for side in (tail, ~tail))
    return _contrast(*rare, *others)


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


class ReverseTailLoss(_ReverseIndicator):
    """Loss of rare documents less that of others under a small model fitted on samples; see `reverse_tail_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,), `in_tail` (d,) and `block` (d,) of d documents. Value: float64.

    Args:
        n_blocks: Number of blocks.

    Example:
        >>> metric = ReverseTailLoss(n_blocks=1)
        >>> metric.update(torch.tensor([20.0, 8.0]), torch.tensor([4, 4]), torch.tensor([True, False]), torch.zeros(2))
        >>> metric.compute()
        tensor(3., dtype=torch.float64)
    """

    name, place = "reverse_tail_loss", 20
    unit = "nats per token"
    value_range = (-math.inf, math.inf)
    scale = EffectScale.LOG
    minimum_n = 10
    definitions = (2, 6, 7)
    undefined = "no block has rare documents and others"

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of the rare documents, each less that of its block; None where nobody chose the rare ones."""
        losses, tail = scored.losses, scored.tail
        if tail is None:
            return None
        in_tail = np.isin(losses.documents, tail.documents)
        block = blocks_of(losses.documents, in_tail)
        rare = np.flatnonzero(in_tail)
        nats, tokens = _totals(block[~in_tail], losses.nll[~in_tail], losses.n_tokens[~in_tail], len(rare))
        with np.errstate(invalid="ignore"):  # a block without other documents, where most are rare
            rates = losses.rates[rare] - (nats / tokens)[block[rare]]
        n_minimum = math.ceil(cls.minimum_n / tail.share - 1e-9)
        few = (
            f"{len(rare)} of the wild type's evaluation documents are its rare ones, {cls.minimum_n} are needed: "
            f"it needs {n_minimum} evaluation documents"
        )
        return Rates(
            value=reverse_tail_loss(losses.nll, losses.n_tokens, in_tail, block),
            documents=tuple(losses.documents[i] for i in rare),
            sums=rates * losses.n_tokens[rare],
            units=losses.n_tokens[rare],
            problem=few if len(rare) < cls.minimum_n else "",
            n=len(losses),
            n_minimum=n_minimum,
        )

    def __init__(self, n_blocks: int, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self.n_blocks = n_blocks
        # The setting is part of the names: see Indicator.
        for part in ("rare_nats", "rare_tokens", "other_nats", "other_tokens"):
            self._add_sum(f"{part}_of_{n_blocks}_blocks", n_blocks)

    def update(self, nats: Tensor, n_tokens: Tensor, in_tail: Tensor, block: Tensor) -> None:
        """Add documents."""
        chosen, blocks = in_tail.bool(), block.long()
        sides = [(side, part) for side in (chosen, ~chosen) for part in (nats, n_tokens)]
        self._add_up(*(torch.bincount(blocks[s], part[s].double(), self.n_blocks) for s, part in sides))

    def compute(self) -> Tensor:
        """The contrast of everything since the last reset."""
        return self._scalar(_contrast(*(as_array(total) for total in self._totals)))


def blocks_of(documents: Sequence[str], in_tail: BoolArray) -> IntArray:
    """The block of each document: one for each rare document, and the others dealt out to them evenly.

    A hash of the ids decides, so a document is in the same block in every generation. O(d log d).

    Args:
        documents: d ids.
        in_tail: d: which of them are rare.

    Example:
        >>> blocks_of(("a", "b", "c", "d"), np.array([True, False, True, False])).tolist()
        [0, 1, 1, 0]
    """
    order = sorted(range(len(documents)), key=lambda i: hashlib.blake2b(documents[i].encode(), key=_KEY).digest())
    ranked, blocks = in_tail[order], np.zeros(len(documents), np.int64)
    n = max(1, int(in_tail.sum()))
    blocks[order] = np.where(ranked, np.cumsum(ranked) - 1, (np.cumsum(~ranked) - 1) % n)
    return blocks


def _totals(block: IntArray, nats: FloatArray, tokens: FloatArray | IntArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Nats and tokens of each of n blocks."""
    return tuple(np.bincount(block, part, n).astype(np.float64) for part in (nats, tokens))  # type: ignore[return-value]


def _contrast(rare_nats: FloatArray, rare_tokens: FloatArray, nats: FloatArray, tokens: FloatArray) -> float:
    both = (rare_tokens > 0) & (tokens > 0)
    weights = rare_tokens[both]
    return ratio(float(np.sum(rare_nats[both] - weights * nats[both] / tokens[both])), float(weights.sum()))
