"""Comparisons: a reading against its baseline, as effect, interval and p-values against a margin."""

from collapse_guard.comparison.compare import compare, contrast_of, obstacle
from collapse_guard.comparison.contrast import Contrast
from collapse_guard.comparison.paired import paired_difference, paired_log_ratio
from collapse_guard.comparison.two_sample import two_sample_difference, two_sample_log_ratio

__all__ = [
    "Contrast",
    "compare",
    "contrast_of",
    "obstacle",
    "paired_difference",
    "paired_log_ratio",
    "two_sample_difference",
    "two_sample_log_ratio",
]
