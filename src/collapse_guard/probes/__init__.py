"""Probes collect evidence from a module. No trainer is imported here."""

from collapse_guard.probes.causal_lm import CausalLMProbe as CausalLMProbe
from collapse_guard.probes.cost import Price as Price
from collapse_guard.probes.cost import part as part
from collapse_guard.probes.isolation import untouched as untouched
from collapse_guard.probes.probe import MergingProbe as MergingProbe
from collapse_guard.probes.probe import OneKindProbe as OneKindProbe
from collapse_guard.probes.probe import Probe as Probe
from collapse_guard.probes.probe import ReadingProbe as ReadingProbe
from collapse_guard.probes.probe import RehearsingProbe as RehearsingProbe
from collapse_guard.probes.probe import SizedProbe as SizedProbe
from collapse_guard.probes.sharding import batch_generator as batch_generator
from collapse_guard.probes.sharding import merge as merge
from collapse_guard.probes.vectors import EmbeddingProbe as EmbeddingProbe
from collapse_guard.probes.weights import is_sharded as is_sharded
