"""An item is a word as a type id, an n-gram as its place in the frozen set, or the words of a document as word ids."""

import math
from collections import Counter

import torch

from collapse_guard import indicators
from collapse_guard.indicators import tails
from contract_cases.case import ITEMS, Case

N_TYPES, RARE = 7, (4, 5, 6)
SHARES = (0.3, 0.2, 0.1, 0.06, 0.05, 0.04, 0.03)
"""Of the frozen n-grams; a fifth of all n-grams are others."""
COMMONEST, K = -(2**63), 2


def words(rng):
    return rng.choice([tails.UNKNOWN, *range(N_TYPES)], size=ITEMS).tolist()


def as_tensor(items):
    return (torch.tensor(items),)


def without_rare(items):
    return [0 if item in RARE else item for item in items]


def ngram_places(rng):
    return rng.choice([tails.UNKNOWN, *range(len(SHARES))], size=ITEMS, p=[1 - sum(SHARES), *SHARES]).tolist()


def only_the_commonest(items):
    return [0] * len(items)


def slow_lost_ngrams(items):
    expected = math.fsum(1 - (1 - share) ** len(items) for share in SHARES)
    return 1 - len(set(items) - {tails.UNKNOWN}) / expected


def word_documents(rng):
    """Words of a Zipf law; ids are as large as int64 allows."""
    shares = [1 / rank for rank in range(1, 41)]
    ids = rng.choice(40, size=(ITEMS, 15), p=[share / sum(shares) for share in shares])
    return [torch.tensor(row) + COMMONEST for row in ids]


def joined(items):
    return (torch.cat(items),)


def of_ten_words(items):
    return [torch.where(item < COMMONEST + 10, item, COMMONEST) for item in items]


def word_counts(items):
    return sorted(Counter(word for item in items for word in item.tolist()).values(), reverse=True)


def slow_missing_mass(items):
    counts = word_counts(items)
    return sum(count == 1 for count in counts) / sum(counts)


def slow_hill_index(items):
    counts = word_counts(items)
    return K / math.fsum(math.log(counts[i] / counts[K]) for i in range(K))


CASES = {
    "rare_coverage": Case(
        metric=lambda: tails.RareCoverage(rare=RARE, n_types=N_TYPES),
        pure=tails.rare_coverage,
        items=words,
        batch=as_tensor,
        slow=lambda items: len(set(items) & set(RARE)) / len(RARE),
        collapse=without_rare,
        empty=0.0,  # no word at all covers no rare word
    ),
    "rare_mass": Case(
        metric=lambda: tails.RareMass(rare=RARE, n_types=N_TYPES),
        pure=tails.rare_mass,
        items=words,
        batch=as_tensor,
        slow=lambda items: sum(Counter(items)[r] for r in RARE) / len(items),
        collapse=without_rare,
    ),
    "missing_mass": Case(
        metric=tails.MissingMass,
        pure=indicators.missing_mass,
        items=word_documents,
        batch=joined,
        slow=slow_missing_mass,
        collapse=of_ten_words,
    ),
    "lost_ngrams": Case(
        metric=lambda: tails.LostNgrams(SHARES),
        pure=tails.lost_ngrams,
        items=ngram_places,
        batch=as_tensor,
        slow=slow_lost_ngrams,
        collapse=only_the_commonest,
    ),
    "hill_index": Case(
        metric=lambda: indicators.HillIndex(k=K),
        pure=indicators.hill_index,
        items=word_documents,
        batch=joined,
        slow=slow_hill_index,
        collapse=of_ten_words,
    ),
}
