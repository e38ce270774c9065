"""Likelihood: how surprised a model is by real text, and how sure it is of its own; logits and losses as metrics."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator, Scale
from collapse_guard.indicators.logits import token_entropy, token_nll
from collapse_guard.indicators.nats import (
    bits_per_byte,
    check_share,
    cvar_loss,
    entropy,
    founder_perplexity,
    own_perplexity,
    perplexity,
    rate,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.ngrams import gather_joined
from collapse_guard.records import Direction

__all__ = [
    "BitsPerByte",
    "CvarLoss",
    "Entropy",
    "FounderPerplexity",
    "OwnPerplexity",
    "Perplexity",
    "TailLoss",
    "TailTokenLoss",
    "bits_per_byte",
    "cvar_loss",
    "entropy",
    "founder_perplexity",
    "own_perplexity",
    "perplexity",
    "tail_loss",
    "tail_token_loss",
    "token_entropy",
    "token_nll",
]

_MOST_DOCUMENTS = 10**6
"""Documents that `CvarLoss` keeps at most: 8 MB."""


class _OfLosses(Indicator):
    family = "likelihood"
    direction = Direction.UP
    value_range = (0.0, math.inf)
    evidence: ClassVar[EvidenceKind] = "losses"
    definitions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    misses = "what a model writes: a model may score well and sample poorly"


class _OfTokens(_OfLosses):
    """Base of means over the scored tokens of batches of logits; its states are named after what adds up."""

    cost = "O(T V) for T tokens and V logits each"
    minimum_n = 30
    scale: ClassVar[Scale] = "difference"
    undefined = "no token is scored"
    _of: ClassVar[str]

    def __init__(self, ignore_index: int = -100, **kwargs: Any) -> None:
        """Begin without tokens."""
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        # The setting is part of the names: see Indicator.
        self._nats, self._tokens = (f"{part}_{self._of}_ignoring_{ignore_index}" for part in ("nats", "n_tokens"))
        self._add_sum(self._nats)
        self._add_sum(self._tokens, dtype=torch.int64)

    def _add(self, nats: Tensor, labels: Tensor) -> None:
        setattr(self, self._nats, getattr(self, self._nats) + nats.sum(dtype=torch.float64))
        setattr(self, self._tokens, getattr(self, self._tokens) + (labels != self.ignore_index).sum())

    @property
    def _sums(self) -> tuple[Tensor, Tensor]:
        return getattr(self, self._nats), getattr(self, self._tokens)


class Perplexity(_OfTokens):
    """Perplexity over batches of logits; see `perplexity`.

    As input to `update`: `logits` (B, T, V) of any float type, and `labels` (B, T), already shifted. Nats add up in
    float64 and tokens in int64, so the value does not depend on the batch size and counters do not saturate. Value:
    float64.

    Args:
        ignore_index: Label of positions that are not scored: pads.

    Example:
        >>> metric = Perplexity()
        >>> metric.update(torch.zeros(2, 3, 50), torch.tensor([[4, 5, 6], [7, -100, -100]]))
        >>> metric.compute()
        tensor(50.0000, dtype=torch.float64)
    """

    name = "perplexity"
    unit = "choices per token"
    value_range = (1.0, math.inf)
    _of = "of_real_text"

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        self._add(token_nll(logits.detach(), labels, self.ignore_index), labels)

    def compute(self) -> Tensor:
        """Perplexity of everything since the last reset; NaN where every label was ignored."""
        return self._scalar(perplexity(*self._sums))


class OwnPerplexity(Perplexity):
    """Perplexity of a model on its own samples, over batches of logits; see `own_perplexity`.

    As input to `update`: `logits` (B, T, V) of the model on its samples, and the samples as `labels` (B, T), already
    shifted. Value: float64.

    Args:
        ignore_index: Label of positions that are not scored: pads and prompts.

    Example:
        >>> metric = OwnPerplexity()
        >>> metric.update(torch.zeros(2, 3, 50), torch.tensor([[4, 5, 6], [7, -100, -100]]))
        >>> metric.compute()
        tensor(50.0000, dtype=torch.float64)
    """

    name = "own_perplexity"
    direction = Direction.BOTH
    minimum_n = MINIMUM_GROUPS
    evidence = "outputs"
    definitions = (4, 7)
    misses = "whether the text is right: a model may be sure of nonsense; and narrowing and noise that cancel out"
    _of = "of_own_samples"

    def compute(self) -> Tensor:
        """Perplexity of the model on all its samples since the last reset."""
        return self._scalar(own_perplexity(*self._sums))


class FounderPerplexity(Perplexity):
    """Perplexity of the founder on samples of a generation, over batches of logits; see `founder_perplexity`.

    As input to `update`: `logits` (B, T, V) of the founder on the samples, and the samples as `labels` (B, T), already
    shifted. Value: float64.

    Args:
        ignore_index: Label of positions that are not scored: pads and prompts.

    Example:
        >>> metric = FounderPerplexity()
        >>> metric.update(torch.zeros(2, 3, 50), torch.tensor([[4, 5, 6], [7, -100, -100]]))
        >>> metric.compute()
        tensor(50.0000, dtype=torch.float64)
    """

    name = "founder_perplexity"
    direction = Direction.BOTH
    minimum_n = MINIMUM_GROUPS
    evidence = "outputs"
    definitions = (7, 8)
    misses = "lost tails and new errors at once: they cancel out in the mean"
    _of = "of_samples_at_the_founder"

    def compute(self) -> Tensor:
        """Perplexity of the founder on all samples since the last reset."""
        return self._scalar(founder_perplexity(*self._sums))


class Entropy(_OfTokens):
    """Mean entropy of next-token distributions over batches of logits; see `entropy`.

    As input to `update`: `logits` (B, T, V) on real text, of any float type, and `labels` (B, T), already shifted, of
    which only those that are ignored matter. Value: float64.

    Args:
        ignore_index: Label of positions that are not scored: pads.

    Example:
        >>> metric = Entropy()
        >>> metric.update(torch.zeros(2, 3, 50), torch.tensor([[4, 5, 6], [7, -100, -100]]))
        >>> metric.compute()
        tensor(3.9120, dtype=torch.float64)
    """

    name = "entropy"
    unit = "nats"
    scale = "log_ratio"
    direction = Direction.BOTH
    definitions = (4, 7)
    misses = "whether the model is right: it may be as unsure as before, of other words"
    _of = "of_entropy"

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        self._add(token_entropy(logits.detach(), labels, self.ignore_index), labels)

    def compute(self) -> Tensor:
        """Mean entropy of everything since the last reset; NaN where every label was ignored."""
        return self._scalar(entropy(*self._sums))


class BitsPerByte(_OfLosses):
    """Bits per byte over documents; see `bits_per_byte`.

    As input to `update`: `nats` (d,) and `n_bytes` (d,) of d documents. Value: float64.

    Example:
        >>> metric = BitsPerByte()
        >>> metric.update(torch.tensor([10.0, 30.0]), torch.tensor([20, 20]))
        >>> metric.compute()
        tensor(1.4427, dtype=torch.float64)
    """

    name = "bits_per_byte"
    unit = "bits per byte"
    cost = "O(d) for d documents"
    minimum_n = 30
    undefined = "the scored text has no bytes"

    nats_of_bytes: Tensor
    n_bytes: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("nats_of_bytes")
        self._add_sum("n_bytes", dtype=torch.int64)

    def update(self, nats: Tensor, n_bytes: Tensor) -> None:
        """Add documents."""
        self.nats_of_bytes = self.nats_of_bytes + nats.sum(dtype=torch.float64)
        self.n_bytes = self.n_bytes + n_bytes.sum()

    def compute(self) -> Tensor:
        """Bits per byte of everything since the last reset."""
        return self._scalar(bits_per_byte(self.nats_of_bytes, self.n_bytes))


class TailLoss(_OfLosses):
    """Loss over the founder's hardest documents; see `tail_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `in_tail` (d,) of d documents. Value: float64.

    Example:
        >>> metric = TailLoss()
        >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([2, 3]), torch.tensor([False, True]))
        >>> metric.compute()
        tensor(3., dtype=torch.float64)
    """

    name = "tail_loss"
    unit = "nats per token"
    cost = "O(d) for d documents"
    misses = (
        "tails that the founder knew well; and it reads low after the founder, whose tail was chosen by its own loss"
    )
    definitions = (2, 7)
    minimum_n = 10
    scale = "difference"
    undefined = "no document of the tail is scored"

    tail_nats: Tensor
    tail_tokens: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("tail_nats")
        self._add_sum("tail_tokens", dtype=torch.int64)

    def update(self, nats: Tensor, n_tokens: Tensor, in_tail: Tensor) -> None:
        """Add documents."""
        self.tail_nats = self.tail_nats + nats[in_tail].sum(dtype=torch.float64)
        self.tail_tokens = self.tail_tokens + n_tokens[in_tail].sum()

    def compute(self) -> Tensor:
        """Nats per token over the tail documents since the last reset."""
        return self._scalar(tail_loss(self.tail_nats, self.tail_tokens, in_tail=True))


class TailTokenLoss(_OfLosses):
    """Loss over the founder's hardest tokens; see `tail_token_loss`.

    As input to `update`: `token_nats` and `in_tail`, of any one shape. Value: float64.

    Example:
        >>> metric = TailTokenLoss()
        >>> metric.update(torch.tensor([[0.5, 8.0], [6.0, 1.0]]), torch.tensor([[False, True], [True, False]]))
        >>> metric.compute()
        tensor(7., dtype=torch.float64)
    """

    name = "tail_token_loss"
    unit = "nats per token"
    cost = "O(t) for t tokens"
    misses = "half of what it looks for: the founder's hardest tokens were chosen by chance as well"
    definitions = (2, 7)
    minimum_n = 10
    scale = "difference"
    undefined = "no token of the tail is scored"

    hard_nats: Tensor
    n_hard: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("hard_nats")
        self._add_sum("n_hard", dtype=torch.int64)

    def update(self, token_nats: Tensor, in_tail: Tensor) -> None:
        """Add tokens."""
        self.hard_nats = self.hard_nats + token_nats[in_tail].sum(dtype=torch.float64)
        self.n_hard = self.n_hard + in_tail.sum()

    def compute(self) -> Tensor:
        """Mean nats over the tail tokens since the last reset."""
        return self._scalar(rate(self.hard_nats, self.n_hard))


class CvarLoss(_OfLosses):
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

    name = "cvar_loss"
    unit = "nats per token"
    cost = "O(d log d) for d documents"
    misses = "hard documents that others take the place of: the worst are found anew in each generation"
    definitions = (2, 7)
    minimum_n = 100
    scale = "difference"
    undefined = "no document is scored"

    rates_of_documents: Tensor

    def __init__(self, q: float = 0.1, **kwargs: Any) -> None:
        """Begin without documents."""
        # Ranks hold different numbers of documents, and torchmetrics stacks what it gathers: a stack of one, if joined.
        kwargs.setdefault("dist_sync_fn", gather_joined)
        super().__init__(**kwargs)
        check_share("q", q)
        self.q = q
        self.add_state("rates_of_documents", torch.zeros(0, dtype=torch.float64), dist_reduce_fx="cat")

    def update(self, nats: Tensor, n_tokens: Tensor) -> None:
        """Add documents."""
        if len(self.rates_of_documents) + len(nats) > _MOST_DOCUMENTS:
            raise InputError(
                f"`nats` must be of at most {_MOST_DOCUMENTS} documents in all, but got "
                f"{len(self.rates_of_documents) + len(nats)}: score a random part of them"
            )
        self.rates_of_documents = torch.cat([self.rates_of_documents, nats.double() / n_tokens])

    def compute(self) -> Tensor:
        """Conditional value at risk of all documents since the last reset."""
        rates = self.rates_of_documents.flatten()
        return self._scalar(cvar_loss(rates, torch.ones_like(rates), self.q))
