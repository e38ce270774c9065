"""Tails: whether rare words and n-grams still occur, how often, and how much is still unseen. Rare things vanish first.

Two kinds of ids: type ids, where all words that the wild type does not know are `UNKNOWN`, and word ids, any int64,
where each different word has an id of its own.
"""

from collapse_guard.indicators.tails.hill_index import *
from collapse_guard.indicators.tails.lost_ngrams import *
from collapse_guard.indicators.tails.rare import *
from collapse_guard.indicators.tails.words import *
