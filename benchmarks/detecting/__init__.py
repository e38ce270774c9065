"""Collapse detectors, scored: lineages of fast language models, and the alarms of the guard and its rivals."""
