"""Comparisons: a reading against its baseline, as effect, interval and p-values against a margin."""

from collapse_guard.comparison.compare import compare as compare
from collapse_guard.comparison.compare import contrast_of as contrast_of
from collapse_guard.comparison.compare import obstacle as obstacle
from collapse_guard.comparison.contrast import Contrast as Contrast
from collapse_guard.comparison.paired import paired_difference as paired_difference
from collapse_guard.comparison.paired import paired_log_ratio as paired_log_ratio
from collapse_guard.comparison.two_sample import two_sample_difference as two_sample_difference
from collapse_guard.comparison.two_sample import two_sample_log_ratio as two_sample_log_ratio
