"""Tails: whether rare words and n-grams still occur, how often, and how much is still unseen. Rare things vanish first.

Two kinds of ids: type ids, where all words that the wild type does not know are `UNKNOWN`, and word ids, any int64,
where each different word has an id of its own.
"""

from collapse_guard.indicators.tails.lost_ngrams import LostNgrams, lost_ngrams
from collapse_guard.indicators.tails.rare import UNKNOWN, RareCoverage, RareMass, count_types, rare_coverage, rare_mass
from collapse_guard.indicators.tails.words import MissingMass

__all__ = [
    "UNKNOWN",
    "LostNgrams",
    "MissingMass",
    "RareCoverage",
    "RareMass",
    "count_types",
    "lost_ngrams",
    "rare_coverage",
    "rare_mass",
]
