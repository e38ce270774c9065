"""Spread: in how many directions embeddings or vectors vary, and how far, from sums of O(d^2) that add up exactly.

Samples that are equal to float precision have no spread: total_variance is then 0 to rounding, effective_rank
undefined.
"""

from collapse_guard.indicators.spread.columns import *
from collapse_guard.indicators.spread.cosines import *
from collapse_guard.indicators.spread.variance import *
