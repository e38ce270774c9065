"""An item is a scored document."""

import math
import statistics
from functools import partial

import numpy as np
import torch

from collapse_guard.indicators import likelihood
from contract_cases.case import ITEMS, Case

VOCABULARY = 7


def scored_documents(rng):
    """(logits, labels), some labels being pads"""
    items = []
    for i in range(ITEMS):
        labels = rng.integers(VOCABULARY, size=5)
        labels[5 - i % 3 :] = -100
        logits = rng.normal(size=(5, VOCABULARY)) + 2.0 * np.eye(VOCABULARY)[np.maximum(labels, 0)]
        items.append((torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)))
    return items


def samples_at_the_model(rng):
    """(logits, labels) of another draw than of real text"""
    return scored_documents(np.random.default_rng([1, *rng.integers(2**32, size=2)]))


def samples_at_the_founder(rng):
    """(logits, labels) of a third draw"""
    return scored_documents(np.random.default_rng([2, *rng.integers(2**32, size=2)]))


def stacked_documents(items):
    return tuple(map(torch.stack, zip(*items, strict=True)))


def slow_perplexity(items):
    nats = []
    for logits, labels in items:
        for z, y in zip(logits.double().tolist(), labels.tolist(), strict=True):
            if y != -100:
                nats.append(math.log(math.fsum(math.exp(value - z[y]) for value in z)))
    return math.exp(math.fsum(nats) / len(nats))


def slow_entropy(items):
    nats = []
    for logits, labels in items:
        for z, y in zip(logits.double().tolist(), labels.tolist(), strict=True):
            if y != -100:
                total = math.fsum(map(math.exp, z))
                nats.append(-math.fsum(math.exp(value) / total * math.log(math.exp(value) / total) for value in z))
    return math.fsum(nats) / len(nats)


def sharper(items):
    """What greedy decoding does: the model is surer of what it finds likely, and that is what is said."""
    return [(3.0 * logits, torch.where(labels == -100, labels, logits.argmax(-1))) for logits, labels in items]


def documents(rng):
    """(nats, units, whether in the tail)"""
    return [(float(rng.gamma(3.0)), int(rng.integers(1, 9)), bool(i % 3)) for i in range(ITEMS)]


def columns(items):
    nats, units, tail = zip(*items, strict=True)
    return torch.tensor(nats, dtype=torch.float32), torch.tensor(units), torch.tensor(tail)


def columns_with_slices(items):
    nats, units, numbers = zip(*items, strict=True)
    return torch.tensor(nats, dtype=torch.float32), torch.tensor(units), torch.tensor(numbers)


def nats_and_units(items):
    return columns(items)[:2]


def nats_and_tail(items):
    return columns(items)[0], columns(items)[2]


def slow_cvar(items, q=0.1):
    """The mean over the worst documents, one after the other, the last of them in part."""
    left, total = q * len(items), 0.0
    for rate in sorted((nats / units for nats, units, _ in items), reverse=True):
        total += min(1.0, left) * rate
        left -= min(1.0, left)
    return total / (q * len(items))


def sliced_documents(rng):
    """(nats, units, number of the slice, -1 for none)"""
    return [(float(rng.gamma(3.0)), int(rng.integers(1, 9)), i % 4 - 1) for i in range(ITEMS)]


def rare_documents(rng):
    """(nats, tokens, rarity)"""
    return [(float(rng.gamma(9.0)), int(rng.integers(4, 9)), float(rng.normal(5.0))) for _ in range(ITEMS)]


def columns_with_rarity(items):
    nats, tokens, rarity = zip(*items, strict=True)
    return torch.tensor(nats, dtype=torch.float64), torch.tensor(tokens), torch.tensor(rarity, dtype=torch.float64)


def slow_gap(items):
    """Each document as often as it has tokens: the slope of its loss on its rarity, times the spread of rarity."""
    rarity = [rare for _, tokens, rare in items for _ in range(tokens)]
    rates = [nats / tokens for nats, tokens, _ in items for _ in range(tokens)]
    if len(set(rarity)) < 2:
        return math.nan
    return statistics.linear_regression(rarity, rates).slope * statistics.pstdev(rarity)


def rare_are_harder(items):
    middle = statistics.median(rare for *_, rare in items)
    return [(1.5 * nats if rare > middle else nats, tokens, rare) for nats, tokens, rare in items]


def slow_worst_slice(items):
    """Each slice against all that are not in it, one after the other."""
    found = []
    for number in {number for *_, number in items} - {-1}:
        sides = []
        for inside in (True, False):
            side = [(nats, units) for nats, units, one in items if (one == number) is inside]
            sides.append(math.fsum(nats for nats, _ in side) / sum(units for _, units in side))
        found.append(sides[0] - sides[1])
    return max(found)


def one_slice_harder(items):
    return [(3.0 * nats if number == 1 else nats, units, number) for nats, units, number in items]


def harder(items):
    return [(1.5 * nats, units, tail) for nats, units, tail in items]


CASES = {
    "perplexity": Case(
        metric=likelihood.Perplexity,
        pure=likelihood.perplexity,
        items=scored_documents,
        batch=stacked_documents,
        slow=slow_perplexity,
        collapse=lambda items: [(0.2 * logits, labels) for logits, labels in items],
    ),
    "bits_per_byte": Case(
        metric=likelihood.BitsPerByte,
        pure=likelihood.bits_per_byte,
        items=documents,
        batch=nats_and_units,
        slow=lambda items: math.fsum(nats / math.log(2) for nats, *_ in items) / sum(units for _, units, _ in items),
        collapse=harder,
    ),
    "tail_loss": Case(
        metric=likelihood.TailLoss,
        pure=likelihood.tail_loss,
        items=documents,
        batch=columns,
        slow=lambda items: math.fsum(n for n, _, tail in items if tail) / sum(u for _, u, tail in items if tail),
        collapse=harder,
    ),
    "tail_token_loss": Case(
        metric=likelihood.TailTokenLoss,
        pure=likelihood.tail_token_loss,
        items=documents,
        batch=nats_and_tail,
        slow=lambda items: math.fsum(n for n, _, tail in items if tail) / sum(tail for *_, tail in items),
        collapse=harder,
    ),
    "tail_gap": Case(
        metric=likelihood.TailGap,
        pure=likelihood.tail_gap,
        items=rare_documents,
        batch=columns_with_rarity,
        slow=slow_gap,
        collapse=rare_are_harder,
    ),
    "cvar_loss": Case(
        metric=likelihood.CvarLoss,
        pure=likelihood.cvar_loss,
        items=documents,
        batch=nats_and_units,
        slow=slow_cvar,
        collapse=harder,
    ),
    "worst_slice_loss": Case(
        metric=partial(likelihood.WorstSliceLoss, n_slices=3, fewest=1),
        pure=likelihood.worst_slice_loss,
        items=sliced_documents,
        batch=columns_with_slices,
        slow=slow_worst_slice,
        collapse=one_slice_harder,
    ),
    "entropy": Case(
        metric=likelihood.Entropy,
        pure=likelihood.entropy,
        items=scored_documents,
        batch=stacked_documents,
        slow=slow_entropy,
        collapse=sharper,
    ),
    "own_perplexity": Case(
        metric=likelihood.OwnPerplexity,
        pure=likelihood.own_perplexity,
        items=samples_at_the_model,
        batch=stacked_documents,
        slow=slow_perplexity,
        collapse=sharper,
    ),
    "founder_perplexity": Case(
        metric=likelihood.FounderPerplexity,
        pure=likelihood.founder_perplexity,
        items=samples_at_the_founder,
        batch=stacked_documents,
        slow=slow_perplexity,
        collapse=sharper,
    ),
}
