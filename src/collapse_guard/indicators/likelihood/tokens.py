"""Likelihood: how surprised a model is by real text, and how sure it is of its own; logits and losses as metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.likelihood.logits import token_entropy, token_nll
from collapse_guard.indicators.likelihood.nats import entropy, founder_perplexity, own_perplexity, perplexity
from collapse_guard.indicators.rates import Rates, ScoredDocuments
from collapse_guard.records import Direction, EffectScale


class LikelihoodIndicator(Indicator):
    """What the indicators of the likelihood family declare alike."""

    family = "likelihood"
    direction = Direction.UP
    value_range = (0.0, math.inf)
    evidence: ClassVar[EvidenceKind] = "losses"
    definitions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    misses = "what a model writes: a model may score well and sample poorly"


class _TokenMean(LikelihoodIndicator):
    """Base of means over the scored tokens of batches of logits; its states are named after what adds up."""

    cost = "O(T V) for T tokens and V logits each"
    minimum_n = 30
    scale: ClassVar[EffectScale] = EffectScale.EXPONENTIAL
    undefined = "no token is scored"
    _of: ClassVar[str]
    _of_tokens: ClassVar[Callable[..., Tensor]]

    def __init__(self, ignore_index: int = -100, **kwargs: Any) -> None:
        """Begin without tokens."""
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        # The setting is part of the names: see Indicator.
        self._add_sum(f"nats_{self._of}_ignoring_{ignore_index}")
        self._add_count(f"n_tokens_{self._of}_ignoring_{ignore_index}")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        nats = self._of_tokens(logits.detach(), labels, self.ignore_index)
        self._add_up(nats.sum(dtype=torch.float64), (labels != self.ignore_index).sum())

    def compute(self) -> Tensor:
        """Value of everything since the last reset; NaN where every label was ignored."""
        return self._scalar(self.formula(*self._totals))


class Perplexity(_TokenMean):
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

    name, place = "perplexity", 10
    unit = "choices per token"
    value_range = (1.0, math.inf)
    formula = staticmethod(perplexity)
    _of, _of_tokens = "of_real_text", staticmethod(token_nll)

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all documents."""
        losses = scored.losses
        value = perplexity(losses.nll, losses.n_tokens)
        return Rates(value=value, documents=losses.documents, sums=losses.nll, units=losses.n_tokens)


class _OutputPerplexity(Perplexity):
    """Base of perplexities of the samples of a generation, under one model or another."""

    direction = Direction.BOTH
    minimum_n = MINIMUM_GROUPS
    evidence = "outputs"

    @classmethod
    def _of_samples(cls, losses: Losses | None) -> tuple[float, Losses] | None:
        return None if losses is None else (cls.formula(losses.nll, losses.n_tokens), losses)


class OwnPerplexity(_OutputPerplexity):
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

    name, place = "own_perplexity", 70
    definitions = (4, 7)
    misses = "whether the text is right: a model may be sure of nonsense; and narrowing and noise that cancel out"
    formula = staticmethod(own_perplexity)
    _of = "of_own_samples"

    @classmethod
    def read(cls, evidence: Evidence) -> tuple[float, Losses] | None:  # type: ignore[override]
        """Value, and losses of the samples under the generation itself."""
        return cls._of_samples(evidence.own_losses)


class FounderPerplexity(_OutputPerplexity):
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

    name, place = "founder_perplexity", 80
    definitions = (7, 8)
    misses = "lost tails and new errors at once: they cancel out in the mean"
    formula = staticmethod(founder_perplexity)
    _of = "of_samples_at_the_founder"

    @classmethod
    def read(cls, evidence: Evidence) -> tuple[float, Losses] | None:  # type: ignore[override]
        """Value, and losses of the samples under the founder."""
        return cls._of_samples(evidence.founder_losses)


class Entropy(_TokenMean):
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

    name, place = "entropy", 60
    unit = "nats"
    scale = EffectScale.LOG_RATIO
    direction = Direction.BOTH
    definitions = (4, 7)
    misses = "whether the model is right: it may be as unsure as before, of other words"
    formula = staticmethod(entropy)
    _of, _of_tokens = "of_entropy", staticmethod(token_entropy)

    @classmethod
    def read(cls, scored: ScoredDocuments) -> Rates | None:
        """Rates of all documents; None where no entropies were measured."""
        nats, n_tokens = scored.losses.entropy, scored.losses.n_tokens
        if nats is None:
            return None
        value = entropy(nats, n_tokens)
        return Rates(value=value, documents=scored.losses.documents, sums=nats, units=n_tokens, what="entropies")
