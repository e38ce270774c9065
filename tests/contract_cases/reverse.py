"""An item is a real document that a small model has scored."""

import math
from functools import partial

import numpy as np
import torch

from collapse_guard.indicators import reverse
from contract_cases import likelihood
from contract_cases.case import Case

SIZES, LOSSES = [10, 100, 1000], [6.0, 2.0, 0.5]


def documents(rng):
    """(nats, tokens, rarity)"""
    return likelihood.rare_documents(np.random.default_rng([4, *rng.integers(2**32, size=2)]))


def nats_and_tokens(items):
    nats, tokens, _ = zip(*items, strict=True)
    return torch.tensor(nats, dtype=torch.float32), torch.tensor(tokens)


def as_an_equivalent(items):
    """Another name for the same, because its values are of another kind than those of perplexities."""
    return nats_and_tokens(items)


def loss(items):
    return math.fsum(nats for nats, *_ in items) / sum(tokens for _, tokens, *_ in items)


def slow_equivalent(items):
    """Between which sizes the loss lies, and where on the line between them."""
    rate = loss(items)
    if rate >= LOSSES[0] or rate <= LOSSES[-1]:
        return float(SIZES[0] if rate >= LOSSES[0] else SIZES[-1])
    i = next(i for i in range(len(SIZES) - 1) if LOSSES[i] >= rate >= LOSSES[i + 1])
    share = (LOSSES[i] - rate) / (LOSSES[i] - LOSSES[i + 1])
    return SIZES[i] * (SIZES[i + 1] / SIZES[i]) ** share


def learnt_documents(rng):
    """As `likelihood.sliced_documents`, of another draw than the losses of the model."""
    return likelihood.sliced_documents(np.random.default_rng([3, *rng.integers(2**32, size=2)]))


def harder(items):
    return [(1.5 * nats, *rest) for nats, *rest in items]


CASES = {
    "reverse_perplexity": Case(
        metric=reverse.ReversePerplexity,
        pure=reverse.reverse_perplexity,
        items=documents,
        batch=nats_and_tokens,
        slow=lambda items: math.exp(loss(items)),
        collapse=harder,
    ),
    "reverse_tail_loss": Case(
        metric=reverse.ReverseTailLoss,
        pure=reverse.reverse_tail_loss,
        items=documents,
        batch=likelihood.columns_with_rarity,
        slow=likelihood.slow_gap,
        collapse=likelihood.rare_are_harder,
    ),
    "worst_slice_reverse": Case(
        metric=partial(reverse.WorstSliceReverse, n_slices=3, fewest=1),
        pure=reverse.worst_slice_reverse,
        items=learnt_documents,
        batch=likelihood.columns_with_slices,
        slow=likelihood.slow_worst_slice,
        collapse=likelihood.one_slice_harder,
    ),
    "real_equivalent": Case(
        metric=lambda: reverse.RealEquivalent(SIZES, LOSSES),
        pure=reverse.real_equivalent,
        items=documents,
        batch=as_an_equivalent,
        slow=slow_equivalent,
        collapse=harder,
    ),
}
