"""The shell for those trainers of TRL that sample while they train: `pip install "collapse-guard[trl]"`."""

from collapse_guard.trl.guard import RolloutGuard

__all__ = ["RolloutGuard"]
