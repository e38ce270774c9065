"""Probes collect evidence from a module. No trainer is imported here."""

from collapse_guard.probes.causal_lm import CausalLMProbe
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import MergingProbe, OneKindProbe, Probe
from collapse_guard.probes.sharding import batch_generator, merge
from collapse_guard.probes.vectors import EmbeddingProbe

__all__ = [
    "CausalLMProbe",
    "EmbeddingProbe",
    "MergingProbe",
    "OneKindProbe",
    "Probe",
    "batch_generator",
    "merge",
    "untouched",
]
