"""Collapse detectors, scored: lineages of fast language models, and what the guard and its rivals found in them."""
