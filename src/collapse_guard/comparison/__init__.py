"""Comparisons: a reading against its baseline, as effect, interval and p-values against a margin."""
