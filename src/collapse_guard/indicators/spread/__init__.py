"""Spread: in how many directions embeddings or vectors vary, and how far, from sums of O(d^2) that add up exactly.

Samples that are equal to float precision have no spread: total_variance is then 0 to rounding, effective_rank
undefined.
"""

from collapse_guard.indicators.spread.cosines import MeanDistance, Vendi, Vendi2, mean_distance, vendi, vendi_2
from collapse_guard.indicators.spread.variance import EffectiveRank, TotalVariance, effective_rank, total_variance

__all__ = [
    "EffectiveRank",
    "MeanDistance",
    "TotalVariance",
    "Vendi",
    "Vendi2",
    "effective_rank",
    "mean_distance",
    "total_variance",
    "vendi",
    "vendi_2",
]
