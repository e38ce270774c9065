"""The guard of a training, without a trainer. Shells for trainers are rooms of their own."""

from collapse_guard.guard.guard import Guard

__all__ = ["Guard"]
