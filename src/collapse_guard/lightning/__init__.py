"""SHELL: callback, probes and data module, for `pytorch_lightning` and `lightning.pytorch` trainers alike."""

from collapse_guard.lightning.callback import CollapseGuard
from collapse_guard.lightning.datamodule import ReinjectionDataModule
from collapse_guard.lightning.embedding_probe import EmbeddingProbe
from collapse_guard.lightning.probes import CausalLMProbe, Probe

__all__ = ["CausalLMProbe", "CollapseGuard", "EmbeddingProbe", "Probe", "ReinjectionDataModule"]
