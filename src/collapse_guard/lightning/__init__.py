"""Callback and data module for `pytorch_lightning` and `lightning.pytorch` trainers."""

from collapse_guard.lightning.callback import CollapseGuard
from collapse_guard.lightning.datamodule import ReinjectionDataModule

__all__ = ["CollapseGuard", "ReinjectionDataModule"]
