"""An item is a sequence of token ids, or a document that the founder scored as well."""

import math

import torch

from collapse_guard.indicators import genetics
from contract_cases.case import ITEMS, Case

VOCABULARY = 9
REFERENCE, PARENT = 0.08, 0.02


def sequences(rng):
    return [torch.tensor(rng.integers(VOCABULARY, size=rng.integers(6, 14))) for _ in range(ITEMS)]


def as_list(items):
    return (items,)


def half_one_token(items):
    return [torch.where(torch.arange(len(ids)) % 2 == 0, 3, ids) for ids in items]


def slow_homozygosity(items):
    """The share of pairs of tokens that are equal, pair by pair"""
    tokens = [token for ids in items for token in ids.tolist()]
    pairs = [(i, j) for i in range(len(tokens)) for j in range(i)]
    return sum(tokens[i] == tokens[j] for i, j in pairs) / len(pairs)


def slow_effective_size(items):
    return 1 / (1 - (1 - slow_homozygosity(items)) / (1 - PARENT))


def scored_documents(rng):
    """(nats, tokens, nats of the founder)"""
    return [(rng.gamma(3.0), int(rng.integers(1, 9)), rng.gamma(3.0)) for _ in range(ITEMS)]


def columns(items):
    nats, tokens, founder = zip(*items, strict=True)
    return (
        torch.tensor(nats, dtype=torch.float32),
        torch.tensor(tokens),
        torch.tensor(founder, dtype=torch.float32),
    )


def slow_relative_fitness(items):
    """Perplexity over perplexity"""
    nats, tokens, founder = zip(*items, strict=True)
    return math.exp(math.fsum(founder) / sum(tokens)) / math.exp(math.fsum(nats) / sum(tokens))


def case_of_tokens(metric, pure, slow):
    return Case(
        metric=metric,
        pure=pure,
        items=sequences,
        batch=as_list,
        slow=slow,
        collapse=half_one_token,
    )


CASES = {
    "homozygosity": case_of_tokens(
        lambda: genetics.Homozygosity(vocabulary_size=VOCABULARY), genetics.homozygosity, slow_homozygosity
    ),
    "fixation_index": case_of_tokens(
        lambda: genetics.FixationIndex(REFERENCE, vocabulary_size=VOCABULARY),
        genetics.fixation_index,
        lambda items: (slow_homozygosity(items) - REFERENCE) / (1 - REFERENCE),
    ),
    "effective_size": case_of_tokens(
        lambda: genetics.EffectiveSize(PARENT, vocabulary_size=VOCABULARY), genetics.effective_size, slow_effective_size
    ),
    "relative_fitness": Case(
        metric=genetics.RelativeFitness,
        pure=genetics.relative_fitness,
        items=scored_documents,
        batch=columns,
        slow=slow_relative_fitness,
        collapse=lambda items: [(1.5 * nats, tokens, founder) for nats, tokens, founder in items],
    ),
}
