"""Likelihood: how surprised a model is by real text, and how sure it is of its own; logits and losses as metrics."""

from collapse_guard.indicators.likelihood.documents import BitsPerByte, CvarLoss, TailLoss, TailTokenLoss
from collapse_guard.indicators.likelihood.logits import token_entropy, token_nll
from collapse_guard.indicators.likelihood.nats import (
    bits_per_byte,
    cvar_loss,
    entropy,
    founder_perplexity,
    own_perplexity,
    perplexity,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.likelihood.tokens import Entropy, FounderPerplexity, OwnPerplexity, Perplexity

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
