"""Diversity: how much variety there is in what a model writes.

Here is distinct-n; the other members of the family stand in the modules that are imported here, one for each subject.
"""

from collapse_guard.indicators.diversity.compression import CompressionRatio, compression_ratio
from collapse_guard.indicators.diversity.distinct import (
    Distinct,
    Distinct1,
    Distinct2,
    Distinct3,
    Distinct4,
    distinct_n,
    distinct_up_to,
)
from collapse_guard.indicators.diversity.ngram_entropy import (
    NgramEntropy,
    NgramEntropy1,
    NgramEntropy2,
    NgramEntropy3,
    NgramEntropy4,
    entropy_n,
    miller_madow,
)
from collapse_guard.indicators.diversity.repetition import Repetition, repetition
from collapse_guard.indicators.diversity.self_bleu import SelfBleu, self_bleu
from collapse_guard.indicators.diversity.self_distinct import (
    SelfDistinct,
    SelfDistinct1,
    SelfDistinct2,
    SelfDistinct3,
    SelfDistinct4,
    self_distinct_n,
)
from collapse_guard.indicators.diversity.unique_samples import UniqueSamples, unique_samples

__all__ = [
    "CompressionRatio",
    "Distinct",
    "Distinct1",
    "Distinct2",
    "Distinct3",
    "Distinct4",
    "NgramEntropy",
    "NgramEntropy1",
    "NgramEntropy2",
    "NgramEntropy3",
    "NgramEntropy4",
    "Repetition",
    "SelfBleu",
    "SelfDistinct",
    "SelfDistinct1",
    "SelfDistinct2",
    "SelfDistinct3",
    "SelfDistinct4",
    "UniqueSamples",
    "compression_ratio",
    "distinct_n",
    "distinct_up_to",
    "entropy_n",
    "miller_madow",
    "repetition",
    "self_bleu",
    "self_distinct_n",
    "unique_samples",
]
